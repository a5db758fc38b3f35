"""Reading the log back: every segment's changes into `restore_rows`, where the last change of each row wins.

Segments are read side by side and in any order, since (epoch, n) decides. What was read is noted in the same transaction, and
both tables are lost together in a crash of the server: so a restore that goes on reads what is missing, never less.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from cluster.eventlog import settled
from cluster.eventlog.settled import Slip
from cluster.eventlog.store import LogStore
from content.eventlog import Position, Segment

READERS = 4
NO_TABLE = ("received",)
"""What the log tells beside rows: events as the neighbours sent them."""
INCOMING = b"create temporary table if not exists incoming (line jsonb) on commit delete rows"
MERGE = b"""
    insert into restore_rows (tenant, name, key, epoch, n, value)
    select distinct on (line -> 'name', line -> 'key') %(tenant)s, line ->> 'name', line -> 'key', %(epoch)s,
           (line ->> 'n')::bigint, nullif(line -> 'value', 'null')
    from incoming order by line -> 'name', line -> 'key', (line ->> 'n')::bigint desc
    on conflict (tenant, name, key) do update set epoch = excluded.epoch, n = excluded.n, value = excluded.value
        where (restore_rows.epoch, restore_rows.n) < (excluded.epoch, excluded.n)
"""
READ = "select epoch, sequence from restore_segments"
NOTE = b"insert into restore_segments (epoch, sequence, changes) values (%s, %s, %s) on conflict do nothing"
log = structlog.get_logger()


@dataclass
class ReadLog:
    """What the log came to. `end`: its last segment behind which all rows fit each other; `cut`: segments behind that, of a
    transaction or a burst whose end was lost."""

    segments: int = 0
    changes: int = 0
    slips: int = 0
    cut: int = 0
    end: Position | None = None
    last: Position | None = None
    closed_at: datetime | None = None
    tenants: set[str] = field(default_factory=set[str])


async def read(connections: Connections, store: LogStore, path: Sequence[tuple[int, int]]) -> ReadLog:
    """Read the segments that `path` names. Raises LogRefused where the chain is broken."""
    async with connections.db.connection() as connection:
        done = {(row["epoch"], row["sequence"]) for row in await fetch_all(connection, READ)}
    found = ReadLog()
    waiting: list[tuple[Position, Segment]] = []
    room = asyncio.Semaphore(READERS)
    tasks: set[asyncio.Task[None]] = set()
    try:
        for epoch, last in path:
            segments = store.read(epoch, last)
            while (entry := await asyncio.to_thread(next, segments, None)) is not None:
                at, segment = entry
                found.last = at
                waiting.append(entry)
                # A base is left at a place that its own database had come to: what is before it counts, final or not.
                if not segment.final and not (epoch != path[-1][0] and at.sequence == last):
                    continue
                for place, each in waiting:
                    found.segments, found.changes = found.segments + 1, found.changes + each.changes
                    await room.acquire()
                    task = asyncio.create_task(load(connections, place, each, found.tenants, done))
                    task.add_done_callback(lambda _: room.release())
                    tasks.add(task)
                waiting.clear()
                found.end, found.closed_at = at, segment.closed_at
                for over in [task for task in tasks if task.done()]:
                    tasks.discard(over)
                    over.result()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    found.cut = len(waiting)
    return found


async def read_slips(connections: Connections, store: LogStore, found: ReadLog) -> None:
    """What had to be kept before its segment was there: it may be newer than all of them. What is no slip is left out."""
    slips = await asyncio.to_thread(lambda: list(settled.read_slips(store, list(store.slips()))))
    for slip in slips:
        found.slips += 1
        found.tenants.add(slip.tenant)
        await load_slip(connections, slip)


async def load_slip(connections: Connections, slip: Slip) -> None:
    if slip.changes:
        async with connections.db.tenant(slip.tenant) as tx:
            await _merge(tx, slip.tenant, slip.epoch, [change.line for change in slip.changes])


async def load(
    connections: Connections, at: Position, segment: Segment, tenants: set[str], done: set[tuple[int, int]]
) -> None:
    """Changes into `restore_rows`; segments of `done` only tell which tenants there are. A sequence of 0 is not noted."""
    by_tenant: dict[str, list[bytes]] = defaultdict(list)
    for line in segment.lines():
        found = json.loads(line)
        if found["name"] not in NO_TABLE:
            by_tenant[found["tenant"]].append(line)
    tenants.update(by_tenant)
    if (at.epoch, at.sequence) in done:
        return
    for tenant, lines in by_tenant.items():
        async with connections.db.tenant(tenant) as tx:
            await _merge(tx, tenant, at.epoch, lines)
    if at.sequence:
        async with connections.db.connection() as connection:
            await connection.execute(NOTE, [at.epoch, at.sequence, segment.changes])


async def _merge(tx: Transaction, tenant: str, epoch: int, lines: Sequence[bytes]) -> None:
    await tx.execute(INCOMING)
    async with tx.cursor() as cursor, cursor.copy(b"copy incoming (line) from stdin") as copy:
        for line in lines:
            await copy.write_row((line.decode(),))
    await tx.execute(MERGE, {"tenant": tenant, "epoch": epoch})
