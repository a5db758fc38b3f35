"""Packages, their versions, and the signed manifest of a version."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from cluster import places
from cluster.database import fetch_all, fetch_one
from serve_app.auth import Authenticated, Platform
from serve_app.pages import Cursor, Limit, decode, page
from serve_app.problems import not_found

router = APIRouter(prefix="/v1/packages", tags=["packages"])

VERSION = """version, state, draft_id, revision, title, languages, manifest_digest, manifest_bytes, total_bytes, report,
             created_at, published_at"""


@router.get("", summary="Packages of the tenant")
async def list_packages(
    request: Request,
    response: Response,
    caller: Authenticated,
    platform: Platform,
    limit: Limit = 50,
    cursor: Cursor = None,
    course_id: str | None = None,
) -> dict[str, Any]:
    caller.require("content:read")
    after = decode(cursor, 1)
    async with platform.db.tenant(caller.tenant) as tx:
        rows = await fetch_all(
            tx,
            """select p.package_id, p.course_id, p.created_at,
                      (select max(version) from package_versions v
                       where v.package_id = p.package_id and v.state = 'published') as version
               from packages p
               where (%(after)s::text is null or p.package_id > %(after)s) and (%(course)s::text is null or course_id = %(course)s)
               order by p.package_id limit %(limit)s""",
            {"after": after[0] if after else None, "course": course_id, "limit": limit + 1},
        )
    return page(request, response, rows, limit, "package_id")


@router.get("/{package_id}", summary="One package")
async def show(package_id: str, caller: Authenticated, platform: Platform) -> dict[str, Any]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await fetch_one(
            tx,
            """select p.package_id, p.course_id, p.created_at,
                      (select max(version) from package_versions v
                       where v.package_id = p.package_id and v.state = 'published') as version
               from packages p where p.package_id = %s""",
            [package_id],
        )
    if row is None:
        raise not_found("package")
    return row


@router.get("/{package_id}/versions", summary="Versions of a package, newest first")
async def versions(
    package_id: str,
    request: Request,
    response: Response,
    caller: Authenticated,
    platform: Platform,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    caller.require("content:read")
    after = decode(cursor, 1)
    async with platform.db.tenant(caller.tenant) as tx:
        if await fetch_one(tx, "select 1 as x from packages where package_id = %s", [package_id]) is None:
            raise not_found("package")
        rows = await fetch_all(
            tx,
            f"""select {VERSION} from package_versions
                where package_id = %s and version < %s order by version desc limit %s""",
            [package_id, int(after[0]) if after and after[0].isdigit() else 2**31 - 1, limit + 1],
        )
    return page(request, response, rows, limit, "version")


@router.get("/{package_id}/versions/{version}", summary="One version, with the report of its build")
async def show_version(package_id: str, version: int, caller: Authenticated, platform: Platform) -> dict[str, Any]:
    caller.require("content:read")
    return await _version(platform, caller.tenant, package_id, version)


@router.get("/{package_id}/versions/{version}/manifest", summary="The manifest, byte for byte as it was signed")
async def manifest(
    package_id: str, version: int, request: Request, caller: Authenticated, platform: Platform
) -> Response:
    caller.require("content:read")
    row = await _version(platform, caller.tenant, package_id, version)
    if row["manifest_digest"] is None:
        raise not_found("manifest: the version is not published")
    headers = {"ETag": f'"{row["manifest_digest"]}"', "Cache-Control": "private, max-age=60"}
    asked = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if asked & {headers["ETag"], "*"}:
        return Response(status_code=304, headers=headers)
    key = places.manifest(caller.tenant, package_id, version, row["manifest_digest"])
    body = await asyncio.to_thread(platform.objects.get, key)
    return Response(body, media_type="application/json", headers=headers)


@router.get("/{package_id}/versions/{version}/signature", summary="The signature of the manifest: tree head and proof")
async def signature(package_id: str, version: int, caller: Authenticated, platform: Platform) -> dict[str, Any]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await fetch_one(
            tx,
            "select signature from package_versions where package_id = %s and version = %s and state = 'published'",
            [package_id, version],
        )
    if row is None:
        raise not_found("signature")
    return row["signature"]


async def _version(platform: Platform, tenant: str, package_id: str, version: int) -> dict[str, Any]:
    async with platform.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx,
            f"select package_id, {VERSION} from package_versions where package_id = %s and version = %s",
            [package_id, version],
        )
    if row is None:
        raise not_found("version")
    return row
