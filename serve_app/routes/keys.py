"""Rotations of a tenant's keys: scheduled, of the roots, in an emergency, and as a drill."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from cluster import database
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.eventlog import slips
from content.errors import ContentError
from serve_app.auth import Authenticated, Caller, Platform
from serve_app.idempotency import Idempotent, Once, Replay
from serve_app.models.tenants import TENANT
from serve_app.models.trust import NewRotation
from serve_app.models.trust import Rotation as Shown
from serve_app.problems import not_found, raises
from serve_app.record import record
from tasks import drill, rotation, rotation_job
from tasks.rotation import Rotated

router = APIRouter(prefix="/v1/tenants/{tenant}/keys", tags=["trust"])
Name = Annotated[str, Path(pattern=TENANT, examples=["demo"])]


@router.post(
    "/rotations",
    status_code=202,
    response_model=Shown,
    summary="Rotate the keys of a tenant (scope operator)",
    responses=raises(
        "not-found", "key-announced", "key-revoked", "kid-unknown", "drill-tenant", "keys-unavailable", "not-archived"
    ),
)
async def rotate(
    tenant: Name, body: NewRotation, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """`scheduled` publishes the next signing key, which begins to sign in a month; `root` replaces a root key. `emergency`
    revokes the signing key in use (or `kid`): when this answers, both lists say so and a fresh key signs; the job then signs
    every licence and manifest again that the revoked one had signed. `drill` is the same on a tenant that is marked for it."""
    caller.require("operator")
    try:
        answer = await _rotate(tenant, body, request, caller, platform, once)
    except Replay:  # the first answer may not have been given, since the archive was not there
        await slips.keep(platform, tenant)
        raise
    await slips.keep(platform, tenant)
    return answer


async def _rotate(
    tenant: str, body: NewRotation, request: Request, caller: Caller, platform: Connections, once: Once
) -> Response:
    async with platform.db.tenant(tenant) as tx:
        await once.begin(tx)
        await _known(tx, drill=body.kind == "drill")
        now, job = await database.now(tx), None
        match body.kind:
            case "scheduled":
                found = await rotation.announce(tx, platform, tenant, now, body.lead_s)
            case "root":
                found = await rotation.roots(tx, platform, tenant, now)
            case "emergency" | "drill":
                found = await rotation.emergency(tx, platform, tenant, now, kid=body.kid, reason=body.reason)
                if body.kind == "drill":
                    job = await drill.begin(tx, tenant, found, "operator", now)
                else:
                    subject = {"kind": body.kind, "kid": str(found.replaced), "new_kid": found.kid}
                    job = await rotation_job.plan(tx, tenant, subject)
        shown = _shown(body.kind, found, job)
        answer = await once.answer(tx, 202, shown, {"Location": f"/v1/jobs/{job}"} if job else None)
        details = {"kid": found.kid, "replaced": found.replaced or "", "reason": body.reason}
        await record(tx, request, caller, f"keys.{body.kind}", tenant, **details, trust_version=found.trust_version)
    return answer


def _shown(kind: str, found: Rotated, job: str | None) -> Shown:
    return Shown.model_validate({**vars(found), "kind": kind, "job_id": job})


async def _known(tx: Transaction, *, drill: bool) -> None:
    row = await fetch_one(tx, "select settings from tenants")
    if row is None:
        raise not_found("tenant")
    if drill and not row["settings"].get("drill"):
        raise ContentError(
            "drill-tenant",
            "This tenant is not marked for drills.",
            "Mark one that nobody learns in: settings.drill = true.",
        )
