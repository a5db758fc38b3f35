"""Rebundles: ready bundles made anew in the lane bulk, after a look at what that costs."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from cluster.database import fetch_one
from serve_app.auth import Authenticated, Platform
from serve_app.idempotency import Idempotent
from serve_app.models.jobs import Job
from serve_app.models.rebundles import NewRebundle, RebundleEstimate
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.routes.jobs import SELECT
from tasks import rebundle
from tasks.rebundle import Selection

router = APIRouter(prefix="/v1/rebundles", tags=["bundles"])


@router.post(
    "",
    status_code=202,
    response_model=Job,
    summary="Make ready bundles anew, or say what that would cost",
    responses={
        **raises("not-found"),
        200: {"model": RebundleEstimate, "description": "With `dry_run`: what it would cost. Nothing was changed."},
    },
)
async def start(
    body: NewRebundle, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """Chosen bundles are packed anew under the current content keys, and their licences issued with the next number. Until a
    bundle's own turn has come its device gets what it got before, and so it stays if the job is cancelled or fails. Follow,
    cancel and retry it as a job; pause the queue `rebundle` to hold up all of them."""
    caller.require("content:write")
    devices = None if body.device_ids is None else tuple(body.device_ids)
    wanted = Selection(
        body.package_id, body.version, body.profile, body.policy, devices, body.outdated_keys, body.made_before
    )
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        if wanted.package_id is not None:
            known = await fetch_one(tx, "select 1 as x from packages where package_id = %s", [wanted.package_id])
            if known is None:
                raise not_found("package")
        if body.dry_run:
            found = await rebundle.estimate(tx, wanted, platform.settings)
            return await once.answer(tx, 200, RebundleEstimate.model_validate(vars(found)))
        job = await rebundle.start(tx, caller.tenant, wanted, body.reason)
        await record(tx, request, caller, "rebundle.started", job_id=job, reason=body.reason)
        row = await fetch_one(tx, f"{SELECT} where job_id = %s", [job]) or {}
        return await once.answer(tx, 202, Job.of(row), {"Location": f"/v1/jobs/{job}"})
