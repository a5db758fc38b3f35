"""Previews: a draft that nobody has published, opened in the player by who has the link."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from cluster import database, places, player
from cluster.database import Transaction, fetch_one
from cluster.edge.cdn import UrlSigner
from content.errors import ContentError
from serve_app.auth import Authenticated, Platform
from serve_app.idempotency import Idempotent
from serve_app.models.base import Id
from serve_app.models.previews import NewPreview, Preview, PreviewShown
from serve_app.problems import not_found, raises
from serve_app.record import record
from tasks import previews, steering
from tasks.keeping import holds
from tasks.previews import Wanted

router = APIRouter(prefix="/v1/previews", tags=["drafts"])
ROW = """
    select preview_id, draft_id, revision, case when expires_at <= now() then 'expired' else state end as state, job_id, folder,
           draft_digest, report, problem, created_at, expires_at
    from previews where preview_id = %s
"""


@router.post(
    "",
    status_code=202,
    response_model=Preview,
    summary="Show a draft that is not published",
    responses={
        **raises("not-found", "too-many-waiting", "sites-not-served", "player-not-built"),
        200: {"model": Preview, "description": "It is there already."},
    },
)
async def ask(
    body: NewPreview, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """The draft is fetched from authoring-service, judged and rendered as for a build, and nothing is published: no version, no
    event. Asking for the same revision again, while it can be opened, gives the same preview and sets `expires_at` anew
    (setting `preview_ttl_s`). Follow and cancel it as a job, which fails with every problem of a draft that cannot be built."""
    caller.require("content:write")
    if not platform.settings.site_url:
        raise ContentError("sites-not-served", "This service shows no pages.", "Have the setting site_url set.")
    wanted = Wanted(body.draft_id, body.revision, (await asyncio.to_thread(player.load)).version)
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        if await fetch_one(tx, "select 1 as x from tenants") is None:
            raise not_found("tenant")
        limits = platform.settings
        preview_id, queued = await previews.ask(
            tx, caller.tenant, wanted, limits.preview_ttl_s, limits.exports_waiting_max
        )
        if queued:
            about = {"draft_id": body.draft_id, "revision": body.revision}
            await record(tx, request, caller, "preview.requested", preview_id=preview_id, **about)
        row = await _row(tx, preview_id)
        answer = Preview.model_validate(Preview.row(row))
        if row["state"] == "ready":
            return await once.answer(tx, 200, answer)
        return await once.answer(tx, 202, answer, {"Location": f"/v1/jobs/{row['job_id']}"})


@router.get("/{preview_id}", summary="One preview: what its author should know, and a signed address that opens it")
async def show(preview_id: Id, caller: Authenticated, platform: Platform) -> PreviewShown:
    """Needs the scope that publishing needs: who has the address sees what is not published."""
    caller.require("content:write")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await _row(tx, preview_id)
        now = await database.now(tx)
    url = _url(row, caller.tenant, platform, now) if row["state"] == "ready" else None
    return PreviewShown.model_validate({**Preview.row(row), "url": url})


@router.delete(
    "/{preview_id}", status_code=204, summary="End a preview", responses=raises("held", "storage-unavailable")
)
async def remove(preview_id: Id, request: Request, caller: Authenticated, platform: Platform) -> None:
    """Its pages are gone from the edge at once, and its job is cancelled if it has not ended."""
    caller.require("content:write")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await _row(tx, preview_id)
        await holds.require_free(tx, caller.tenant, whole=True)
        try:
            await steering.cancel(tx, caller.tenant, row["job_id"])
        except ContentError as error:
            if error.code != "job-ended":
                raise
        gone = await fetch_one(tx, "delete from previews where preview_id = %s returning folder", [preview_id])
        await record(tx, request, caller, "preview.removed", preview_id=preview_id)
    if gone is not None and gone["folder"] is not None:
        await previews.remove_files(platform, gone["folder"])


def _url(row: dict[str, Any], tenant: str, platform: Platform, now: datetime) -> str:
    """The link, whose signature ends when the preview does."""
    settings = platform.settings
    edge = UrlSigner.of(
        settings.site_url.format(tenant=tenant),
        settings.edge_key_id,
        settings.edge_private_key.get_secret_value(),
        int((row["expires_at"] - now).total_seconds()),
    )
    folder = f"/{row['folder']}{places.SITE}"
    return edge.link(f"{folder}index.html", now, folder=folder)


async def _row(tx: Transaction, preview_id: str) -> dict[str, Any]:
    row = await fetch_one(tx, ROW, [preview_id])
    if row is None:
        raise not_found("preview")
    return row
