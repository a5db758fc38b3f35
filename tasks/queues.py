"""The work queues as operators see them: how much waits and runs, since when, what failed, and whether they are paused.

Counted from the rows that say what is to be done, not from queue entries, which only call workers to them. Paused means
that workers take nothing new; what runs goes on, and what comes waits. It lasts until somebody resumes the queue.
"""

from __future__ import annotations

from typing import Any

from cluster import queue
from cluster.database import Transaction, fetch_all, fetch_one

JOBS = """
    select count(*) filter (where state = 'queued') as waiting,
           count(*) filter (where state in ('running', 'cancelling')) as running,
           count(*) filter (where state = 'failed') as failed,
           min(created_at) filter (where state = 'queued') as oldest
    from jobs where kind = '{}'
"""
COUNTS = {
    queue.BUILD: JOBS.format(queue.BUILD),
    queue.BUNDLE: """
        select count(*) filter (where state = 'planned') as waiting, count(*) filter (where state = 'claimed') as running,
               count(*) filter (where state = 'failed') as failed,
               min(created_at) filter (where state = 'planned') as oldest
        from bundles
    """,
    # A delivery that is being sent is pending too, until the answer is there.
    queue.WEBHOOK: """
        select count(*) filter (where state = 'pending') as waiting, 0 as running,
               count(*) filter (where state = 'failed') as failed,
               min(created_at) filter (where state = 'pending' and next_attempt_at < 'infinity') as oldest
        from webhook_deliveries
    """,
    queue.ROTATION: JOBS.format(queue.ROTATION),
    queue.REBUNDLE: JOBS.format(queue.REBUNDLE),
    queue.EXPORT: JOBS.format(queue.EXPORT),
    queue.PREVIEW: JOBS.format(queue.PREVIEW),
    queue.IMPORT: JOBS.format(queue.IMPORT),
    queue.THAW: JOBS.format(queue.THAW),
    queue.HOLD: JOBS.format(queue.HOLD),
    queue.ERASURE: JOBS.format(queue.ERASURE),
    queue.DELETION: JOBS.format(queue.DELETION),
    queue.RETENTION: JOBS.format(queue.RETENTION),
    queue.LICENCE: "select count(*) as waiting, 0 as running, 0 as failed, min(requested_at) as oldest from renewals",
}
HELD = "select count(*) as n from pgqueuer where entrypoint = %s and status = 'failed'"


async def read(connection: Transaction) -> list[dict[str, Any]]:
    """Every queue, over all tenants (role ops)."""
    return [
        {
            **row,
            **(await fetch_one(connection, COUNTS[row["name"]]) or {}),
            "held": await _held(connection, row["name"]),
        }
        for row in await fetch_all(connection, "select name, paused_at, paused_by from queues order by name")
    ]


async def pause(connection: Transaction, name: str, by: str) -> bool:
    """False if there is no such queue; pausing a paused one keeps who did it first."""
    row = await fetch_one(
        connection,
        """update queues set paused_at = coalesce(paused_at, now()), paused_by = coalesce(paused_by, %s)
           where name = %s returning name""",
        [by, name],
    )
    return row is not None


async def resume(connection: Transaction, name: str) -> bool:
    """False if there is no such queue."""
    row = await fetch_one(
        connection, "update queues set paused_at = null, paused_by = null where name = %s returning name", [name]
    )
    return row is not None


async def _held(connection: Transaction, name: str) -> int:
    row = await fetch_one(connection, HELD, [name])
    return int(row["n"]) if row else 0
