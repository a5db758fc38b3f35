"""Deleting a tenant: closed at once, emptied by a job, gone when nothing is left that may go.

From the request's commit on the tenant serves nobody: its tokens are answered 410, events for it are left out, its jobs end. The
job (`tasks/keeping/tenant_deletion_job.py`) deletes rows and blobs. Under a hold it is refused; with `partial` what no hold covers goes now, and
the rest when the last hold is released. A hold that is placed later stops it until its release: of what lies there without a row by
then, nobody can say any more what it belonged to.

What stays: the name (nobody gets it again), the audit log with its archive, what was signed for everybody (trust and revocation lists
with their public keys), since devices still have to learn what was taken back; and segments of the event log (docs/event-log.md).
"""

from __future__ import annotations

import uuid
from typing import Any

from cluster import queue
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.queue import Work
from content.errors import ContentError
from tasks import jobs, steering
from tasks.keeping import holds

KIND = queue.DELETION
HELD = "select hold_id from holds where released_at is null order by hold_id"
FIRST = "select subject from jobs where kind = 'deletion' order by created_at, job_id limit 1"
ROW = """
    select t.closed_at, t.deleted_at, j.job_id, j.state, j.progress, j.message, j.result, j.problem from tenants t
    left join lateral (select * from jobs where kind = 'deletion' order by created_at desc limit 1) j on true
"""


async def ask(tx: Transaction, tenant: str, *, partial: bool) -> str:
    """Close the tenant and queue its deletion; asking again gives the same job. The tenant's row is locked.

    Raises ContentError `held` where a hold covers the tenant, or without `partial` any of its packages.
    """
    await holds.lock(tx, tenant)
    row = await fetch_one(tx, "select closed_at, deleted_at from tenants for update")
    if row is None:
        raise ContentError("not-found", "There is no such tenant.", "Check its name.")
    there = await state(tx)
    if there is not None and there["state"] in ("queued", "running", "succeeded") and row["closed_at"] is not None:
        return there["job_id"]
    whole = await fetch_one(tx, "select 1 as x from holds where package_id is null and released_at is null limit 1")
    if whole is not None or not partial:
        await holds.require_free(tx, tenant)
    await tx.execute(b"update tenants set closed_at = coalesce(closed_at, now()), updated_at = now()")
    for each in await fetch_all(
        tx, "select job_id from jobs where state in ('queued', 'running') and kind not in ('deletion', 'hold')"
    ):
        await steering.cancel(tx, tenant, each["job_id"])
    await tx.execute(
        b"""update bundles set state = 'cancelled', claimed_by = null, claimed_until = null
            where state in ('planned', 'claimed')"""
    )
    return await _queue(tx, tenant)


async def stopped(tx: Transaction, tenant: str) -> bool:
    """Whether a hold is on that was placed after the deletion was asked for. None is placed before this transaction ends."""
    await holds.lock(tx, tenant)
    known = await _known(tx)
    return any(row["hold_id"] not in known for row in await fetch_all(tx, HELD))


async def state(tx: Transaction) -> dict[str, Any] | None:
    """How far the newest deletion of the tenant is; None where nobody asked for one."""
    row = await fetch_one(tx, ROW)
    return None if row is None or row["job_id"] is None else row


async def resume(tx: Transaction, tenant: str) -> None:
    """A hold was released: go on with a deletion that it had stopped."""
    row = await state(tx)
    if row is not None and row["closed_at"] is not None and row["deleted_at"] is None and row["state"] == "succeeded":
        await _queue(tx, tenant)


async def _known(tx: Transaction) -> list[str]:
    """The holds that were on when the deletion was asked for: whatever was deleted since left what they cover."""
    first = await fetch_one(tx, FIRST)
    if first is None:
        return [row["hold_id"] for row in await fetch_all(tx, HELD)]
    return first["subject"].get("holds", [])


async def _queue(tx: Transaction, tenant: str) -> str:
    job = jobs.job_id(tenant, KIND, str(uuid.uuid4()))
    await jobs.create(tx, tenant, job, KIND, {"tenant": tenant, "holds": await _known(tx)})
    await queue.enqueue(tx, KIND, [Work(tenant, job)])
    return job
