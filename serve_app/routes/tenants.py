"""Tenants: made by an operator, changed by their own administrators; what is signed for everybody is public."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from psycopg.types.json import Jsonb

from cluster import places
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.eventlog import slips
from content.errors import ContentError
from serve_app.auth import Authenticated, Caller, Platform, Public
from serve_app.conditions import UNCHANGED, etag_of, not_modified, require_match
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import PRINTABLE, Page
from serve_app.models.storage import Deletion, NewDeletion
from serve_app.models.tenants import TENANT, Jwks, NewTenant, Tenant, TenantPatch, TenantRow, TrustLists
from serve_app.models.trust import RevocationKind, Revoked
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.taking_back import archived_again
from tasks import signed_lists, tenants
from tasks.elsewhere import home_of, require_not_elsewhere, revoked
from tasks.keeping import tenant_deletion
from tasks.signed_lists import LIST_VERSION

router = APIRouter(prefix="/v1/tenants", tags=["tenants"])
Name = Annotated[str, Path(pattern=TENANT, examples=["demo"])]
TENANTS = Listing(
    "tenants",
    "select tenant, region, policy, created_at from tenants",
    order=(Order("tenant", "tenant", str),),
    descending=False,
)


@router.post(
    "",
    status_code=201,
    response_model=Tenant,
    summary="Make a tenant: keys, trust list, settings, limits (scope operator)",
    responses=raises("tenant-exists", "tenant-closed", "wrong-region", "keys-unavailable", "not-archived"),
)
async def create(body: NewTenant, caller: Authenticated, platform: Platform, once: Idempotent) -> Response:
    caller.require("operator")
    async with archived_again(platform, body.tenant), platform.db.tenant(body.tenant) as tx:
        await once.begin(tx)
        now, actor = datetime.now(UTC), caller.subject
        await tenants.create(platform, tx, body.tenant, region=body.region, policy=body.policy, actor=actor, now=now)
        shown = await _read(tx, body.tenant)
        answer = await once.answer(tx, 201, shown, {"Location": f"/v1/tenants/{body.tenant}"})
    await slips.keep(platform, body.tenant)  # its keys, before anybody is told of them
    return answer


@router.get("", summary="Tenants of this region, by name (scope operator)")
async def list_tenants(paging: Paging, caller: Authenticated, platform: Platform) -> Page[TenantRow]:
    caller.require("operator")
    async with platform.ops.connection() as connection:
        return Page[TenantRow].model_validate(await TENANTS.page(connection, paging))


@router.get("/{tenant}", response_model=Tenant, summary="Settings, limits and keys of a tenant", responses=UNCHANGED)
async def show(tenant: Name, request: Request, response: Response, caller: Authenticated, platform: Platform) -> Any:
    """Its `ETag` is what a change has to name in `If-Match`."""
    _require(caller, "content:read", tenant)
    found = await _show(platform, tenant)
    headers = {"ETag": _etag(found), "Cache-Control": "private, no-cache"}
    if (same := not_modified(request, headers)) is not None:
        return same
    response.headers.update(headers)
    return found


@router.patch(
    "/{tenant}",
    summary="Change settings and limits of a tenant",
    responses=raises("precondition-failed", "precondition-required", "storage-unavailable"),
)
async def change(
    tenant: Name, body: TenantPatch, request: Request, response: Response, caller: Authenticated, platform: Platform
) -> Tenant:
    """A JSON merge patch (RFC 7396). `If-Match` must name the ETag of what is changed: 428 without it, 412 if somebody else
    was faster. Settings need the scope `tenant:admin`, limits `operator`."""
    _require(caller, "tenant:admin", tenant)
    if body.limits is not None:
        caller.require("operator")
    given = body.model_dump(mode="json", exclude_unset=True)
    async with platform.db.tenant(tenant) as tx:
        await fetch_one(tx, "select 1 as x from tenants for update")
        require_match(request, _etag(await _read(tx, tenant)))
        changed: list[str] = []
        if "policy" in given:
            await tx.execute(b"update tenants set policy = %s, updated_at = now()", [given["policy"]])
            changed.append("policy")
        for column in ("settings", "limits"):
            if members := given.get(column):
                await tx.execute(
                    f"update tenants set {column} = jsonb_strip_nulls({column} || %s), updated_at = now()".encode(),
                    [Jsonb(members)],
                )
                changed += [f"{column}.{name}" for name in members]
        await record(tx, request, caller, "tenant.changed", tenant, members=", ".join(changed))
        found = await _read(tx, tenant)
        if {"settings.site_csp", "settings.cors_origins"} & set(changed):
            # Here, where the tenant's row is locked: of two changes the edge is told the one that came last.
            told = json.dumps({"csp": found.settings.site_csp, "origins": found.settings.cors_origins}).encode()
            await asyncio.to_thread(platform.objects.put, places.site_settings(tenant), told, "application/json")
    response.headers["ETag"] = _etag(found)
    return found


@router.get(
    "/{tenant}/trust-lists",
    summary="The chain of trust lists and the newest revocation list (public)",
    dependencies=[Public],
    responses=raises("wrong-region"),
)
async def trust(
    tenant: Name,
    platform: Platform,
    since: Annotated[int, Query(ge=0, le=2**31 - 1, description="The trust lists behind this version.")] = 0,
    revocations_since: Annotated[
        str | None,
        Query(
            pattern=LIST_VERSION,
            description="What has changed since this revocation list, as a delta.",
            examples=["1.4"],
        ),
    ] = None,
) -> TrustLists:
    """With `revocations_since` the newest revocation list comes as `delta` (docs/bundle-format.md, "Revocation delta") if
    that version is known here, else as a whole."""
    async with platform.db.tenant(tenant, snapshot=True) as tx:
        found = await signed_lists.read(tx, since=since, delta_from=signed_lists.version(revocations_since))
        if found is None:
            await require_not_elsewhere(tx, platform.settings)
            raise not_found("tenant")
    return TrustLists.model_validate(found)


@router.get(
    "/{tenant}/jwks",
    response_model=Jwks,
    summary="The public signing keys in use (public)",
    dependencies=[Public],
    responses={**UNCHANGED, **raises("wrong-region")},
)
async def jwks(tenant: Name, request: Request, response: Response, platform: Platform) -> Any:
    async with platform.db.tenant(tenant) as tx:
        rows = await fetch_all(
            tx,
            """select kid, jwk from signing_keys
               where purpose = 'signing' and status = 'active' and not_after > now() order by not_before desc, kid""",
        )
        if not rows:
            await require_not_elsewhere(tx, platform.settings)
            raise not_found("tenant")
    found = Jwks.model_validate({"keys": [{**row["jwk"], "kid": row["kid"]} for row in rows]})
    headers = {"ETag": etag_of(found.model_dump(mode="json")), "Cache-Control": "public, max-age=60"}
    if (same := not_modified(request, headers)) is not None:
        return same
    response.headers.update(headers)
    return found


@router.post(
    "/{tenant}/deletion",
    status_code=202,
    response_model=Deletion,
    summary="Delete a tenant: its rows and all that is stored for it (scope operator)",
    responses=raises("held", "confirmation"),
)
async def delete(
    tenant: Name, body: NewDeletion, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """From the answer on the tenant serves nobody. Under a legal hold it is refused; with `partial` what holds on packages do not
    cover goes now, and a hold that is placed meanwhile stops it until its release. What stays is the name, the audit log with its archive,
    what was signed for everybody, and in the event log's archive what rows said (people by pseudonyms)."""
    caller.require("operator")
    if body.confirm != tenant:
        raise ContentError("confirmation", "The confirmation names another tenant.", f"Confirm with {tenant}.")
    async with platform.db.tenant(tenant) as tx:
        await once.begin(tx)
        before = await tenant_deletion.state(tx)
        job = await tenant_deletion.ask(tx, tenant, partial=body.partial)
        if before is None or before["job_id"] != job:
            await record(tx, request, caller, "tenant.closed", tenant, reason=body.reason)
        found = await _deletion(tx, tenant)
        return await once.answer(tx, 202, found, {"Location": f"/v1/tenants/{tenant}/deletion"})


