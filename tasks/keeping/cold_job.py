"""Bringing back what is cold: ask the store for each blob, look from time to time whether it is there, take it back for good.

The job waits in the queue, not in a worker, and is not tried more often for it. Each blob's row goes when it is hot, so a job that
was killed goes on with the rest; a blob that is gone is left to garbage collection to report.
"""

from __future__ import annotations

import asyncio
from typing import Any

from cluster import failpoints
from cluster.cold_store import PATIENT, ColdStore
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from content.errors import NotYet
from tasks import jobs
from tasks.keeping import uses
from tasks.progress import job_cancelled

LEFT = """
    select c.key, c.state from cold_objects c where c.key = any(%s) order by c.key
"""


async def run(connections: Connections, begun: dict[str, Any]) -> None:
    """One look. Raises NotYet while the store is still at it."""
    tenant, job, subject = begun["tenant"], begun["job_id"], begun["subject"]
    store, settings = ColdStore(connections.objects, connections.settings), connections.settings
    async with connections.db.tenant(tenant) as tx:
        left = [row["key"] for row in await fetch_all(tx, LEFT, [subject["keys"]])]
        # Used just now: the nightly round must not take it back before somebody came for it.
        await uses.write(tx, tenant, [(subject["unit"], subject["of"])])
        row = await fetch_one(
            tx,
            "select position, extract(epoch from now() - created_at)::float8 as age_s from jobs where job_id = %s",
            [job],
        )
    assert row is not None
    if row["position"] is None:
        for key in left:
            await asyncio.to_thread(store.ask, key, subject["tier"])
        async with connections.db.tenant(tenant) as tx:
            await tx.execute(b"""update jobs set position = '{"asked": true}' where job_id = %s""", [job])
    await asyncio.to_thread(failpoints.hit, "thaw.after_ask", settings)
    delayed = settings.cold_storage == "prefix" and row["age_s"] < settings.cold_delay_s
    waiting = 0
    for number, key in enumerate(left, 1):
        if delayed or not await asyncio.to_thread(store.ready, key):
            waiting += 1
            continue
        async with connections.db.tenant(tenant) as tx:
            await tx.execute(PATIENT)
            await tx.execute(b"select 1 from cold_objects where key = %s for update", [key])
            await asyncio.to_thread(store.warm, key)
            await asyncio.to_thread(failpoints.hit, "thaw.after_warm", settings)
            await tx.execute(b"delete from cold_objects where key = %s", [key])
            done = len(subject["keys"]) - len(left) + number - waiting
            told = f"{done} of {len(subject['keys'])} blobs are back"
            await jobs.progress(tx, job, done / len(subject["keys"]), told, [])
    async with connections.db.tenant(tenant) as tx:
        if await jobs.cancel_requested(tx, job, hold=True):
            raise job_cancelled()
        if waiting:
            raise NotYet("cold-waits", f"{waiting} blobs are being restored.", "", True, settings.cold_poll_s)
        await jobs.succeed(tx, job, {"unit": subject["unit"], "of": subject["of"], "blobs": len(subject["keys"])})


async def give_up(tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
    """Whoever asks again gets another job."""
    await jobs.fail(tx, begun["job_id"], begun["attempt"], problem)
