"""Legal holds: while one covers a package, or its whole tenant, nothing of it is deleted, whoever asks.

Whoever deletes asks `held` in its own transaction, behind `lock`: a hold that is being placed is waited for, so nothing goes that
was committed before it. What has to leave its place all the same (a withdrawn version's exports must be out of the edge's
reach) goes to `held/` by `remove`, where garbage collection takes it once no hold is left. The object store's own locks are set and taken away by a
job (`tasks/keeping/holds_job.py`). Rows of holds stay after their release; both are in the audit log.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cluster import places, queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.queue import Work
from content.errors import ContentError
from tasks import jobs

KIND = queue.HOLD
INSERT = b"""
    insert into holds (tenant, hold_id, package_id, reason, by_operator, job_id)
    values (%(tenant)s, %(hold_id)s, %(package_id)s, %(reason)s, %(by_operator)s, %(job_id)s)
"""
RELEASE = b"""
    update holds set released_at = now(), release_reason = %s, job_id = %s where hold_id = %s and released_at is null
"""

JOBLESS = """
    select hold_id, package_id, job_id, released_at is null as placed from holds h
    where not exists (select 1 from jobs j where j.job_id = h.job_id) order by hold_id
"""


@dataclass(frozen=True)
class Placed:
    """A new hold, and the job that has the object store lock what is there."""

    hold_id: str
    job_id: str


async def lock(tx: Transaction, tenant: str, *, placing: bool = False) -> None:
    """Until the end of this transaction no hold is placed; with `placing`, nothing is deleted either."""
    how = "pg_advisory_xact_lock" if placing else "pg_advisory_xact_lock_shared"
    await tx.execute(f"select {how}(hashtextextended('holds/' || %s, 0))".encode(), [tenant])


async def held(tx: Transaction, tenant: str, package_id: str | None = None) -> bool:
    """Whether a package may not be deleted now; without one, whether the tenant has any hold at all. Whoever goes on to delete
    keeps holds out until its commit: this takes the lock."""
    await lock(tx, tenant)
    row = await fetch_one(tx, "select held(%s, %s) as held", [tenant, package_id])
    return bool(row and row["held"])


async def held_whole(tx: Transaction, tenant: str) -> bool:
    """Whether the tenant as a whole is held: what asks those whose blobs belong to no package (previews, quarantine)."""
    await lock(tx, tenant)
    row = await fetch_one(tx, "select 1 as x from holds where package_id is null and released_at is null limit 1")
    return row is not None


async def require_free(tx: Transaction, tenant: str, package_id: str | None = None, *, whole: bool = False) -> None:
    """Raises ContentError `held`; with `whole` only for a hold on the tenant as such."""
    found = await held_whole(tx, tenant) if whole else await held(tx, tenant, package_id)
    if found:
        what = "The tenant" if package_id is None else f"The package {package_id}"
        raise ContentError("held", f"{what} is under legal hold.", "Nothing of it is deleted until it is released.")


async def place(tx: Transaction, tenant: str, package_id: str | None, reason: str, *, by_operator: bool) -> Placed:
    """Place a hold on a package, or on the whole tenant. Raises ContentError `not-found` for an unknown package."""
    await lock(tx, tenant, placing=True)
    if package_id is not None:
        known = await fetch_one(tx, "select 1 as x from packages where package_id = %s", [package_id])
        if known is None:
            raise ContentError("not-found", "There is no such package.", "Check the id.")
    hold_id = f"hld_{secrets.token_hex(12)}"
    job = jobs.job_id(tenant, KIND, hold_id, "place")
    await tx.execute(
        INSERT,
        {
            "tenant": tenant, "hold_id": hold_id, "package_id": package_id, "reason": reason,
            "by_operator": by_operator, "job_id": job,
        },
    )  # fmt: skip
    await _queue(tx, tenant, job, hold_id, package_id, on=True)
    return Placed(hold_id, job)


async def release(tx: Transaction, tenant: str, hold_id: str, reason: str, *, by_operator: bool) -> bool:
    """Release a hold; what others cover stays held. False if it is released already.

    Raises ContentError `not-found`, or `hold-of-operator` where somebody else than an operator releases what one placed.
    """
    await lock(tx, tenant, placing=True)
    row = await fetch_one(
        tx, "select package_id, by_operator, released_at from holds where hold_id = %s for update", [hold_id]
    )
    if row is None:
        raise ContentError("not-found", "There is no such hold.", "Check the id, and that the token is of its tenant.")
    if row["released_at"] is not None:
        return False
    if row["by_operator"] and not by_operator:
        raise ContentError("hold-of-operator", "An operator placed this hold.", "Have an operator release it.")
    job = jobs.job_id(tenant, KIND, hold_id, "release")
    await tx.execute(RELEASE, [reason, job, hold_id])
    await _queue(tx, tenant, job, hold_id, row["package_id"], on=False)
    return True


async def resume(tx: Transaction, tenant: str) -> int:
    """Queue the jobs of holds that a restore has found in a slip, which has no jobs; returns how many."""
    rows = await fetch_all(tx, JOBLESS)
    for row in rows:
        await _queue(tx, tenant, row["job_id"], row["hold_id"], row["package_id"], on=row["placed"])
    return len(rows)


async def remove(connections: Connections, tenant: str, package_id: str | None, keys: Sequence[str]) -> None:
    """Remove blobs from their place, after the commit of whatever made them needless. What is held is kept below `held/`; what
    belongs to no package, only where the whole tenant is."""
    if not keys:
        return
    async with connections.db.tenant(tenant) as tx:
        keep = await (held_whole(tx, tenant) if package_id is None else held(tx, tenant, package_id))
        # Within the transaction: a hold that is placed now waits until they are gone, and covers what is left.
        if keep:
            await asyncio.to_thread(_keep, connections, keys)
        await asyncio.to_thread(connections.objects.delete, list(keys))


def _keep(connections: Connections, keys: Sequence[str]) -> None:
    objects = connections.objects
    for key in keys:
        found = objects.head(key)
        if found is not None:
            objects.copy(key, places.held(key), found.get("ContentType", "application/octet-stream"))


async def _queue(tx: Transaction, tenant: str, job: str, hold_id: str, package_id: str | None, *, on: bool) -> None:
    subject: dict[str, Any] = {"hold_id": hold_id, "on": on}
    if package_id is not None:
        subject["package_id"] = package_id
    await jobs.create(tx, tenant, job, KIND, subject)
    await queue.enqueue(tx, KIND, [Work(tenant, job)])
