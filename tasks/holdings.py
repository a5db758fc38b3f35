"""What devices hold already, as sync-service knows it: the bundle that a later version's delta begins with.

Without an answer the newest earlier seal is taken. Either is right for every device: what it lacks, it fetches. A device
that slept over a version only fetches less if its delta begins with what it really has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import structlog

from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from cluster.neighbours import NeighbourError, Neighbours
from cluster.settings import Settings

OF_BUNDLES = """
    select distinct on (s.scope) s.scope, s.index_path, s.index_digest
    from bundles b join seals s on s.seal_id = b.seal_id and s.scope = b.device_id
    where b.bundle_id = any(%(bundles)s) and b.device_id = any(%(scopes)s) and b.package_id = %(package)s
      and s.state = 'ready' and (s.version < %(version)s or (s.version = %(version)s and s.profile <> %(profile)s))
      and not exists (select 1 from package_versions v where v.package_id = s.package_id and v.version = s.version
                      and v.state = 'withdrawn')
    order by s.scope, s.version desc, s.ready_at desc
"""
log = structlog.get_logger()


async def told(connections: Connections, tenant: str, package_id: str, device_ids: Sequence[str]) -> list[str]:
    """Bundles of the package that these devices hold; none where sync-service is away or knows of none."""
    if not connections.settings.sync_url or not device_ids:
        return []
    try:
        neighbours = await asyncio.to_thread(_neighbours, connections.settings.sync_url)
        found = await asyncio.to_thread(neighbours.holdings, tenant, package_id, device_ids)
    except NeighbourError as error:
        log.warning("what devices hold is not known", tenant=tenant, package=package_id, code=error.code)
        return []
    return [found[device] for device in device_ids if device in found]


async def seals_of(tx: Transaction, bundles: Sequence[str], group: dict[str, Any]) -> list[dict[str, Any]]:
    """By scope the index of the seal that a bundle in hand was made of. `group`: package, version, profile and scopes, which
    are devices; bundles of others, and of versions that are not earlier or were withdrawn, are left out."""
    return await fetch_all(tx, OF_BUNDLES, {**group, "bundles": list(bundles)}) if bundles else []


@lru_cache(1)
def _neighbours(_: str) -> Neighbours:
    """One for the process: its connections stay open."""
    return Neighbours(Settings.load())
