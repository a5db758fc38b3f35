"""The object store's own lock on what is held: set on every blob that a hold covers, taken away when none covers it any more.

Our rows decide what may be deleted; the lock (S3 Object Lock, legal hold) stops whoever would go around them. It is set blob by
blob, so a job that was killed begins again and finds most of it done. What is stored later is locked by the nightly round. In a
store without Object Lock the rows alone hold.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cluster import failpoints, places
from cluster.cold_store import ColdStore
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from cluster.objects import COLD
from tasks import erasure, jobs, tenant_deletion
from tasks.progress import Progress, Stages, job_cancelled

STAGES: Stages = {"list": (0.0, 0.1), "lock": (0.1, 1.0)}
KINDS = ("assets", "packages", "withdrawn", "bundles", "exports", "previews", "imports")
"""What a hold on a whole tenant covers, each below the tenant."""
AT_ONCE, STEP = 16, 500
FRESH_S = 2 * 24 * 3600.0
ACTIVE = "select distinct package_id from holds where released_at is null order by 1 nulls first"
OF_PACKAGE = """
    select 'assets/' || %(tenant)s || '/' || substr(digest, 8) as key from version_assets where package_id = %(package)s
    union select 'bundles/' || %(tenant)s || '/' || index_path from seals where package_id = %(package)s and index_path is not null
    union select 'bundles/' || %(tenant)s || '/' || p.path from seal_parts p join seals s on s.seal_id = p.seal_id
          where s.package_id = %(package)s
    order by 1
"""
"""Blobs of a package whose keys do not say so. A digest is written `sha256:…`, and a key has what follows."""


async def run(connections: Connections, begun: dict[str, Any]) -> None:
    """Set or take away the locks of one hold; after a release, go on with what the hold had stopped."""
    tenant, subject = begun["tenant"], begun["subject"]
    progress = Progress(connections, tenant, begun["job_id"], STAGES)
    async with progress:
        keys = await covered(connections, tenant, subject.get("package_id"))
        if not subject["on"]:
            kept = await still_held(connections, tenant)
            keys = [] if kept is None else sorted(set(keys) - kept)
        locked = 0
        for start in range(0, len(keys), STEP):
            locked += await asyncio.to_thread(_lock, connections, keys[start : start + STEP], subject["on"])
            await asyncio.to_thread(failpoints.hit, "hold.mid_lock", connections.settings)
            progress.tell("lock", (start + STEP) / len(keys), f"{min(start + STEP, len(keys))} of {len(keys)} blobs")
    async with connections.db.tenant(tenant) as tx:
        if await jobs.cancel_requested(tx, begun["job_id"], hold=True):
            raise job_cancelled()
        if not subject["on"]:
            await erasure.resume(tx, tenant)
            await tenant_deletion.resume(tx, tenant)
        await jobs.succeed(tx, begun["job_id"], {"hold_id": subject["hold_id"], "blobs": len(keys), "locked": locked})


async def give_up(tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
    """The rows hold all the same."""
    await jobs.fail(tx, begun["job_id"], begun["attempt"], problem)


async def lock_new(connections: Connections, tenant: str) -> int:
    """Lock what a held tenant or package has stored lately; every night."""
    async with connections.db.tenant(tenant) as tx:
        active = await fetch_all(tx, ACTIVE)
    border, locked = time.time() - FRESH_S, 0
    for row in active:
        keys = await covered(connections, tenant, row["package_id"], since=border)
        for start in range(0, len(keys), STEP):
            locked += await asyncio.to_thread(_lock, connections, keys[start : start + STEP], True)
    return locked


async def still_held(connections: Connections, tenant: str) -> set[str] | None:
    """Every key that a hold covers now; None where that is all of the tenant."""
    async with connections.db.tenant(tenant) as tx:
        active = await fetch_all(tx, ACTIVE)
    if any(row["package_id"] is None for row in active):
        return None
    keys = set[str]()
    for row in active:
        keys.update(await covered(connections, tenant, row["package_id"]))
    return keys


async def covered(
    connections: Connections, tenant: str, package_id: str | None, *, since: float | None = None
) -> list[str]:
    """The keys that a hold on a package, or the tenant, covers: hot ones, cold ones, and what is kept in `held/`."""
    if package_id is None:
        prefixes, named = [f"{kind}/{tenant}/" for kind in KINDS], list[str]()
    else:
        prefixes = [f"{kind}/{tenant}/{package_id}/" for kind in ("packages", "withdrawn", "exports")]
        async with connections.db.tenant(tenant) as tx:
            rows = await fetch_all(tx, OF_PACKAGE, {"tenant": tenant, "package": package_id})
        named = [row["key"] for row in rows]
    everywhere = [front + prefix for front in ("", COLD, places.HELD) for prefix in prefixes]
    found = await asyncio.to_thread(_below, connections, everywhere, since)
    if not ColdStore(connections.objects, connections.settings).moves:
        return sorted({*found, *named})
    return sorted({*found, *named, *(COLD + key for key in named)})


def _below(connections: Connections, prefixes: Iterable[str], since: float | None) -> list[str]:
    return [
        key
        for prefix in prefixes
        for key, changed in connections.objects.keys(prefix)
        if since is None or changed >= since
    ]


def _lock(connections: Connections, keys: Sequence[str], on: bool) -> int:
    """How many were there and are locked (or free) now."""
    if not connections.objects.lockable:
        return 0
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return sum(threads.map(lambda key: connections.objects.lock(key, on=on), keys))
