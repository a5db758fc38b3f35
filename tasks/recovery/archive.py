"""The archiver: changes of rows become segments in the object store, and leave the database.

One of any number of replicas works, by an advisory lock. A step reads in one snapshot what is there, puts the next segment
where none is, notes it, and removes those very rows. So what is not there any more is archived, and no position in
the order of changes is kept: transactions commit in another order than they begin. Killed between the put and the note, the
next one finds its segment there, sees that it holds rows of this database, and notes it. A segment that holds others
means that this database was set back (`cluster.eventlog.state`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from psycopg.rows import DictRow, dict_row

from cluster import database, failpoints
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.eventlog import settled, state, tables
from cluster.eventlog.state import LogState
from cluster.eventlog.store import LogStore, Stored
from cluster.objects import Objects
from cluster.settings import Settings
from cluster.telemetry.metrics import DATABASE_BEHIND, LOG_AGE, LOG_CHANGES
from content.canonical import canonical, digest
from content.errors import ContentError
from content.eventlog import Position, make_segment

LOCK = 72_003
MOST_CHANGES, MOST_BYTES = 20_000, 32 << 20
SLIPS_EVERY = 200
"""So many segments lie between two looks at slips that are no longer needed."""
SLIP_KEPT_S = 3600.0
AT_ONCE = 20
"""Segments that are archived in one go."""
WRITERS = 16
LINE = """jsonb_build_object('n', n, 'transaction', transaction::text, 'at', at, 'tenant', tenant, 'name', name,
                             'key', key, 'value', value)::text"""
PLACED = LINE.replace("'value', value", "'value', case when value is not null then key end")
"""The line of a personal row: that it is there, and not what it says."""
SEALED = LINE.replace("'value', value", f"'value', value - '{tables.UNSEALED}'")
"""The line of a row that is told in another form, one that ends with a person."""
SAID = f"""case when name = any(%(personal)s) then {PLACED}
               when name = '{tables.KEYS}' and value ->> '{tables.SEALED}' is not null then {SEALED} else {LINE} end"""
"""A waiting change as it stands in a segment."""
# The next rows, up to a number of bytes; the first one whatever its size.
WAITING = f"""
    select n, tenant, name, key, apart, line from (
        select *, sum(octet_length(line)) over (order by n) as bytes, row_number() over (order by n) as place from (
            select n, tenant, name, key, case when name = any(%(personal)s) then value end as apart,
                   {SAID} as line
            from change_log order by n limit %(most)s) as first) as next
    where bytes <= %(bytes)s or place = 1 order by n
