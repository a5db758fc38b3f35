"""What changed between two versions of a package, before anybody updates (`content.packages.changes`)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request

from content.packages import Changes, compare, parse
from serve_app.auth import Authenticated
from serve_app.models.base import Id, Number
from serve_app.models.packages import VersionChanges
from serve_app.problems import raises
from serve_app.routes.manifests import manifest_of

router = APIRouter(prefix="/v1/packages", tags=["packages"])


# Before the routes of packages: to those, `1...2` would be a version that is no number.
@router.get(
    "/{package_id}/versions/{older}...{newer}",
    summary="What changed from one version to another",
    responses=raises("version-withdrawn", "storage-unavailable"),
)
async def changes(
    package_id: Id, older: Number, newer: Number, request: Request, caller: Authenticated
) -> VersionChanges:
    """Units, blocks and assets by their ids, and the bytes that a device fetches for the update, by profile. The other way
    round it says what going back would change. Both versions must be published."""
    caller.require("content:read")
    old, new = [await manifest_of(request, caller.tenant, package_id, number) for number in (older, newer)]
    found = await asyncio.to_thread(_compared, old.body, new.body)
    told = {**vars(found), "package_id": package_id, "older": older, "newer": newer, "same": found.same}
    return VersionChanges.model_validate(told, from_attributes=True)


def _compared(old: bytes, new: bytes) -> Changes:
    return compare(parse(old), parse(new))
