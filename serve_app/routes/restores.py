"""Bringing a version back from cold storage before anybody needs it; whoever asks for what is cold has it brought back anyway."""

from __future__ import annotations

from fastapi import APIRouter, Response

from cluster.database import fetch_one
from serve_app.auth import Authenticated, Platform
from serve_app.cold_answers import restoring
from serve_app.idempotency import Idempotent
from serve_app.models.base import Id, Number
from serve_app.models.storage import NewRestore, Restore, RestoreAsked
from serve_app.problems import not_found
from tasks.keeping import cold, uses
from tasks.keeping.cold import Unit

router = APIRouter(prefix="/v1/packages/{package_id}/versions/{version}", tags=["packages"])


@router.post(
    "/restore",
    status_code=202,
    response_model=Restore,
    summary="Bring a version back from cold storage",
    responses={200: {"model": RestoreAsked, "description": "It is hot, and counts as used now."}},
)
async def restore(
    package_id: Id, version: Number, body: NewRestore, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """Its manifest and all its assets; follow it as a job. While one is at work, the answer is that one."""
    caller.require("content:write")
    tier = (body.tier or "").capitalize() or platform.settings.cold_tier
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        known = await fetch_one(
            tx, "select 1 as x from package_versions where package_id = %s and version = %s", [package_id, version]
        )
        if known is None:
            raise not_found("version")
        unit = Unit.version(package_id, version)
        job = await cold.ask(tx, caller.tenant, unit, tier)
        if job is None:
            await uses.write(tx, caller.tenant, [(unit.kind, unit.subject)])
            return await once.answer(tx, 200, RestoreAsked())
        row = await fetch_one(tx, "select state, progress, message from jobs where job_id = %s", [job])
        assert row is not None
        told = Restore(job_id=job, state=row["state"], progress=row["progress"], message=row["message"])
        sent = restoring(job, row).headers
        return await once.answer(tx, 202, told, {name: sent[name] for name in ("Location", "Retry-After")})
