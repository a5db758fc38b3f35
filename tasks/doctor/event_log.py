"""The event log: it goes on being archived, its chain is whole at the end, and the database lacks nothing that others have."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
from psycopg.rows import DictRow, dict_row

from cluster import places
from cluster.database import fetch_one
from cluster.eventlog import settled, state
from cluster.eventlog.state import LogState
from cluster.eventlog.store import LogStore
from cluster.events import OURS
from cluster.objects import Objects
from cluster.settings import Settings
from cluster.stream_tail import StreamTail
from content.errors import ContentError
from tasks.doctor.findings import Finding, fail, ok, warn

LATE_S = 60.0
LOOKED_BACK = timedelta(hours=1)
BEHIND = "docs/runbooks/postgres-behind.md: `content-service reconcile`."


async def check(settings: Settings) -> list[Finding]:
    async with await psycopg.AsyncConnection[DictRow].connect(
        settings.postgres_ops.get_secret_value(), connect_timeout=5, autocommit=True, row_factory=dict_row
    ) as connection:
        known = await state.read(connection, settings.region)
        age = await fetch_one(
            connection, "select extract(epoch from clock_timestamp() - min(at))::float8 as age_s from change_log"
        )
        late = _late(float(age["age_s"] or 0) if age else 0.0)
        if known is None:
            return [late, await _unseen(settings)]
        slips = await _acknowledged(settings, connection)
    return [late, await _archive(settings, known), slips, await _told(settings)]


def _late(age_s: float) -> Finding:
    name = "event log: archived"
    if age_s > LATE_S:
        return fail(
            name,
            f"the oldest change has waited for {age_s:.0f} s",
            "See the logs of content-outbox-relay, and whether the object store takes what is put.",
        )
    return ok(name, f"the oldest change has waited for {age_s:.0f} s")


async def _unseen(settings: Settings) -> Finding:
    name = "event log: database"
    if await asyncio.to_thread(LogStore(Objects(settings), settings.region).epochs):
        return fail(
            name,
            "the archive has a log, and this database has never seen it",
            "docs/runbooks/restore-a-region.md: `content-service restore`.",
        )
    return warn(name, "nothing was ever archived", "Start the pool content-outbox-relay.")


async def _acknowledged(settings: Settings, connection: psycopg.AsyncConnection[DictRow]) -> Finding:
    """What was acknowledged last, and lies in slips until its segment is there, is known here."""
    name, store = "event log: slips", LogStore(Objects(settings), settings.region)
    known = await state.read(connection, settings.region)
    assert known is not None
    looked = await settled.look(connection, store, known.position)
    if looked.lost:  # archived meanwhile, it waits no more and is in a segment behind this position: look once more
        known = await state.read(connection, settings.region) or known
        looked = await settled.look(connection, store, known.position)
    if not looked.lost:
        return ok(name, f"all {len(looked.listed)} are known here")
    first = looked.lost[0]
    return fail(name, f"{len(looked.lost)} hold what this database does not have, {first.key} first", BEHIND)


async def _archive(settings: Settings, known: LogState) -> Finding:
    """The archive ends where this database says, or one segment behind, if an archiver was killed just then."""
    name = "event log: database"
    if known.behind_since is not None:
        return fail(name, f"set back: {known.behind}", BEHIND)
    store, at = LogStore(Objects(settings), settings.region), known.position
    ends = await asyncio.to_thread(store.epochs)
    if ends and max(ends) > at.epoch:
        return fail(name, f"the archive is in epoch {max(ends)}, this database in {at.epoch}", BEHIND)
    last = ends.get(at.epoch, 0)
    if last > at.sequence + 1:
        return fail(name, f"it ends with segment {at.epoch}/{at.sequence}, the archive with {at.epoch}/{last}", BEHIND)
    if last < at.sequence:
        key = places.events(settings.region, at.epoch, at.sequence)
        return fail(
            name, f"the archive lacks {key}", "Bring back its version in the bucket, or copy it from the replica."
        )
    found = await asyncio.to_thread(store.get, at.epoch, at.sequence) if at.sequence else None
    if found is not None and found.digest != at.digest:
        return fail(name, f"segment {at.epoch}/{at.sequence} is not the one that was written", BEHIND)
    return ok(name, f"segment {at.epoch}/{at.sequence}")


async def _told(settings: Settings) -> Finding:
    """What was published last has its row."""
    name = "event log: NATS"
    try:
        async with (
            StreamTail.connect(settings) as tail,
            await psycopg.AsyncConnection[DictRow].connect(
                settings.postgres_relay.get_secret_value(), connect_timeout=5, autocommit=True, row_factory=dict_row
            ) as connection,
        ):
            row = await fetch_one(connection, "select now() as at")
            assert row is not None
            async for said in tail.back(OURS, row["at"] - LOOKED_BACK):
                seen = await fetch_one(connection, "select 1 as x from outbox where id::text = %s", [said.id])
                if seen is None:
                    return fail(name, f"{said.subject} {said.id} was published, and no row knows it", BEHIND)
                return ok(name, "what was published last has its row")
    except ContentError as error:
        return warn(name, error.message, error.remedy)
    return ok(name, "nothing was published within an hour")
