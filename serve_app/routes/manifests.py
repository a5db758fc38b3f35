"""The signed manifest of a version, its signature, its address on the edge, and the assets it names.

A manifest is kept in memory for a minute; it is used only while every word of change is heard (`cluster.invalidations`),
so that a withdrawn version is gone from every replica in less than two seconds (ADR 0017).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from cluster import places
from cluster.database import fetch_one
from cluster.edge.cdn import UrlSigner
from cluster.manifests import Kept
from content.errors import ContentError
from content.packages import parse
from serve_app.auth import Authenticated, Platform, connections
from serve_app.cold_answers import RESTORING, Tier
from serve_app.conditions import UNCHANGED, not_modified
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Id, Number, Page
from serve_app.models.packages import Asset, Signature, SignedUrl
from serve_app.problems import not_found, raises
from tasks.keeping import cold
from tasks.keeping.cold import Unit
from tasks.keeping.uses import version_subject

router = APIRouter(prefix="/v1/packages/{package_id}/versions/{version}", tags=["packages"])
ASSETS = Listing(
    "assets",
    "",  # read from the manifest, not from a table
    order=(Order("asset", "asset", str), Order("role", "role", str), Order("digest", "digest", str)),
    descending=False,
)


@router.get(
    "/manifest",
    summary="The manifest, byte for byte as it was signed",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "Canonical JSON."},
        **UNCHANGED,
        **RESTORING,
        **raises("version-withdrawn", "storage-unavailable"),
    },
)
async def manifest(
    package_id: Id, version: Number, request: Request, caller: Authenticated, tier: Tier = None
) -> Response:
    """Its `ETag` is its digest. May be kept for a minute; 410 `version-withdrawn` once the version was taken back."""
    caller.require("content:read")
    found = await manifest_of(request, caller.tenant, package_id, version)
    headers = {"ETag": f'"{found.digest}"', "Cache-Control": "private, max-age=60"}
    same = not_modified(request, headers)
    return same or Response(found.body, media_type="application/json", headers=headers)


@router.get(
    "/manifest/url",
    summary="An address of the manifest on the edge, which needs no token",
    responses={**RESTORING, **raises("version-withdrawn")},
)
async def url(
    package_id: Id,
    version: Number,
    request: Request,
    caller: Authenticated,
    platform: Platform,
    tier: Tier = None,
) -> SignedUrl:
    caller.require("content:read")
    unit = Unit.version(package_id, version)
    digest = (await _published(platform, caller.tenant, package_id, version))["manifest_digest"]
    key = places.manifest(caller.tenant, package_id, version, digest)
    await request.app.state.uses.touch(caller.tenant, unit.kind, unit.subject)
    async with platform.db.tenant(caller.tenant) as tx:
        await cold.require_key(tx, key, unit)
    settings = platform.settings
    pem = settings.edge_private_key.get_secret_value()
    signer = UrlSigner.of(settings.edge_url, settings.edge_key_id, pem, settings.edge_ttl_s)
    return SignedUrl(url=signer.url(f"/{key}", datetime.now(UTC)), expires_in_s=settings.edge_ttl_s)


@router.get(
    "/signature",
    summary="The signature of the manifest: tree head and proof",
    responses=raises("version-withdrawn"),
)
async def signature(package_id: Id, version: Number, caller: Authenticated, platform: Platform) -> Signature:
    caller.require("content:read")
    row = await _published(platform, caller.tenant, package_id, version)
    return Signature.model_validate(row["signature"])


@router.get(
    "/assets",
    summary="Every rendition of every asset of the version",
    responses={**RESTORING, **raises("version-withdrawn", "storage-unavailable")},
)
async def assets(
    package_id: Id, version: Number, paging: Paging, request: Request, caller: Authenticated, tier: Tier = None
) -> Page[Asset]:
    """In the order of asset and role. Devices get them in their bundle; there are no addresses of single assets."""
    caller.require("content:read")
    after = ASSETS.after(paging, package_id=package_id, version=version)
    found = await manifest_of(request, caller.tenant, package_id, version)
    rows = await asyncio.to_thread(_rows, found.body)
    following = [row for row in rows if after is None or (row["asset"], row["role"], row["digest"]) > after]
    given = {"package_id": package_id, "version": version}
    return Page[Asset].model_validate(ASSETS.cut(paging, following[: paging.limit + 1], given))


def _rows(body: bytes) -> list[dict[str, Any]]:
    files = {(file.asset, file.role, file.digest): vars(file) for file in parse(body).asset_files()}
    return [files[key] for key in sorted(files)]


async def manifest_of(request: Request, tenant: str, package_id: str, version: int) -> Kept:
    """From memory, or from the database and the store. Raises ContentError `not-found`, `version-withdrawn`."""
    manifests, key = request.app.state.manifests, (tenant, package_id, version)
    request.app.state.uses.note(tenant, "version", version_subject(package_id, version))
    if request.app.state.invalidations.trusted and (kept := manifests.get(key)) is not None:
        return kept
    platform, generation = await connections(request), manifests.generation
    digest = (await _published(platform, tenant, package_id, version))["manifest_digest"]
    try:
        body = await asyncio.to_thread(platform.objects.get, places.manifest(tenant, package_id, version, digest))
    except ContentError as error:
        if error.code == "object-missing":  # withdrawn since the row was read? then that is the answer
            await _published(platform, tenant, package_id, version)
        raise
    manifests.keep(key, digest, body, generation)
    return Kept(digest, body, 0.0)


async def _published(platform: Platform, tenant: str, package_id: str, version: int) -> dict[str, Any]:
    """Digest and signature. Raises ContentError `not-found`, `version-withdrawn`."""
    async with platform.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx,
            "select state, manifest_digest, signature from package_versions where package_id = %s and version = %s",
            [package_id, version],
        )
    if row is None:
        raise not_found("version")
    if row["state"] == "withdrawn":
        raise ContentError("version-withdrawn", f"Version {version} was withdrawn.", "Take a newer one.")
    if row["state"] != "published":
        raise not_found("manifest: the version is not published")
    return row