@router.get("/{tenant}/deletion", summary="How far the deletion of a tenant is (scope operator)")
async def deletion(tenant: Name, caller: Authenticated, platform: Platform) -> Deletion:
    caller.require("operator")
    async with platform.db.tenant(tenant) as tx:
        return await _deletion(tx, tenant)


async def _deletion(tx: Transaction, tenant: str) -> Deletion:
    row = await tenant_deletion.state(tx)
    if row is None:
        raise not_found("deletion of a tenant")
    return Deletion.model_validate({**row, "tenant": tenant})


@router.get(
    "/{tenant}/revoked",
    summary="Whether something was taken back, in whatever region its tenant lives (public)",
    dependencies=[Public],
    responses=raises("not-found"),
)
async def ask_revoked(
    tenant: Name,
    kind: RevocationKind,
    id: Annotated[
        str, Query(min_length=1, max_length=256, pattern=PRINTABLE, description="`package/version` for a version.")
    ],
    platform: Platform,
) -> Revoked:
    """Answered from what this region has heard, also while the tenant's own region is away. Signed lists are what a reader
    goes by; this is for who has none at hand. 404 if nobody ever told of that tenant here."""
    async with platform.db.tenant(tenant, snapshot=True) as tx:
        if await fetch_one(tx, "select 1 as x from tenants") is None and await home_of(tx) is None:
            raise not_found("tenant")
        found = await revoked(tx, kind, id)
    known = {"tenant": tenant, "kind": kind, "id": id, "revoked": found is not None}
    return Revoked.model_validate({**known, "issued_at": found and found["issued_at"]})


def _require(caller: Caller, scope: str, tenant: str) -> None:
    """The scope, and that it is the caller's own tenant; another's is 404, as if it were not there. An operator may all."""
    caller.require(scope)
    if caller.tenant != tenant and "operator" not in caller.scopes:
        raise not_found("tenant")


def _etag(found: Tenant) -> str:
    return etag_of(found.model_dump(mode="json"))


async def _show(platform: Platform, tenant: str) -> Tenant:
    async with platform.db.tenant(tenant) as tx:
        return await _read(tx, tenant)


async def _read(tx: Transaction, tenant: str) -> Tenant:
    row = await fetch_one(tx, "select tenant, region, policy, settings, limits, created_at, updated_at from tenants")
    if row is None:
        raise not_found("tenant")
    if row["tenant"] != tenant:
        raise ContentError("internal", "row-level security did not hold")
    keys = await fetch_all(
        tx, "select kid, purpose, status, not_before, not_after from signing_keys order by not_before, kid"
    )
    return Tenant.model_validate({**row, "keys": keys})
