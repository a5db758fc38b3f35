"""A database that was set back is brought up to what its log, NATS and the object store have.

Restored to a point in time, or failed over to a standby that lacked the last seconds: the archive has segments that it does not
know, or slips of what was acknowledged last, and NATS events. Under the archiver's lock: rows of those come back, unless they were changed here since; every
tenant begins its next epoch, so that what was numbered twice is outranked; licences that were issued here since are issued again
in that epoch; what the neighbours have sent since is taken in again, and other regions are heard again (what was seen changes
nothing). The log goes on in a new epoch from where this database had left the old one: the end, behind which nobody comes back.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import psycopg
import structlog
from psycopg.rows import DictRow, dict_row

from cluster import database
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.eventlog import settled, state, tables
from cluster.eventlog.settled import Slip
from cluster.eventlog.state import LogState
from cluster.eventlog.store import LogStore
from cluster.events import GLOBAL, OURS
from cluster.settings import Settings
from cluster.stream_tail import StreamTail
from cluster.telemetry import describe
from content.errors import ContentError
from content.eventlog import Base, Change, LogRefused, Position, Segment, beyond
from content.eventlog.changes import parse_line
from tasks import resigning
from tasks.keeping import holds
from tasks.recovery import archive, hearing, reconcile_rows, restore_epoch, restore_log, restore_rows

LOCK_S = 60
SAID_SO = "An operator says so."
PENDING = f"select {archive.SAID} as line from change_log"
log = structlog.get_logger()


@dataclass
class Reconciled:
    """What was found and done. `behind`: why this database counts as set back, empty if it does not; `events`: those of neighbours that
    were taken in again; `unknown`: events of ours in the stream that no row knows, since the last seconds never came to the archive."""

    behind: str = ""
    segments: int = 0
    slips: int = 0
    changes: int = 0
    tenants: int = 0
    applied: int = 0
    kept: int = 0
    events: int = 0
    reissued: int = 0
    unknown: list[str] = field(default_factory=list[str])


@dataclass
class _Lost:
    """What the archive has and this database does not: segments with their epochs, changes of slips; `own`: changes that it has
    archived itself beside them."""

    segments: list[tuple[Position, Segment]] = field(default_factory=list[tuple[Position, Segment]])
    slips: list[Slip] = field(default_factory=list[Slip])
    own: list[Change] = field(default_factory=list[Change])
    newest: int = 0

    def why(self, at: Position) -> str:
        """Empty if nothing is lost."""
        found: list[str] = []
        if self.segments:
            last = self.segments[-1][0]
            ends = f"this database ends with {at.epoch}/{at.sequence}"
            found.append(f"The archive goes on to segment {last.epoch}/{last.sequence}, and {ends}.")
        if self.slips:
            found.append(f"{len(self.slips)} slips hold what was acknowledged and is not here.")
        return " ".join(found)


async def reconcile(connections: Connections, *, dry_run: bool = False, anyway: bool = False) -> Reconciled:
    """Bring the database up to its log. `anyway`: it was set back, even if the log does not show it.

    May be done again after it was killed, or after NATS was away. Raises ContentError `archiver-at-work`, LogRefused, or what can be retried.
    """
    settings, found = connections.settings, Reconciled()
    store = LogStore(connections.objects, settings.region)
    async with _alone(settings, stops=anyway and not dry_run) as relay:
        known = await state.read(relay, settings.region)
        if known is None:
            return found
        at = known.position
        rows = await fetch_all(relay, PENDING, {"personal": list(tables.PERSONAL)})
        pending = {row["line"].encode() for row in rows}
        lost = await _lost(relay, store, known, pending)
        found.behind = lost.why(at) or (known.behind if known.behind_since is not None else "")
        if not (found.behind or anyway):
            return found
        found.segments, found.slips = len(lost.segments), len(lost.slips)
        found.changes = sum(segment.changes for _, segment in lost.segments)
        found.changes += sum(len(slip.changes) for slip in lost.slips)
        first = lost.segments[0][1].closed_at if lost.segments else known.archived_at
        since = (first or await database.now(relay)) - hearing.MARGIN
        found.unknown = await _unknown(connections, since)
        if dry_run:
            return found
        await state.fall_behind(relay, settings.region, found.behind or SAID_SO)
        theirs = {line for _, segment in lost.segments for line in segment.lines()}
        changed = [*lost.own, *(parse_line(line) for line in pending - theirs)]
        tenants = await _stage(connections, lost)
        found.tenants = len(tenants)
        for tenant in sorted(tenants):
            own = [change for change in changed if change.tenant == tenant]
            async with connections.db.tenant(tenant) as tx:
                done = await reconcile_rows.take_over(tx, connections.objects, tenant, own)
                found.applied, found.kept = found.applied + done.applied, found.kept + done.kept
                if await fetch_one(tx, "select 1 as x from tenants") is not None:
                    details = {"segments": found.segments, "applied": done.applied, "kept": done.kept}
                    await holds.resume(tx, tenant)
                    await restore_epoch.begin(tx, connections, tenant, "database.reconciled", details)
            issued = sorted({str(change.key["bundle_id"]) for change in own if change.name == "licences"})
            found.reissued += await resigning.in_next_epoch(connections, tenant, issued)
        # Before the end is noted: whoever is called again after it finds nothing wrong, and does nothing.
        found.events = await _taken_in(connections, since)
        async with relay.transaction():
            base = Base(at.epoch, at.sequence, at.digest) if at.sequence else known.base
            await state.begin_next(relay, settings.region, max(lost.newest, at.epoch) + 1, base)
    found.unknown = await _unknown(connections, since)
    return found


async def _lost(relay: Transaction, store: LogStore, known: LogState, pending: set[bytes]) -> _Lost:
    found = await asyncio.to_thread(_segments, store, known, pending)
    looked = await settled.look(relay, store, known.position)
    there = {settled.told(change) for _, segment in found.segments for change in segment.parsed()}
    for slip in looked.lost:
        left = tuple(change for change in slip.changes if settled.told(change) not in there)
        if left:
            found.slips.append(replace(slip, changes=left))
        found.newest = max(found.newest, slip.epoch)
    return found


def _segments(store: LogStore, known: LogState, pending: set[bytes]) -> _Lost:
    """Segments that this database does not know, also those of later epochs. One that an archiver was killed at is not among
    them."""
    at = known.position
    if not at.sequence and known.base is not None:  # nothing was archived since this epoch began
        at = Position(known.base.epoch, known.base.sequence, known.base.digest)
    ends = store.beyond(known.position)
    if not ends:
        return _Lost(newest=known.position.epoch)
    bases = store.bases(epoch for epoch in ends if epoch > at.epoch)
    counts, later = beyond(at, bases, ends)
    found, place = _Lost(newest=max(ends)), at
    if counts < at.sequence:  # it has gone on beside them: what it archived since was changed here since
        stood = store.get(at.epoch, counts) if counts else None
        place = Position(at.epoch, counts, stood.digest if stood else "")
        found.own = [each for _, segment in store.read(at.epoch, at.sequence, after=place) for each in segment.parsed()]
    for epoch, last in [(at.epoch, counts), *later]:
        base = bases.get(epoch)
        if base is not None and base.sequence and base.digest != place.digest:
            raise LogRefused(
                "event-log-fork", f"Epoch {epoch} of the log goes on from another segment {base.sequence}."
            )
        for each in store.read(epoch, last, after=place if place.epoch == epoch else None):
            place = each[0]
            found.segments.append(each)
    if len(ends) == 1 and len(found.segments) == 1 and set(found.segments[0][1].lines()) <= pending:
        return replace(found, segments=[])
    # What fits together: behind the last final segment, rows may lack those that they refer to.
    final = [number for number, (_, segment) in enumerate(found.segments, 1) if segment.final]
    return replace(found, segments=found.segments[: final[-1]] if final else found.segments)


async def _stage(connections: Connections, lost: _Lost) -> set[str]:
    """The last change of each row, in `restore_rows`, and nothing else: what somebody left there who was killed is from another
    day. Returns whose rows are to be looked at: all tenants, and those that are not here."""
    tenants = {change.tenant for _, segment in lost.segments for change in segment.parsed()}
    tenants |= {slip.tenant for slip in lost.slips}
    async with connections.ops.connection() as ops:
        tenants |= {row["tenant"] for row in await fetch_all(ops, "select tenant from tenants")}
    for tenant in tenants:
        async with connections.db.tenant(tenant) as tx:
            await restore_rows.clear(tx)
    for at, segment in lost.segments:
        await restore_log.load(connections, Position(at.epoch), segment, set(), set())
    for slip in lost.slips:
        await restore_log.load_slip(connections, slip)
    return tenants


async def _unknown(connections: Connections, since: datetime) -> list[str]:
    """What we have published and no row knows."""
    found: list[str] = []
    try:
        async with StreamTail.connect(connections.settings) as tail:
            for stream in (OURS, GLOBAL):
                async for said in tail.back(stream, since):
                    found += await _strange(connections, said.id, said.body, said.subject)
    except ContentError as error:
        log.warning("what was published is not known", **describe(error))
    return found


async def _strange(connections: Connections, name: str, body: bytes, subject: str) -> list[str]:
    try:
        event = json.loads(body)
        tenant = str(event["data"]["tenant_id"])
        if event.get("region", connections.settings.region) != connections.settings.region:
            return []
    except (ValueError, KeyError, TypeError):
        return []
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx,
            "select (select count(*) from tenants) as here, (select count(*) from outbox where id::text = %s) as known",
            [name],
        )
    if row is None or not row["here"] or row["known"]:
        return []
    subjects = ("bundle_id", "package_id", "export_id", "import_id")
    what = next((f"{each} {event['data'][each]}" for each in subjects if each in event["data"]), "")
    return [f"{subject} {name} {what}".strip()]


async def _taken_in(connections: Connections, since: datetime) -> int:
    """What NATS still holds: other regions' events from the beginning, the neighbours' from then on."""
    return await hearing.again(connections, since)


@asynccontextmanager
async def _alone(settings: Settings, *, stops: bool) -> AsyncIterator[Transaction]:
    """A connection that holds the archiver's lock. An archiver lets go of it when the database is behind; with `stops` it is told that
    it is."""
    connection = await psycopg.AsyncConnection[DictRow].connect(
        settings.postgres_relay.get_secret_value(),
        autocommit=True,
        row_factory=dict_row,
        connect_timeout=5,
        options=f"-c timezone=UTC -c lock_timeout={LOCK_S}s",
    )
    try:
        if stops:
            await state.fall_behind(connection, settings.region, SAID_SO)
        try:
            await connection.execute(b"select pg_advisory_lock(%s, 0)", [archive.LOCK])
        except psycopg.errors.LockNotAvailable as held:
            raise ContentError(
                "archiver-at-work",
                "An archiver is at work, and finds nothing wrong.",
                "If this database was set back all the same, call it with --anyway.",
            ) from held
        yield connection
    finally:
        await connection.close()
