"""Restoring a region: an empty database, the archive of the event log, the key service, and what the bucket still has.

    read the log → names of learners → rows into their tables → compare → next epoch → blobs made again
    → what NATS still holds → work called for

Each step is noted in `restore_progress` when it is done, and each may be done again: a restore that was killed goes on where it
was. Until the end nothing is issued, collected or archived (`cluster.eventlog.state.require_whole`). Several processes may help
with the blobs. docs/recovery.md has the times, docs/runbooks/restore-a-region.md what to do before and after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from cluster import failpoints
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.eventlog import state
from cluster.eventlog.store import LogStore
from cluster.objects import Objects
from cluster.telemetry import describe
from cluster.telemetry.logs import text_of
from content.errors import ContentError
from tasks.recovery import (
    hearing,
    restore_blobs,
    restore_epoch,
    restore_log,
    restore_packages,
    restore_rows,
    restore_seals,
)
from tasks.recovery.restore_blobs import KINDS, Outcome
from tasks.recovery.restore_rows import Compared
from tasks.recovery.restore_tables import logged

TENANTS_AT_ONCE, BATCHES_AT_ONCE = 8, 4
"""Steps of the database, of so many tenants side by side; and what is made again, which takes this process's own CPUs."""
BATCH = {"version": 4, "seal": 64, "export": 64, "import": 64}
NEEDED = {"storage-unavailable", "keys-unavailable", "database-unavailable"}
"""Parts without which nothing is restored: a restore that lacks one ends, and goes on when it is called again."""
Tell = Callable[[str], None]
log = structlog.get_logger()

BEGUN = "select done, total, result, ended_at from restore_progress where source = %s and step = %s and subject = %s"
BEGIN = b"insert into restore_progress (source, step, subject) values (%s, %s, %s) on conflict do nothing"
END = b"""
    insert into restore_progress (source, step, subject, done, result, ended_at) values (%s, %s, %s, %s, %s, now())
    on conflict (source, step, subject) do update set done = excluded.done, result = excluded.result, ended_at = now()
"""


@dataclass
class Restored:
    """What a restore came to. `differing`: tables whose rows are not what the log tells, none as it should be; `missing`: blobs
    of a tenant that could not be made again; `events`: those of neighbours that the log did not have and NATS did, of the last run."""

    segments: int = 0
    changes: int = 0
    cut: int = 0
    closed_at: str = ""
    tenants: int = 0
    rows: int = 0
    differing: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    tables: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    blobs: dict[str, Any] = field(default_factory=dict[str, Any])
    missing: dict[str, int] = field(default_factory=dict[str, int])
    events: int = 0
    seconds: dict[str, float] = field(default_factory=dict[str, float])


