"""The object store's own lock on what is held: set on every blob that a hold covers, taken away when none covers it any more.

Our rows decide what may be deleted; the lock (S3 Object Lock, legal hold) stops whoever would go around them. It is set blob by
blob, so a job that was killed begins again and finds most of it done; each batch asks whether the holds are what they were when its
keys were found. What is stored later is locked by the nightly round. In a store without Object Lock the rows alone hold.

A release frees every version that is there: also of what was put again meanwhile, or left its place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from cluster import failpoints, places
from cluster.cold_store import ColdStore
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from cluster.objects import COLD
from content.errors import NotYet
from tasks import jobs
from tasks.keeping import erasure, holds, tenant_deletion
from tasks.progress import Progress, Stages, job_cancelled

STAGES: Stages = {"list": (0.0, 0.1), "lock": (0.1, 1.0)}
KINDS = ("assets", "packages", "withdrawn", "bundles", "exports", "previews", "imports")
"""What a hold on a whole tenant covers, each below the tenant."""
AT_ONCE, STEP = 16, 200
"""A batch is over before a hold that waits for it loses its patience (`cluster.database`)."""
FRESH_S = 2 * 24 * 3600.0
ACTIVE = "select hold_id, package_id from holds where released_at is null order by hold_id"
OF_PACKAGE = f"""
    select {places.asset_sql("va")} as key from version_assets va where package_id = %(package)s
    union select {places.bundle_sql("s", "index_path")} from seals s where package_id = %(package)s and index_path is not null
    union select {places.bundle_sql("p")} from seal_parts p join seals s on s.seal_id = p.seal_id
          where s.package_id = %(package)s
    order by 1
"""
"""Blobs of a package whose keys do not say so."""


async def run(connections: Connections, begun: dict[str, Any]) -> None:
    """Set or take away the locks of one hold; after a release, go on with what the hold had stopped. Raises NotYet where holds
    came or went meanwhile: then it begins again."""
    tenant, subject = begun["tenant"], begun["subject"]
    progress = Progress(connections, tenant, begun["job_id"], STAGES)
    async with progress:
        active = await _active(connections, tenant)
        if subject["on"]:
            there = subject["hold_id"] in active  # else its release came first
            keys = await covered(connections, tenant, subject.get("package_id")) if there else []
        else:
            keys = await covered(connections, tenant, subject.get("package_id"), replaced=True)
            kept = await still_held(connections, tenant, active)
            keys = [] if kept is None else sorted(set(keys) - kept)
        locked = 0
        for start in range(0, len(keys), STEP):
            locked += await _batch(connections, tenant, active, keys[start : start + STEP], on=subject["on"])
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
    """Lock what a held tenant or package has stored lately; every night. Where holds come or go meanwhile the next night goes on:
    two of them look at each blob."""
    active = await _active(connections, tenant)
    border, locked = time.time() - FRESH_S, 0
    with suppress(NotYet):
        for package_id in _packages(active):
            keys = await covered(connections, tenant, package_id, since=border)
            for start in range(0, len(keys), STEP):
                locked += await _batch(connections, tenant, active, keys[start : start + STEP], on=True)
    return locked


async def _active(connections: Connections, tenant: str) -> dict[str, str | None]:
    """The holds that are on, each with its package."""
    async with connections.db.tenant(tenant) as tx:
        return {row["hold_id"]: row["package_id"] for row in await fetch_all(tx, ACTIVE)}


def _packages(active: Mapping[str, str | None]) -> list[str | None]:
    """What they are on, each once; None is the tenant itself, which covers all."""
    found = set(active.values())
    return [None] if None in found else sorted(found, key=str)


async def _batch(
    connections: Connections, tenant: str, active: Mapping[str, str | None], keys: Sequence[str], *, on: bool
) -> int:
    """Lock or free these, if the holds still are those for which they were found. None comes or goes meanwhile."""
    async with connections.db.tenant(tenant) as tx:
        await holds.lock(tx, tenant)
        if {row["hold_id"] for row in await fetch_all(tx, ACTIVE)} != active.keys():
            raise NotYet("hold-waits", "Holds were placed or released meanwhile.", "", True, 0.0)
        return await asyncio.to_thread(_lock, connections, keys, on)


async def still_held(
    connections: Connections, tenant: str, active: Mapping[str, str | None] | None = None
) -> set[str] | None:
    """Every key that a hold (one of `active`, if these are known) covers now; None where that is all of the tenant."""
    packages = _packages(await _active(connections, tenant) if active is None else active)
    if None in packages:
        return None
    keys = set[str]()
    for package_id in packages:
        keys.update(await covered(connections, tenant, package_id, replaced=True))
    return keys


async def covered(
    connections: Connections, tenant: str, package_id: str | None, *, since: float | None = None, replaced: bool = False
) -> list[str]:
    """The keys that a hold on a package, or the tenant, covers: hot ones, cold ones, and what is kept in `held/`; with `replaced`
    also those of which only older versions are there."""
    if package_id is None:
        prefixes, named = [f"{kind}/{tenant}/" for kind in KINDS], list[str]()
    else:
        prefixes = [f"{kind}/{tenant}/{package_id}/" for kind in ("packages", "withdrawn", "exports")]
        async with connections.db.tenant(tenant) as tx:
            rows = await fetch_all(tx, OF_PACKAGE, {"package": package_id})
        named = [row["key"] for row in rows]
    everywhere = [front + prefix for front in ("", COLD, places.HELD) for prefix in prefixes]
    found = await asyncio.to_thread(_below, connections, everywhere, since, replaced)
    if not ColdStore(connections.objects, connections.settings).moves:
        return sorted({*found, *named})
    return sorted({*found, *named, *(COLD + key for key in named)})


def _below(connections: Connections, prefixes: Iterable[str], since: float | None, replaced: bool) -> set[str]:
    objects = connections.objects
    if replaced and objects.lockable:
        return {each.key for prefix in prefixes for page in objects.versions(prefix) for each in page}
    return {key for prefix in prefixes for key, changed in objects.keys(prefix) if since is None or changed >= since}


def _lock(connections: Connections, keys: Sequence[str], on: bool) -> int:
    """How many were there and are locked (or free) now."""
    if not connections.objects.lockable:
        return 0
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return sum(threads.map(lambda key: connections.objects.lock(key, on=on), keys))
