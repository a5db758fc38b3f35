"""The long half of a rotation: every licence and manifest that the revoked key had signed is signed again, in batches.

The lists are out already (`tasks/rotation.py`): from then on the old key is worth nothing, and this is about devices that
ought to have their new licence before the grace time of the old one ends. Progress is told per batch; a killed worker's
successor looks for what is left. Also here: the queue entry that drains renewed licences.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog

from cluster import database, failpoints, queue
from cluster.connections import Connections
from cluster.database import Transaction
from cluster.queue import Work
from content.errors import ContentError
from tasks import audit, jobs, key_ends, resigning, steering

KIND = "rotation"
log = structlog.get_logger()


def job_id(tenant: str, kid: str) -> str:
    """The job of one revoked key."""
    return jobs.job_id(tenant, KIND, kid)


async def plan(tx: Transaction, tenant: str, subject: dict[str, Any]) -> str:
    """Queue the job for a revoked key, named in `subject` as `kid`; part of the transaction that revokes it."""
    job = job_id(tenant, subject["kid"])
    if await jobs.create(tx, tenant, job, KIND, subject):
        await queue.enqueue(tx, queue.ROTATION, [Work(tenant, job)])
    return job


async def run(connections: Connections, work: Work) -> None:
    """Work on the job until nothing is left to sign. Raises RetryRequested when a part is away."""
    tenant, job = work.tenant, work.subject
    async with connections.db.tenant(tenant) as tx:
        begun = await jobs.begin(tx, job)
        if begun is None:
            await steering.end_cancelled(tx, job)
            return
    try:
        await _sign(connections, tenant, begun)
    except ContentError as error:
        await steering.after_failure(connections, begun, error)


async def _sign(connections: Connections, tenant: str, job: dict[str, Any]) -> None:
    kid, began = job["subject"]["kid"], time.monotonic()
    await _close(connections, tenant, kid, must=False)
    done = {"licences": 0, "manifests": 0, "signatures": 0}
    async with connections.db.tenant(tenant) as tx:
        total = await resigning.count(tx, kid, await database.now(tx))
    after: str | None = ""
    while after is not None:
        signed, after = await resigning.of_key(connections, tenant, kid, after)
        await asyncio.to_thread(failpoints.hit, "rotation.after_batch", connections.settings)
        done["licences"] += signed
        done["signatures"] += bool(signed)
        if await _told(connections, tenant, job["job_id"], done["licences"], total):
            return
    while signed := await resigning.manifests(connections, tenant, [kid]):
        done["manifests"] += signed
        done["signatures"] += 1
    async with connections.db.tenant(tenant) as tx:
        now = await database.now(tx)
        # A bundle that was being committed when the key was revoked has been refused, so none is left but for these.
        left = await resigning.count(tx, kid, now)
        if left:
            raise ContentError("licences-left", f"{left} licences came in meanwhile.", "They are signed next.", True)
    result = {**job["subject"], **done, "seconds": round(time.monotonic() - began, 1)}
    if job["subject"]["kind"] == "drill":
        await _close(connections, tenant, kid, must=True)
        from tasks import drill  # it plans jobs of this kind, so it imports this module

        await drill.judge(connections, tenant, kid, done)
    async with connections.db.tenant(tenant) as tx:
        now = await database.now(tx)
        await jobs.succeed(tx, job["job_id"], result)
        await audit.append(tx, tenant, "service", "keys.signed-again", result, now)
    log.info("signed again", tenant=tenant, **done)


async def _close(connections: Connections, tenant: str, kid: str, *, must: bool) -> None:
    """Disable the revoked key, before anything else: whoever can use it has a minute less. Signing again does not wait for
    it (upkeep comes back to it), but a drill has not passed without it."""
    try:
        async with connections.db.tenant(tenant) as tx:
            now = await database.now(tx)
        await key_ends.disable(connections, tenant, kid, now)
    except ContentError as error:
        if must:
            raise
        log.warning("revoked key not disabled yet", tenant=tenant, kid=kid, code=error.code)


async def _told(connections: Connections, tenant: str, job: str, done: int, total: int) -> bool:
    """Tell how far it is; True if the job is to end, and has ended."""
    async with connections.db.tenant(tenant) as tx:
        share = min(0.99, done / total) if total else 0.99
        await jobs.progress(tx, job, share, f"{done} of {total} licences", [{"name": "licences", "progress": share}])
        if await jobs.cancel_requested(tx, job):
            await steering.end_cancelled(tx, job)
            return True
    return False


async def ask_for_renewals(tx: Transaction, tenant: str) -> None:
    """Call a worker to the renewals that wait; one entry serves all that come before it begins."""
    await queue.enqueue(tx, queue.LICENCE, [Work(tenant, queue.RENEWALS)])


async def renew(connections: Connections, work: Work, entry: int) -> None:
    """Drain what waits. The entry's key is given up first, so that what comes later calls anew."""
    async with connections.db.tenant(work.tenant) as tx:
        await queue.release(tx, entry)
    while await resigning.renewals(connections, work.tenant):
        pass
