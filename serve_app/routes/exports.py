"""Exports: a version as a zip that other people's platforms, browsers and disks can play."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from cluster import database, places, player
from cluster.database import Transaction, fetch_one
from cluster.edge.cdn import UrlSigner
from cluster.edge.content_origins import address_of
from content.errors import ContentError
from content.exports import EXPORTER_VERSION
from content.exports.options import Options
from content.packages.manifest import SCORM
from serve_app.auth import Authenticated, Platform
from serve_app.cold_answers import RESTORING, Tier
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Before, Given, Id, Page, Since
from serve_app.models.exports import Export, ExportShown, ExportState, Format, NewExport
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.routes.plans import newest
from tasks import exports, steering
from tasks.exports import Wanted
from tasks.keeping import cold, holds
from tasks.keeping.cold import Unit

router = APIRouter(prefix="/v1/exports", tags=["exports"])
COLUMNS = """export_id, package_id, version, format, options, published, state, job_id, size_bytes, digest, problem, created_at,
             ready_at, withdrawn_at"""
EXPORTS = Listing(
    "exports",
    f"select {COLUMNS} from exports",
    filters={
        "package_id": "package_id = %(package_id)s",
        "format": "format = %(format)s",
        "state": "state = %(state)s",
        "created_from": "created_at >= %(created_from)s",
        "created_before": "created_at < %(created_before)s",
    },
    order=(Order("created_at", "created_at", datetime), Order("export_id", "export_id", str)),
)
USED = b"""
    update exports set last_used = now()
    where export_id = %s and (last_used is null or last_used < now() - interval '1 hour')
"""


@router.get("", summary="Exports, newest first")
async def list_exports(
    paging: Paging,
    caller: Authenticated,
    platform: Platform,
    package_id: Given = None,
    format: Format | None = None,
    state: ExportState | None = None,
    created_from: Since = None,
    created_before: Before = None,
) -> Page[Export]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        found = await EXPORTS.page(
            tx,
            paging,
            package_id=package_id,
            format=format,
            state=state,
            created_from=created_from,
            created_before=created_before,
        )
    return Page[Export].model_validate({**found, "items": [Export.row(row) for row in found["items"]]})


@router.post(
    "",
    status_code=202,
    response_model=Export,
    summary="Export a version for a learning platform, a browser or a disk",
    responses={
        **raises(
            "not-found",
            "export-option",
            "version-not-published",
            "version-withdrawn",
            "too-many-waiting",
            "player-not-built",
        ),
        200: {"model": Export, "description": "It is there already."},
    },
)
async def ask(
    body: NewExport, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """Asking for the same again gives the same job and the same file, byte for byte; one that failed or was cancelled is made
    anew. Follow and cancel it as a job."""
    caller.require("content:write")
    options = Options(**body.model_dump(exclude={"package_id", "version", "publish"}))
    if body.publish:
        _require_publishable(body, platform)
    player_version = await asyncio.to_thread(lambda: player.release(player.load(), EXPORTER_VERSION, options.format))
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        number = body.version or await newest(tx, body.package_id)
        wanted = Wanted(body.package_id, number, options, player_version, body.publish)
        export_id, queued = await exports.ask(tx, caller.tenant, wanted, platform.settings.exports_waiting_max)
        row = await _row(tx, export_id)
        if queued:
            about = {"package_id": body.package_id, "version": number, "format": body.format}
            await record(tx, request, caller, "export.requested", export_id=export_id, **about)
        answer = Export.model_validate(Export.row(row))
        if row["state"] == "ready":
            return await once.answer(tx, 200, answer)
        return await once.answer(tx, 202, answer, {"Location": f"/v1/jobs/{row['job_id']}"})


@router.get(
    "/{export_id}", summary="One export: its passport, and a signed address of its file", responses={**RESTORING}
)
async def show(export_id: Id, caller: Authenticated, platform: Platform, tier: Tier = None) -> ExportShown:
    """The address works without a token, with ranges, until it expires or the version is withdrawn."""
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await _row(tx, export_id)
        now = await database.now(tx)
        kind = await _may_be_had(tx, row)
        if kind is not None:
            await tx.execute(USED, [export_id])
            await cold.require_hot(tx, Unit("export", export_id))
    offered = _offer(row, caller.tenant, kind, platform, now) if kind else {"download": None, "site": None}
    return ExportShown.model_validate({**Export.row(row), **offered})


@router.delete(
    "/{export_id}", status_code=204, summary="Remove an export", responses=raises("held", "storage-unavailable")
)
async def remove(export_id: Id, request: Request, caller: Authenticated, platform: Platform) -> None:
    """Its file is gone from the edge at once, and its job is cancelled if it has not ended. Asked for anew, it is made anew:
    the same bytes under the same id."""
    caller.require("content:write")
    tenant = caller.tenant
    async with platform.db.tenant(tenant) as tx:
        row = await _row(tx, export_id)
        await holds.require_free(tx, tenant, row["package_id"])
        try:
            await steering.cancel(tx, tenant, row["job_id"])
        except ContentError as error:
            if error.code != "job-ended":
                raise
        key = await exports.remove(tx, tenant, export_id)
        await record(tx, request, caller, "export.removed", export_id=export_id, package_id=row["package_id"])
    if key is not None:
        await exports.remove_attempt(platform, key)


def _require_publishable(body: NewExport, platform: Platform) -> None:
    if body.format != "html":
        raise ContentError("export-option", f"A site is made of the format html, not of {body.format}.", "Use html.")
    if not platform.settings.site_url:
        raise ContentError("export-option", "No sites are published by this service.", "Leave out “publish”.")


async def _may_be_had(tx: Transaction, row: dict[str, Any]) -> str | None:
    """The kind of the package, if there is a file, and of a version that is still published: no address is signed that outlives a
    withdrawal."""
    if row["state"] != "ready":
        return None
    version = await fetch_one(tx, exports.VERSION, [row["package_id"], row["version"]])
    if version is None:
        return None
    try:
        exports.refuse_unpublished(row["version"], version)
    except ContentError:
        return None
    return version["kind"]


def _offer(row: dict[str, Any], tenant: str, kind: str, platform: Platform, now: datetime) -> dict[str, Any]:
    """Signed addresses of the file, and of the site, which of an imported package is on an origin of its own."""
    settings = platform.settings
    pem, expires = settings.edge_private_key.get_secret_value(), {"expires_in_s": settings.edge_ttl_s}
    edge = UrlSigner.of(settings.edge_url, settings.edge_key_id, pem, settings.edge_ttl_s)
    download = {"url": edge.url(f"/{row['key']}", now), "file_name": row["file_name"], **expires}
    if not row["published"] or not settings.site_url:
        return {"download": download, "site": None}
    if kind == SCORM:
        address, place = address_of(settings.site_url, tenant, row["package_id"]), places.IMPORTED_SITE
    else:
        address, place = settings.site_url.format(tenant=tenant), places.SITE
    origin = replace(edge, base_url=address)
    folder = f"/{places.attempt_of(row['key'])}{place}"
    first = f"{folder}index.html"
    site = {"url": f"{origin.base_url}{first}", "link": origin.link(first, now, folder=folder), **expires}
    return {"download": download, "site": site}


async def _row(tx: Transaction, export_id: str) -> dict[str, Any]:
    row = await fetch_one(
        tx, f"select {COLUMNS}, key, file_name, passport from exports where export_id = %s", [export_id]
    )
    if row is None:
        raise not_found("export")
    return row
