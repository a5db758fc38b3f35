"""Bundles: for the tenant's operators, and for a device that proves itself with its own key (it sees its own alone)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from cluster.cdn import UrlSigner
from cluster.database import fetch_all, fetch_one
from content.errors import ContentError
from serve_app.auth import Authenticated, Caller, Platform
from serve_app.pages import Cursor, Limit, decode, page
from serve_app.problems import not_found

router = APIRouter(prefix="/v1/bundles", tags=["bundles"])
COLUMNS = """bundle_id, package_id, version, enrollment_id, device_id, profile, policy, state, index_digest, total_bytes,
             problem, created_at, ready_at"""
ENROLLED = (
    """exists (select 1 from enrolments e where e.enrollment_id = bundles.enrollment_id and e.state = 'active')"""
)
State = Literal["planned", "claimed", "ready", "superseded", "failed", "cancelled"]


@router.get("", summary="Bundles, newest first (a device sees its own)")
async def list_bundles(
    request: Request,
    response: Response,
    caller: Authenticated,
    platform: Platform,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: State | None = None,
    package_id: str | None = None,
    device_id: str | None = None,
) -> dict[str, Any]:
    mine = _reader(caller) or device_id
    after = decode(cursor, 2)
    async with platform.db.tenant(caller.tenant) as tx:
        rows = await fetch_all(
            tx,
            f"""select {COLUMNS} from bundles
                where (%(device)s::text is null or device_id = %(device)s)
                  and (%(own)s::text is null or {ENROLLED})
                  and (%(state)s::text is null or state = %(state)s)
                  and (%(package)s::text is null or package_id = %(package)s)
                  and (%(at)s::timestamptz is null or (created_at, bundle_id) < (%(at)s::timestamptz, %(id)s::text))
                order by created_at desc, bundle_id desc limit %(limit)s""",
            {
                "device": mine,
                "own": _reader(caller),
                "state": state,
                "package": package_id,
                "at": after and after[0],
                "id": after and after[1],
                "limit": limit + 1,
            },
        )
    return page(request, response, rows, limit, "created_at", "bundle_id")


@router.get("/{bundle_id}", summary="Licence, signature, and signed URLs of index and parts")
async def show(bundle_id: str, caller: Authenticated, platform: Platform) -> dict[str, Any]:
    mine = _reader(caller)
    async with platform.db.tenant(caller.tenant) as tx:
        row = await fetch_one(
            tx,
            f"select {COLUMNS}, index_path, index_size, {ENROLLED} as enrolled from bundles where bundle_id = %s",
            [bundle_id],
        )
        if row is None or (mine is not None and row["device_id"] != mine):
            raise not_found("bundle")
        if mine is not None and not row["enrolled"]:
            raise ContentError("enrolment-cancelled", "The enrolment of this bundle has ended.", "Enrol again.")
        if row["state"] != "ready":
            raise _not_ready(row)
        licence = await fetch_one(
            tx,
            "select issue, document, signature from licences where bundle_id = %s order by issue desc limit 1",
            [bundle_id],
        )
        parts = await fetch_all(
            tx, "select path, size_bytes as size, digest from parts where bundle_id = %s order by path", [bundle_id]
        )
    if licence is None:
        raise not_found("licence")
    settings, now = platform.settings, datetime.now(UTC)
    pem = settings.edge_private_key.get_secret_value()
    del row["enrolled"]
    sign = UrlSigner.of(settings.edge_url, settings.edge_key_id, pem, settings.edge_ttl_s)
    index = {"path": row.pop("index_path"), "size": row.pop("index_size"), "digest": row["index_digest"]}
    prefix = f"/bundles/{caller.tenant}/"
    return {
        **row,
        "issue": licence["issue"],
        "licence": licence["document"],
        "signature": licence["signature"],
        "index": {**index, "url": sign.url(prefix + index["path"], now)},
        "parts": [{**part, "url": sign.url(prefix + part["path"], now)} for part in parts],
        "urls_expire_in_s": settings.edge_ttl_s,
    }


def _reader(caller: Caller) -> str | None:
    """The device whose bundles alone may be seen, or None for a token that may read all of its tenant."""
    if caller.device_id is None:
        caller.require("content:read")
    return caller.device_id


def _not_ready(row: dict[str, Any]) -> ContentError:
    match row["state"]:
        case "superseded":
            return ContentError(
                "bundle-superseded", "A newer version took this bundle's place.", "List the bundles again."
            )
        case "failed":
            return ContentError("bundle-failed", "This bundle could not be made.", "See its problem in the list.")
        case state:
            return ContentError("bundle-not-ready", f"This bundle is {state}.", "Ask again in a moment.")
