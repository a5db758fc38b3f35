"""What a device's next sync would do, by the bundles that it holds (`content.bundles.foresight`). Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Query

from cluster.database import Transaction, fetch_all, fetch_one
from content.bundles.foresight import Held, Offered, foresee
from content.bundles.licence import Licence
from content.errors import ContentError
from serve_app.auth import Authenticated, Platform
from serve_app.models.base import Id
from serve_app.models.bundles import BundleId, DeviceForesight
from serve_app.problems import not_found
from serve_app.routes.bundles import ENROLLED, OFFERED, TAKEN_BACK

router = APIRouter(prefix="/v1/devices", tags=["devices"])
MOST_HELD = 100
log = structlog.get_logger()
READY = f"""
    select bundle_id from (
        select bundle_id, version, max(version) over (partition by package_id) as newest from bundles
        where device_id = %s and state = 'ready' and {ENROLLED} and {OFFERED} and not {TAKEN_BACK}) offered
    where version = newest
"""
# Of each package the newest: the sync that fetched it has removed the ones before.
REGISTERED = """
    select distinct on (package_id) bundle_id from bundles
    where device_id = %s and registered_at is not null and returned_at is null
    order by package_id, version desc, registered_at desc
"""
DESCRIBED = """
    select b.bundle_id, b.package_id, b.version, l.document as licence,
           jsonb_build_object(s.index_path, s.index_size)
           || coalesce((select jsonb_object_agg(p.path, p.size_bytes) from seal_parts sp join parts p on p.path = sp.path
                        where sp.seal_id = s.seal_id), '{}') as blobs
    from bundles b join seals s on s.seal_id = b.seal_id
         cross join lateral (select document from licences where bundle_id = b.bundle_id order by issue desc limit 1) l
    where b.device_id = %s and b.bundle_id = any(%s) and s.index_path is not null
"""


@router.get("/{device_id}/foresight", summary="What the next sync of a device fetches, needs and deletes")
async def foresight(
    device_id: Id,
    caller: Authenticated,
    platform: Platform,
    holds: Annotated[
        list[BundleId],
        Query(
            max_length=MOST_HELD,
            description="A bundle on the device; repeat it for each. With a token and none named: of each package the "
            "newest licence that the device has registered and not returned.",
            default_factory=list,
        ),
    ],
) -> DeviceForesight:
    """Bytes to fetch, the disk at its fullest, and what will be deleted, before anything is downloaded. What the device has
    begun to download is known to itself alone: `content-service device sync --dry-run` counts that too. Bundles in `holds`
    that were never made for this device come back in `unknown` and count for nothing."""
    if caller.device_id != device_id:
        caller.require("content:read")
    async with platform.db.tenant(caller.tenant, snapshot=True) as tx:
        if await fetch_one(tx, "select 1 as x from devices where device_id = %s", [device_id]) is None:
            raise not_found("device")
        offered = await _described(tx, device_id, await _ids(tx, READY, device_id))
        asked = holds or ([] if caller.device_id else await _ids(tx, REGISTERED, device_id))
        held = await _described(tx, device_id, asked)
    offers: dict[str, Offered] = {}
    for each in sorted(offered, key=lambda each: each.order):
        offers[each.package_id] = each  # of several for one version, the latest
    here = {path: size for each in held for path, size in each.blobs.items()}
    known = [Held(each.bundle_id, each.package_id, each.order, frozenset(each.blobs)) for each in held]
    told = foresee(here, known, [offers[package] for package in sorted(offers)])
    named = {each.bundle_id for each in known}
    return DeviceForesight.model_validate(
        {**vars(told), "holds": sorted(named), "unknown": sorted(set(asked) - named)}, from_attributes=True
    )


async def _ids(tx: Transaction, query: str, device_id: str) -> list[str]:
    return [row["bundle_id"] for row in await fetch_all(tx, query, [device_id])]


async def _described(tx: Transaction, device_id: str, bundle_ids: Sequence[str]) -> list[Offered]:
    """Those of the device that have a licence which can be read; a device takes no other."""
    rows = await fetch_all(tx, DESCRIBED, [device_id, list(bundle_ids)]) if bundle_ids else []
    found: list[Offered] = []
    for row in rows:
        try:
            licence = Licence.parse(row["licence"].encode())
        except ContentError as error:
            log.error("stored licence cannot be read", bundle=row["bundle_id"], code=error.code)
            continue
        order = licence.sequence, licence.issue
        found.append(Offered(row["bundle_id"], row["package_id"], row["version"], order, row["blobs"]))
    return found