class Restore:
    """One restore from `source`; `name` is how it is called in its progress. `builds`: this process has what a build needs; if not,
    versions whose files are lost are left to the builders, who begin when the restore has ended."""

    def __init__(
        self,
        connections: Connections,
        source: Objects,
        name: str,
        tell: Tell = lambda _: None,
        *,
        builds: bool = True,
    ) -> None:
        self._connections, self._name, self._tell, self._builds = connections, name, tell, builds
        self._store = LogStore(source, connections.settings.region)
        own = connections.objects
        self._elsewhere = None if (source.bucket, _endpoint(source)) == (own.bucket, _endpoint(own)) else source
        self.found = Restored()

    async def run(self) -> Restored:
        """Restore, or go on. Raises ContentError `not-empty`, `key-service-differs`, `rows-differ`, LogRefused, or what can be
        retried. One that has ended says again what it came to."""
        if (ended := await self._begin()) is not None:
            return ended
        tenants = await self._timed("log", self._read())
        await self._timed("rows", self._each(tenants, "rows", self._rows))
        await asyncio.to_thread(failpoints.hit, "restore.after_rows", self._connections.settings)
        await self._timed("compare", self._compare(tenants))
        await self._timed("epoch", self._each(tenants, "epoch", self._epoch))
        await self._timed("missing", self._each(tenants, "missing", self._missing))
        await self._timed("blobs", self.help())
        await asyncio.to_thread(failpoints.hit, "restore.before_finish", self._connections.settings)
        await self._timed("left", self._left())
        await self._timed("events", self._hear())
        await self._timed("finish", self._finish(tenants))
        return self.found

    async def _timed(self, step: str, work: Any) -> Any:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            return await work
        finally:
            self.found.seconds[step] = round(loop.time() - began, 2)

    # -- steps ----------------------------------------------------------------------------------------------------

    async def _begin(self) -> Restored | None:
        connections = self._connections
        async with connections.ops.connection() as ops:
            tenants = await fetch_all(ops, "select tenant from tenants limit 1")
        async with connections.db.connection() as connection, connection.transaction():
            other = await fetch_one(
                connection, "select source from restore_progress where step = 'restore' and ended_at is null"
            )
            known = await fetch_one(connection, BEGUN, [self._name, "restore", ""])
            if known and known["ended_at"] and not other:
                return Restored(**known["result"])
            if (other and other["source"] != self._name) or (tenants and not known):
                raise ContentError(
                    "not-empty",
                    "This database has rows, or was restored from somewhere already.",
                    "Restore into an empty one; a database that lacks the last minutes is reconciled instead.",
                )
            await connection.execute(BEGIN, [self._name, "restore", ""])
        return None

    async def _read(self) -> list[str]:
        path = await asyncio.to_thread(self._store.path)
        if not path:
            raise ContentError(
                "no-event-log",
                f"There is no event log of the region {self._store.region} there.",
                "Check the address and the setting region.",
            )
        found = await restore_log.read(self._connections, self._store, path)
        await restore_log.read_slips(self._connections, self._store, found)
        if found.cut:
            log.warning("the end of the log does not fit together and is left out", segments=found.cut)
        self.found.segments, self.found.changes, self.found.cut = found.segments, found.changes, found.cut
        self.found.closed_at = found.closed_at.isoformat() if found.closed_at else ""
        self.found.tenants = len(found.tenants)
        self._tell(f"read {found.segments} segments with {found.changes} changes of {len(found.tenants)} tenants")
        return sorted(found.tenants)

    async def _rows(self, tenant: str) -> int:
        connections, done = self._connections, 0
        await restore_rows.name_learners(connections, self._store.objects, tenant)
        async with connections.db.tenant(tenant) as tx:
            tables = await logged(tx)
        for table in tables:
            async with connections.db.tenant(tenant) as tx:
                done += await restore_rows.insert(tx, table)
        return done

    async def _compare(self, tenants: list[str]) -> None:
        """What the log says against what the tables say now: counts, rows and digests."""
        async with self._connections.db.tenant("-") as tx:
            tables = await logged(tx)
        room = asyncio.Semaphore(TENANTS_AT_ONCE)

        async def one(tenant: str) -> None:
            async with room:
                if await self._is_done("epoch", tenant):  # the rows went on since they were compared
                    return
                for table in tables:
                    async with self._connections.db.tenant(tenant, snapshot=True) as tx:
                        self._count(await restore_rows.compare(tx, tenant, table))

        await asyncio.gather(*(one(tenant) for tenant in tenants))
        self.found.differing.sort(key=lambda each: (each["tenant"], each["name"]))
        if self.found.differing:
            first = self.found.differing[0]
            raise ContentError(
                "rows-differ",
                f"{len(self.found.differing)} tables are not what the log tells, {first['name']} of {first['tenant']} first.",
                "Nothing was issued yet. Compare `content-service restore --json`, and report it.",
            )

    def _count(self, found: Compared) -> None:
        if not found.equal:
            self.found.differing.append(found.as_dict())
        if found.in_log or found.in_table:
            sums = self.found.tables.setdefault(found.name, {"log": 0, "table": 0, "digests_equal": True})
            sums["log"] += found.in_log
            sums["table"] += found.in_table
            sums["digests_equal"] &= found.log_digest == found.table_digest
        self.found.rows += found.in_table

    async def _epoch(self, tenant: str) -> int:
        async with self._connections.db.tenant(tenant) as tx:
            if await fetch_one(tx, "select 1 as x from tenants") is None:
                return 0
            await restore_epoch.require_keys(tx, self._connections)
            epoch = await restore_epoch.begin(
                tx, self._connections, tenant, "region.restored", {"log_closed_at": self.found.closed_at}
            )
            await self._end(tx, "epoch", tenant, epoch)  # with the epoch itself, so that it begins once
        return epoch

    async def _missing(self, tenant: str) -> int:
        there = await restore_blobs.present(self._connections.objects, tenant)
        async with self._connections.db.tenant(tenant) as tx:
            found = await restore_blobs.note_missing(tx, tenant, there)
            await self._end(tx, "missing", tenant, found["missing"], found)
        return found["missing"]

    async def _lacking(self) -> list[str]:
        """The tenants of whom a blob was missing."""
        async with self._connections.db.connection() as connection:
            rows = await fetch_all(
                connection,
                "select subject from restore_progress where source = %s and step = 'missing' and done > 0 order by subject",
                [self._name],
            )
        return [row["subject"] for row in rows]

    async def _left(self) -> None:
        """Look once more at those of whom a blob was missing."""
        room = asyncio.Semaphore(TENANTS_AT_ONCE)

        async def one(tenant: str) -> tuple[str, int]:
            async with room:
                there = await restore_blobs.present(self._connections.objects, tenant)
                async with self._connections.db.tenant(tenant) as tx:
                    return tenant, (await restore_blobs.note_missing(tx, tenant, there, note=False))["missing"]

        found = await asyncio.gather(*(one(tenant) for tenant in await self._lacking()))
        self.found.missing = {tenant: missing for tenant, missing in found if missing}

    async def help(self) -> int:
        """Make blobs again until nothing waits; what others have claimed is waited for. Returns how many items were done here."""
        done, lacking = 0, await self._lacking()
        for kind in KINDS:
            for tenant in lacking:
                while True:
                    count = await self._turn(tenant, kind)
                    done += count
                    if not count and not await self._held(tenant, kind):
                        break
                    if not count:
                        await asyncio.sleep(1.0)
        return done

    async def _held(self, tenant: str, kind: str) -> bool:
        async with self._connections.db.tenant(tenant) as tx:
            return (
                await fetch_one(
                    tx, "select 1 as x from restore_items where kind = %s and state = 'waiting' limit 1", [kind]
                )
                is not None
            )

    async def _turn(self, tenant: str, kind: str) -> int:
        connections = self._connections
        batches = [
            await restore_blobs.claim(connections, tenant, kind, BATCH[kind], connections.settings.lease_s * 10)
            for _ in range(BATCHES_AT_ONCE)
        ]
        await asyncio.gather(*(self._serve(tenant, kind, batch) for batch in batches if batch))
        return sum(map(len, batches))

    async def _serve(self, tenant: str, kind: str, subjects: list[str]) -> None:
        """What fails for one item must not hold the region: it is tried alone, a few times, and then given up."""
        try:
            outcomes = await self._made(tenant, kind, subjects)
        except Exception as error:
            if not self._for_one(error, tenant, kind):
                raise
            outcomes = {subjects[0]: Outcome("again", 0, text_of(error))} if len(subjects) == 1 else {}
            for subject in subjects if not outcomes else ():
                try:
                    outcomes |= await self._made(tenant, kind, [subject])
                except Exception as alone:
                    if not self._for_one(alone, tenant, kind):
                        raise
                    outcomes[subject] = Outcome("again", 0, text_of(alone))
        for subject, found in outcomes.items():
            await restore_blobs.end(self._connections, tenant, kind, subject, found)
        self._tell(f"{tenant}: {len(subjects)} of kind {kind}")

    def _for_one(self, error: Exception, tenant: str, kind: str) -> bool:
        """Whether it says something of an item; without these parts nothing goes on at all."""
        log.warning("not made again", tenant=tenant, kind=kind, **describe(error))
        return not isinstance(error, ContentError) or error.code not in NEEDED

    async def _made(self, tenant: str, kind: str, subjects: list[str]) -> dict[str, Outcome]:
        connections, source = self._connections, self._elsewhere
        if kind == "seal":
            return await restore_seals.again(connections, source, tenant, subjects)
        outcomes: dict[str, Outcome] = {}
        for subject in subjects:
            if kind == "version":
                made = await restore_packages.again(connections, source, tenant, subject, builds=self._builds)
            else:
                made = await restore_blobs.file(connections, source, tenant, kind, subject)
            outcomes[subject] = made
        return outcomes

    async def _hear(self) -> None:
        """What the log cannot tell, and NATS can."""
        closed_at = self.found.closed_at
        since = datetime.fromisoformat(closed_at) - hearing.MARGIN if closed_at else hearing.BEGINNING
        self.found.events = await hearing.again(self._connections, since)
        self._tell(f"took in {self.found.events} events of neighbours; other regions are heard again")

    async def _finish(self, tenants: list[str]) -> None:
        """Call workers to what is to be done, begin the next log, and let everybody work."""
        connections, totals = self._connections, dict[str, Any]()
        for tenant in tenants:
            async with connections.db.tenant(tenant) as tx:
                await restore_seals.anew(tx, tenant)
                await restore_packages.call(tx, tenant)
                await restore_rows.call(tx, tenant)
                await restore_rows.clear(tx)  # before the end is noted: nobody comes back after it
                for name, sums in (await restore_blobs.counts(tx)).items():
                    total = totals.setdefault(name, {"items": 0, "bytes": 0})
                    total["items"], total["bytes"] = total["items"] + sums["items"], total["bytes"] + sums["bytes"]
        self.found.blobs = totals
        epochs = await asyncio.to_thread(LogStore(connections.objects, connections.settings.region).epochs)
        source = await asyncio.to_thread(self._store.epochs)
        async with connections.db.connection() as connection, connection.transaction():
            await state.begin_next(connection, connections.settings.region, max([*epochs, *source, 0]) + 1, None)
            await connection.execute(b"delete from restore_segments")
            await self._end(connection, "restore", "", self.found.rows, vars(self.found))

    # -- progress -------------------------------------------------------------------------------------------------

    async def _each(self, tenants: list[str], step: str, work: Callable[[str], Any]) -> None:
        """A step of every tenant that is not done yet, some side by side."""
        room = asyncio.Semaphore(TENANTS_AT_ONCE)

        async def one(tenant: str) -> None:
            async with room:
                if await self._is_done(step, tenant):
                    return
                done = await work(tenant)
                async with self._connections.db.connection() as connection:
                    if not await self._is_done(step, tenant):
                        await self._end(connection, step, tenant, done)
                self._tell(f"{tenant}: {step} {done}")

        await asyncio.gather(*(one(tenant) for tenant in tenants))

    async def _is_done(self, step: str, subject: str) -> bool:
        async with self._connections.db.connection() as connection:
            row = await fetch_one(connection, BEGUN, [self._name, step, subject])
        return row is not None and row["ended_at"] is not None

    async def _end(self, tx: Transaction, step: str, subject: str, done: int, result: Any = None) -> None:
        await tx.execute(END, [self._name, step, subject, done, Jsonb(result) if result is not None else None])


def _endpoint(objects: Objects) -> str:
    return str(objects.client.meta.endpoint_url)
