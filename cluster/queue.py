"""Work on PgQueuer: enqueued in the caller's own transaction, so a job and its business rows commit together.

A queue entry names a tenant and a job; the rows of `jobs` and `bundles` say the rest. `dedupe_key` makes asking twice
one entry. Lanes are priorities: interactive before bulk.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, cast

from pgqueuer.models import Job
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pgqueuer.queries import Queries
from pgqueuer.types import JobId, QueueEntrypoint, QueueManagerId

from cluster import telemetry
from cluster.database import Transaction, fetch_all, fetch_one

PRIORITY = {"interactive": 10, "bulk": 0}
BUILD, BUNDLE, WEBHOOK, ROTATION = "build", "bundle", "webhook", "rotation"
LICENCE, REBUNDLE, EXPORT, PREVIEW, IMPORT = "licence", "rebundle", "export", "preview", "import"
THAW, HOLD, ERASURE, DELETION, RETENTION = "thaw", "hold", "erasure", "deletion", "retention"
"""The names of the queues; webhooks wait as rows (`tasks/webhooks.py`), and are paused by this name all the same."""
LANES = {REBUNDLE: "bulk", RETENTION: "bulk"}
"""Queues of which nobody waits for a single entry; all others are `interactive`, but for groups of bundles, which say."""
RENEWALS = "renewals"
"""The one subject of the queue `licence`: whatever waits of a tenant."""
PAUSED = "select 1 as x from queues where name = {} and paused_at is not null"
PAUSE_S = 1.0


@dataclass(frozen=True)
class Work:
    """What a queue entry carries. `subject` is a job id (build, preview, export,
    import) or the group of a drain job (bundle); `traceparent` the
    trace of who called first."""

    tenant: str
    subject: str
    traceparent: str | None = None

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def parse(cls, payload: bytes | None) -> Work:
        # A newer release may have put in more than this one knows.
        found = json.loads(payload or b"{}")
        return cls(found["tenant"], found["subject"], found.get("traceparent"))


async def enqueue(
    tx: Transaction, queue: str, work: Sequence[Work], *, lane: str | None = None, delay: timedelta | None = None
) -> None:
    """Put work into a queue as part of `tx`; what already waits under the same key is not put twice."""
    if not work:
        return
    count = len(work)
    own = telemetry.traceparent()
    payloads: list[bytes | None] = [replace(item, traceparent=item.traceparent or own).to_bytes() for item in work]
    delays: list[timedelta | None] = [delay] * count
    keys: list[str | None] = [_key(queue, item) for item in work]
    await Queries.from_psycopg_connection(cast("Any", tx)).enqueue(
        [queue] * count,
        payloads,
        [PRIORITY[lane or LANES.get(queue, "interactive")]] * count,
        delays,
        dedupe_key=keys,
        on_conflict="skip",
    )


async def depth(tx: Transaction, queue: str) -> int:
    """What waits and what runs in a queue (for bundles, count rows instead: `tasks.claims`)."""
    row = await fetch_one(
        tx, "select count(*) as n from pgqueuer where entrypoint = %s and status in ('queued', 'picked')", [queue]
    )
    return int(row["n"]) if row else 0


async def release(connection: Transaction, entry: int) -> None:
    """Give up the dedupe key of an entry that has begun, so that the same key can be called again from now on."""
    await connection.execute(b"update pgqueuer set dedupe_key = null where id = %s", [entry])


async def hurry(connection: Transaction, queue: str, patience_s: float) -> int:
    """Bulk work that waits for longer than `patience_s` counts as interactive from now on; returns how much."""
    cursor = await connection.execute(
        b"""update pgqueuer set priority = %s where entrypoint = %s and status = 'queued' and priority < %s
            and created < now() - make_interval(secs => %s)""",
        [PRIORITY["interactive"], queue, PRIORITY["interactive"], patience_s],
    )
    return cursor.rowcount


async def withdraw(tx: Transaction, queue: str, work: Work) -> None:
    """Take work out of a queue. An entry that a worker has just taken stays, without its key: so the same work can be
    put again at once, and the worker finds out from the rows that there is nothing to do."""
    waiting = await fetch_all(
        tx,
        "select id from pgqueuer where dedupe_key = %s and status = 'queued' for update skip locked",
        [_key(queue, work)],
    )
    if waiting:
        ids = [JobId(row["id"]) for row in waiting]
        await Queries.from_psycopg_connection(cast("Any", tx)).mark_job_as_cancelled(ids)
    await tx.execute(b"update pgqueuer set dedupe_key = null where dedupe_key = %s", [_key(queue, work)])


def _key(queue: str, work: Work) -> str:
    return f"{queue}/{work.tenant}/{work.subject}"


async def paused(connection: Transaction, queue: str) -> bool:
    """Whether an operator stopped this queue."""
    return await fetch_one(connection, PAUSED.format("%s"), [queue]) is not None


class PausableQueries(Queries):
    """PgQueuer's statements, but nothing is taken from a queue that is paused; what runs goes on and keeps its lease.

    Asked before each take and not remembered, so a pause holds as soon as it is committed: at most the entry that was
    being taken at that moment still begins. Nor is anything taken from a queue of which this worker has enough (`full`).
    """

    full: Callable[[str], bool] | None = None

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[QueueEntrypoint, EntrypointExecutionParameter],
        queue_manager_id: QueueManagerId,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[Job]:
        open_ones = {
            name: each for name, each in entrypoints.items() if not await self.driver.fetch(PAUSED.format("$1"), name)
        }
        taken: list[Job] = []
        # Asked last: what was taken the time before has begun by now, and counts.
        wanted = {name: each for name, each in open_ones.items() if self.full is None or not self.full(name)}
        if wanted:
            taken = await super().dequeue(
                batch_size, wanted, queue_manager_id, global_concurrency_limit, heartbeat_timeout
            )
        if not taken and len(open_ones) < len(entrypoints):
            await asyncio.sleep(PAUSE_S)  # the loop would ask again at once, since something may wait
        return taken


async def overdue(connection: Transaction, queue: str) -> bool:
    """Whether an entry that nobody holds has been due for some seconds, though the queue is not paused."""
    row = await fetch_one(
        connection,
        """select 1 as x from pgqueuer where entrypoint = %s and status = 'queued'
           and execute_after < now() - interval '5 seconds'
           and not exists (select 1 from queues where name = entrypoint and paused_at is not null) limit 1""",
        [queue],
    )
    return row is not None


async def oldest_s(connection: Transaction, queue: str) -> float:
    """How long the oldest entry that is due and that nobody holds has waited, in seconds."""
    row = await fetch_one(
        connection,
        """select extract(epoch from now() - min(execute_after))::float8 as age_s from pgqueuer
           where entrypoint = %s and status = 'queued' and execute_after <= now()""",
        [queue],
    )
    return float(row["age_s"] or 0) if row else 0.0
