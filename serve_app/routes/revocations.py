"""Revocations: what is taken back, and the list that names it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from cluster.connections import Connections
from cluster.database import fetch_all, fetch_one
from content.errors import ContentError
from serve_app.auth import Authenticated, Caller, Platform
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Page
from serve_app.models.trust import NewRevocation, Revocation, RevocationKind
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.taking_back import list_now, withdraw_version
from tasks import deactivation, revocations
from tasks.epochs import leave_bundle

router = APIRouter(prefix="/v1/revocations", tags=["trust"])
COLUMNS = "kind, subject, cause, reason, revoked_at, until, listed"
REVOCATIONS = Listing(
    "revocations",
    f"select {COLUMNS} from revocations",
    filters={"kind": "kind = %(kind)s"},
    order=(
        Order("revoked_at", "revoked_at", datetime),
        Order("kind", "kind", str),
        Order("subject", "subject", str),
    ),
)


@router.get("", summary="What was taken back, newest first")
async def list_revocations(
    paging: Paging, caller: Authenticated, platform: Platform, kind: RevocationKind | None = None
) -> Page[Revocation]:
    """With what no list names any more since its licences have ended."""
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        found = await REVOCATIONS.page(tx, paging, kind=kind)
    return Page[Revocation].model_validate(found)


@router.post(
    "",
    status_code=201,
    response_model=Revocation,
    summary="Take back a bundle, a device, a package or one of its versions",
    responses=raises("not-found", "version-not-published", "version-missing", "storage-unavailable", "not-archived"),
)
async def revoke(
    body: NewRevocation, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """Devices that hear of the list open it no more; a version's manifest is gone from every replica and the edge within two
    seconds. Again changes nothing. `listed` is null as long as the key service is away: the list follows by itself."""
    caller.require("device:revoke" if body.kind == "device" else "content:write")
    tenant = caller.tenant
    if body.kind == "version" and body.version is None:
        raise ContentError("version-missing", "Which version of the package is to be revoked?", "Name its number.")
    async with platform.db.tenant(tenant) as tx:
        await once.begin(tx)
    # What follows takes several transactions, each of which may be done again.
    if body.kind in ("package", "version"):
        await _versions(request, platform, caller, body)
    async with platform.db.tenant(tenant) as tx:
        if body.kind == "bundle":
            row = await fetch_one(
                tx, "select 1 as x from bundles where bundle_id = %s and state = 'ready' for no key update", [body.id]
            )
            if row is None:
                raise not_found("bundle that is ready")
            await revocations.bundle(tx, tenant, body.id, cause="operator", reason=body.reason)
            await leave_bundle(tx, body.id)
            await record(tx, request, caller, "bundle.revoked", bundle_id=body.id, reason=body.reason)
        if body.kind == "device":
            changed = await deactivation.deactivate(tx, tenant, body.id, cause="operator", reason=body.reason)
            if changed is None:
                raise not_found("device")
            await revocations.add(tx, tenant, "device", [(body.id, None)], cause="operator", reason=body.reason)
            await record(tx, request, caller, "device.revoked", device_id=body.id, reason=body.reason)
    await list_now(platform, tenant)
    subject = f"{body.id}/{body.version}" if body.kind == "version" else body.id
    async with platform.db.tenant(tenant) as tx:
        await once.begin(tx)
        row = await fetch_one(
            tx, f"select {COLUMNS} from revocations where kind = %s and subject = %s", [body.kind, subject]
        )
        if row is None:
            raise not_found(body.kind)
        return await once.answer(tx, 201, Revocation.model_validate(row))


async def _versions(request: Request, platform: Connections, caller: Caller, body: NewRevocation) -> None:
    """Withdraw and revoke one version, or all of a package and the package itself."""
    tenant = caller.tenant
    if body.kind == "version":
        await withdraw_version(request, platform, caller, body.id, int(body.version or 0), body.reason, revoke=True)
        return
    async with platform.db.tenant(tenant) as tx:
        # From here on nothing is planned of it, whatever is published.
        row = await fetch_one(
            tx,
            """update packages set revoked_at = coalesce(revoked_at, now()) where package_id = %s returning package_id""",
            [body.id],
        )
        if row is None:
            raise not_found("package")
        await revocations.add(tx, tenant, "package", [(body.id, None)], cause="operator", reason=body.reason)
        await record(tx, request, caller, "package.revoked", package_id=body.id, reason=body.reason)
        published: list[dict[str, Any]] = await fetch_all(
            tx,
            "select version from package_versions where package_id = %s and state = 'published' order by version",
            [body.id],
        )
        await tx.execute(
            b"""update bundles set state = 'cancelled', claimed_by = null, claimed_until = null
                where package_id = %s and state in ('planned', 'claimed')""",
            [body.id],
        )
    for entry in published:
        await withdraw_version(request, platform, caller, body.id, entry["version"], body.reason, revoke=False)
