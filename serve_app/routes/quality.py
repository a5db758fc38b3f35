"""The accessibility and quality report of a version (`content.quality`): as JSON, and as a page for its author."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from cluster.database import fetch_one
from content.errors import ContentError
from serve_app.auth import Authenticated, Caller, Platform
from serve_app.conditions import UNCHANGED
from serve_app.models.base import Id, Number
from serve_app.models.packages import Quality
from serve_app.problems import not_found, raises
from serve_app.problems.pages import preferred
from serve_app.quality_page import quality_page
from serve_app.report_answers import PAGE, report_answer

router = APIRouter(prefix="/v1/packages/{package_id}/versions/{version}", tags=["packages"])


@router.get(
    "/quality",
    summary="The accessibility and quality report of a version",
    response_model=Quality,
    responses={
        200: {"description": "As JSON, or as a page for the author, by `Accept`.", "content": PAGE},
        **UNCHANGED,
        **raises("not-found", "not-acceptable", "quality-not-assessed"),
    },
)
async def quality(
    package_id: Id, version: Number, request: Request, caller: Authenticated, platform: Platform
) -> Response:
    """What a learner would miss and what an author may want to change: each finding with its place in words, why it counts,
    and what to do; and the figures behind it. A version that was built before there were reports answers 409
    `quality-not-assessed`, and so does one whose build is under way, and one that was imported: what was found in a package of
    others is in the report of its import."""
    html = preferred(request) == "text/html"
    return await _answer(package_id, version, request, caller, platform, html=html)


@router.get(
    "/quality.html",
    summary="The same as a page, whatever `Accept` says",
    response_class=HTMLResponse,
    responses={**UNCHANGED, **raises("not-found", "quality-not-assessed")},
)
async def page(
    package_id: Id, version: Number, request: Request, caller: Authenticated, platform: Platform
) -> Response:
    """Holds no script and no style of its own."""
    return await _answer(package_id, version, request, caller, platform, html=True)


async def _answer(
    package_id: str, version: int, request: Request, caller: Caller, platform: Any, *, html: bool
) -> Response:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await fetch_one(
            tx,
            """select report -> 'quality' as quality, import_id from package_versions
               where package_id = %s and version = %s""",
            [package_id, version],
        )
    if row is None:
        raise not_found("version")
    if row["import_id"] is not None:
        message = f"Version {version} was imported, so the service did not make what is in it and cannot judge it."
        raise ContentError("quality-not-assessed", message, f"See the report of its import, {row['import_id']}.")
    if row["quality"] is None:
        message = f"Version {version} has no quality report."
        raise ContentError(
            "quality-not-assessed", message, "Wait until its build has ended, or publish the course again."
        )
    found = Quality.model_validate({"package_id": package_id, "version": version, **row["quality"]})
    return report_answer(request, found, quality_page, html=html)