"""
LEFT = "select exists (select 1 from change_log where n > %s) as more"
KNOWN = f"select n, {SAID} as line from change_log where n = any(%(numbers)s)"
TRIM = b"delete from change_log where n = any(%s)"
AGE = "select extract(epoch from clock_timestamp() - min(at))::float8 as age_s, count(*) as n from change_log"
log = structlog.get_logger()


@dataclass(frozen=True)
class Step:
    """What a step did: changes that were archived, the segment they are in, and whether more waits."""

    changes: int
    at: Position | None
    more: bool


IDLE = Step(0, None, False)


class Archiver:
    """Carries what waits in `change_log`; any number of archivers share one lock. `alive` hears that it goes on: thousands of
    new learners are thousands of objects, and a minute with a slow store."""

    def __init__(self, settings: Settings, objects: Objects, alive: Callable[[], None] = lambda: None) -> None:
        self._settings, self._objects, self._alive = settings, objects, alive
        self._store = LogStore(objects, settings.region)
        self._connection: Transaction | None = None
        self._since_slips = 0
        self._settled: set[str] | None = None

    async def step(self) -> Step:
        """Archive what waits, up to a segment's size. Idle where another archiver is at work.

        Raises ContentError `storage-unavailable`, `database-unavailable`, or `database-behind`: it was set back, or is being
        restored (all retryable).
        """
        async with self._connected() as connection:
            if not await self._mine(connection):
                return IDLE
            await self._tell(connection)
            try:
                return await self._archive(connection, await self._state(connection))
            except ContentError:
                # And with it the lock: for whoever reconciles, or whose clock and way to the store are right.
                await self.close()
                raise

    async def carry(self) -> int:
        """Step until no more waits than came in meanwhile, or many times; returns how many changes were archived."""
        done = 0
        for _ in range(AT_ONCE):
            step = await self.step()
            done += step.changes
            self._alive()
            if not step.more:
                break
        return done

    async def _state(self, connection: Transaction) -> LogState:
        """How far the archive is. A database without a log begins one."""
        region = self._settings.region
        found = await state.read(connection, region)
        await state.require_whole(connection)
        if found is None:
            if ends := await asyncio.to_thread(self._store.epochs):
                await state.begin(connection, region, max(ends))
                await self._behind(connection, f"The archive has a log of {region} that it has never seen.")
            await state.begin(connection, region)
            found = await state.read(connection, region)
        assert found is not None
        if self._settled is None:  # once for each connection: what is set back or fails over breaks them all
            await self._look_beyond(connection, found.position)
            await self._look_at_slips(connection, found.position)
        return found

    async def _look_beyond(self, connection: Transaction, at: Position) -> None:
        """What the archive has behind the place that this database knows: nothing, or the segment that an archiver was killed at."""
        ends = await asyncio.to_thread(self._store.beyond, at)
        if (newest := max(ends, default=at.epoch)) > at.epoch:
            why = f"The archive goes on in epoch {newest}, and this database is in epoch {at.epoch}."
            await self._behind(connection, why)
        if ends.get(at.epoch, 0) > at.sequence + 1:
            await self._behind(connection, _ends(at, ends[at.epoch]))

    async def _archive(self, connection: Transaction, known: LogState) -> Step:
        async with connection.transaction():
            await connection.execute("set transaction isolation level repeatable read, read only")
            rows, now = await self._read(connection), await database.now(connection)
            final = not rows or not await self._left(connection, rows)
        if not rows:
            return IDLE
        at = known.position
        first = at.sequence == 0
        body = make_segment(
            region=self._settings.region,
            epoch=at.epoch,
            sequence=at.sequence + 1,
            previous=at.digest if not first else known.base.digest if known.base else "",
            base=known.base if first else None,
            final=final,
            closed_at=now,
            lines=[row["line"].encode() for row in rows],
        )
        await self._keep_apart(rows)
        await asyncio.to_thread(failpoints.hit, "archive.before_put", self._settings)
        if await asyncio.to_thread(self._store.put, at.epoch, at.sequence + 1, body):
            after, numbers = Position(at.epoch, at.sequence + 1, digest(body)), [row["n"] for row in rows]
        else:
            after, numbers = await self._found(connection, at)
        await asyncio.to_thread(failpoints.hit, "archive.after_put", self._settings)
        async with connection.transaction():
            if not await state.advance(connection, self._settings.region, at, after):
                raise ContentError("database-unavailable", "Another archiver has gone on.", "It is read again.", True)
            await connection.execute(TRIM, [numbers])
        LOG_CHANGES.add(len(numbers))
        await self._trim_slips(connection, after)
        return Step(len(numbers), after, not final)

    async def _read(self, connection: Transaction) -> list[DictRow]:
        values = {"personal": list(tables.PERSONAL), "most": MOST_CHANGES, "bytes": MOST_BYTES}
        return await fetch_all(connection, WAITING, values)

    async def _left(self, connection: Transaction, rows: Sequence[DictRow]) -> bool:
        row = await fetch_one(connection, LEFT, [rows[-1]["n"]])
        return bool(row and row["more"])

    async def _found(self, connection: Transaction, at: Position) -> tuple[Position, list[int]]:
        """The segment that is there already: of an archiver that was killed, or of a life that this database has forgotten."""
        found = await asyncio.to_thread(self._store.get, at.epoch, at.sequence + 1)
        if found is None:
            raise ContentError("storage-unavailable", "A segment was there and is not.", "Try again.", True)
        numbers = await self._ours(connection, found)
        if numbers is None or found.segment.previous != (at.digest or found.segment.previous):
            last = (await asyncio.to_thread(self._store.epochs)).get(at.epoch, at.sequence + 1)
            await self._behind(connection, _ends(at, last))
        assert numbers is not None
        log.warning("a segment was archived and not noted", epoch=at.epoch, sequence=at.sequence + 1)
        return Position(at.epoch, at.sequence + 1, found.digest), numbers

    async def _ours(self, connection: Transaction, found: Stored) -> list[int] | None:
        """The numbers of its changes, if each of them waits here as it is there."""
        theirs = {change.n: change for change in found.segment.parsed()}
        rows = await fetch_all(connection, KNOWN, {"personal": list(tables.PERSONAL), "numbers": list(theirs)})
        here = {row["n"]: row["line"].encode() for row in rows}
        return list(theirs) if all(change.line == here.get(change.n) for change in theirs.values()) else None

    async def _behind(self, connection: Transaction, why: str) -> None:
        log.error("the database is behind its log", region=self._settings.region, why=why)
        await state.fall_behind(connection, self._settings.region, why)
        raise ContentError(
            "database-behind", f"The database was set back: {why}", "Run `content-service reconcile`.", True
        )

    async def _keep_apart(self, rows: Sequence[DictRow]) -> None:
        """Who is behind a pseudonym, where it can be erased: there before a segment names it, and gone when the row is."""
        last: dict[str, Any] = {}
        for row in rows:
            if row["name"] in tables.PERSONAL:
                last[tables.identity(row["name"], row["tenant"], row["key"])] = row["apart"]
        room = asyncio.Semaphore(WRITERS)

        async def keep(key: str, value: Any) -> None:
            async with room:
                if value is None:
                    await asyncio.to_thread(self._objects.forget, key)
                else:
                    await asyncio.to_thread(self._objects.put, key, canonical(value), "application/json")
            self._alive()

        await asyncio.gather(*(keep(key, value) for key, value in last.items()))

    async def _look_at_slips(self, connection: Transaction, at: Position) -> None:
        """Whether all that was acknowledged is known here; slips that have been in segments for long go."""
        looked = await settled.look(connection, self._store, at, self._settled or ())
        self._alive()
        if looked.lost:
            first = looked.lost[0]
            names = ", ".join(sorted({change.name for slip in looked.lost for change in slip.changes}))
            why = f"{len(looked.lost)} slips hold what was acknowledged and is not here ({names}), {first.key} first."
            await self._behind(connection, why)
        self._settled, now = looked.settled, (await database.now(connection)).timestamp()
        over = [
            key
            for key, (when, epoch) in looked.listed.items()
            if when < now - SLIP_KEPT_S and (key in looked.settled or epoch < at.epoch)
        ]
        await asyncio.to_thread(self._objects.delete, over)

    async def _trim_slips(self, connection: Transaction, at: Position) -> None:
        self._since_slips += 1
        if self._since_slips % SLIPS_EVERY == 0:
            await self._look_at_slips(connection, at)

    async def _tell(self, connection: Transaction) -> None:
        row = await fetch_one(connection, AGE)
        LOG_AGE.set(float(row["age_s"] or 0) if row else 0.0)
        known = await state.read(connection, self._settings.region)
        DATABASE_BEHIND.set(float(known is not None and known.behind_since is not None))

    async def _mine(self, connection: Transaction) -> bool:
        # A session's lock is counted; asked for again and again it would have to be given back as often.
        held = await fetch_one(
            connection,
            "select 1 as x from pg_locks where locktype = 'advisory' and classid = %s and objid = 0 and pid = pg_backend_pid()",
            [LOCK],
        )
        if held is not None:
            return True
        got = await fetch_one(connection, "select pg_try_advisory_lock(%s, 0) as got", [LOCK])
        return bool(got and got["got"])

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Transaction]:
        """The one connection, which holds the lock. Raises ContentError `database-unavailable` when it is lost."""
        try:
            if self._connection is None or self._connection.closed:
                self._settled = None
                self._connection = await psycopg.AsyncConnection[DictRow].connect(
                    self._settings.postgres_relay.get_secret_value(),
                    autocommit=True,
                    row_factory=dict_row,
                    connect_timeout=5,
                    # Postgres ends the session of an archiver that froze, and with it its lock.
                    options=f"-c timezone=UTC -c idle_session_timeout={round(self._silent_s() * 1000)}",
                )
            yield self._connection
        except psycopg.Error as lost:
            await self.close()
            raise ContentError(
                "database-unavailable", "The archiver lost its database.", "It reconnects.", True
            ) from lost

    def _silent_s(self) -> float:
        return max(self._settings.lease_s, 3 * self._settings.event_log_every_s)

    async def close(self) -> None:
        """Give up the connection and with it the lock."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = self._settled = None


def _ends(at: Position, last: int) -> str:
    return f"The archive goes on to segment {at.epoch}/{last}, and this database ends with {at.sequence}."
