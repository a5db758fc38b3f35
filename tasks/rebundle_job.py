"""The long half of a rebundle: one batch after the other, each an entry of its own at the back of the lane bulk.

Between batches (`tasks/rebundle_batch.py`) the job is `queued`, so a pause of the queue, and a cancel, hold from the next batch
on. What is left is told by the rows (`tasks/rebundle.py`): the successor of a killed worker, and a retry, go on where it stopped.
"""

from __future__ import annotations

import asyncio
from typing import Any

from psycopg.types.json import Jsonb

from cluster import failpoints, queue
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.queue import Work
from content.errors import ContentError
from tasks import jobs, rebundle_batch, steering
from tasks.rebundle import KIND, MATCHING, Selection
from tasks.rebundle_batch import COUNTED, parameters_of

COUNT = f"select count(*) as n {MATCHING}"
TURN = b"""
    update jobs set state = 'queued', starts = 0, attempt = attempt - 1, updated_at = now(), position = %(position)s,
                    message = %(message)s, progress = least(1, greatest(progress, %(share)s))
    where job_id = %(job)s and state = 'running'
"""
NOTHING = {"total": 0, "bundles": 0, "payloads": 0, "bytes": 0, "signature_calls": 0}


async def run(connections: Connections, work: Work, entry: int) -> None:
    """Serve the next batch of the job and call again, or end it. Raises RetryRequested when a part is away."""
    tenant, job = work.tenant, work.subject
    async with connections.db.tenant(tenant) as tx:
        begun = await jobs.begin(tx, job)
        if begun is None:
            await steering.end_cancelled(tx, job)
            return
        if begun["starts"] > jobs.LONE_DEATHS + 1:
            await jobs.fail(tx, job, begun["attempt"], jobs.WORKER_DIED)
            return
        kept = await fetch_one(tx, "select position, result from jobs where job_id = %s", [job]) or {}
    try:
        await _turn(connections, tenant, begun, kept, entry)
    except asyncio.CancelledError:  # the worker leaves
        async with connections.db.tenant(tenant) as tx:
            await jobs.put_back(tx, job, begun["attempt"], "the worker left", tried=False)
        raise
    except ContentError as error:
        await steering.after_failure(connections, begun, error)


async def _turn(connections: Connections, tenant: str, job: dict[str, Any], kept: dict[str, Any], entry: int) -> None:
    """One batch, what it adds to the counts, and the call for the next one."""
    counts: dict[str, int] = kept.get("result") or {}
    selection = Selection.of_subject(job["subject"]["selection"])
    if not counts:
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(tx, COUNT, parameters_of(selection))
            counts = {**NOTHING, "total": row["n"] if row else 0}
            await tx.execute(COUNTED, [Jsonb(counts), job["job_id"]])
    after = kept.get("position")
    served = await rebundle_batch.serve(connections, tenant, job, selection, after, counts)
    await asyncio.to_thread(failpoints.hit, "rebundle.after_commit", connections.settings)
    counts = served.counts
    async with connections.db.tenant(tenant) as tx:
        if await steering.end_cancelled(tx, job["job_id"]):
            return
        if served.position is None and after is None:  # looked at from the beginning, and none is left
            await jobs.succeed(tx, job["job_id"], counts)
            return
        await tx.execute(
            TURN,
            {
                "job": job["job_id"],
                "position": Jsonb(served.position) if served.position else None,
                "message": f"{counts['bundles']} of {counts['total']} bundles",
                "share": counts["bundles"] / max(1, counts["total"]),
            },
        )
        await queue.release(tx, entry)
        await queue.enqueue(tx, KIND, [Work(tenant, job["job_id"])])
