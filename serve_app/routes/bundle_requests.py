"""Having a device get what fits a space (ADR 0027).

The plan is computed in a thread, before the transaction, which then sees whether its version is still the newest one.
"""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from cluster.database import Transaction, fetch_all, fetch_one
from content.errors import ContentError, InvalidInput, Problem
from serve_app.auth import Authenticated, Caller, Platform
from serve_app.idempotency import Idempotent
from serve_app.models.bundles import Bundle
from serve_app.models.plans import BundleRequest, BundlesRequested
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.routes.bundles import COLUMNS
from serve_app.routes.plans import ENROLLED, newest, parsed, require_enrolled
from tasks import planning, plans

router = APIRouter(prefix="/v1/bundles", tags=["plans"])
TRIES = 3
"""How often a request is planned anew because a version was published meanwhile."""


@router.post(
    "",
    status_code=202,
    response_model=BundlesRequested,
    summary="Have a device get what fits a space",
    responses=raises(
        "not-found", "device-revoked", "not-enrolled", "space-too-small", "plan-outdated", "version-not-published",
        "version-withdrawn", "storage-unavailable",
    ),
)  # fmt: skip
async def ask(
    body: BundleRequest, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """The space is remembered: a version to come is planned for it anew. What the device has already it goes on using, and
    what waits for it otherwise is cancelled. Asking again for the same changes nothing. By a device, for itself, or with
    the scope `content:write`."""
    device_id = _for_whom(body, caller)
    for _ in range(TRIES):
        async with platform.db.tenant(caller.tenant) as tx:
            await once.begin(tx)  # what was answered before is answered before anything is computed
            device = await _device(tx, device_id)
            await _allowed(tx, body.package_id, device["learner_id"], caller)
            number = await newest(tx, body.package_id)
        manifest = await parsed(request, caller.tenant, body.package_id, number)
        rows = await asyncio.to_thread(plans.rows_for, manifest, [body.space]) if body.space else []
        async with platform.db.tenant(caller.tenant) as tx:
            await once.begin(tx)
            await planning.meet_learner(tx, caller.tenant, device["learner_id"])
            device = await _device(tx, device_id)
            await _allowed(tx, body.package_id, device["learner_id"], caller)
            if await newest(tx, body.package_id) != number:
                continue
            row = next((row for row in rows if row.profile == device["profile"]), None)
            _refuse(row, body)
            await plans.keep(tx, caller.tenant, manifest, rows)
            profile, again = await plans.ask(tx, caller.tenant, device_id, device["learner_id"], manifest, row)
            made = await fetch_all(
                tx,
                f"""select {COLUMNS} from bundles where device_id = %s and package_id = %s and version = %s and profile = %s
                    and plan_round = %s order by bundle_id""",
                [device_id, body.package_id, number, profile, again],
            )
            await record(
                tx, request, caller, "bundle.requested", device_id=device_id, package_id=body.package_id, profile=profile,
                space=body.space or "all",
            )  # fmt: skip
            answer = BundlesRequested(
                package_id=body.package_id,
                version=number,
                profile=profile,
                plan_id=row.choices.id if row else None,
                bundles=tuple(Bundle.model_validate(each) for each in made),
            )
            return await once.answer(tx, 202, answer)
    raise _outdated("New versions were published while this was planned.")


def _for_whom(body: BundleRequest, caller: Caller) -> str:
    if caller.device_id is not None:
        if body.device_id not in (None, caller.device_id):
            raise not_found("device")
        return caller.device_id
    caller.require("content:write")
    if body.device_id is None:
        what = Problem("/body/device_id", "missing", "A token does not say which device it is for: name it.")
        raise InvalidInput("request-invalid", "The request is not valid; `problems` says where.", "", False, (what,))
    return body.device_id


def _refuse(row: plans.Row | None, body: BundleRequest) -> None:
    if row is not None and row.planned_profile is None:
        raise ContentError(
            "space-too-small",
            f"The smallest bundle of this course for a {row.profile} has {row.bytes:,} bytes.",
            f"Give it {row.bytes:,} bytes or more.",
        )
    if body.plan_id is not None and (row is None or row.choices.id != body.plan_id):
        raise _outdated("This space has another plan by now than the one that was looked at.")


def _outdated(what: str) -> ContentError:
    return ContentError("plan-outdated", what, "Look at the plan again, and ask for that one.")


async def _device(tx: Transaction, device_id: str) -> dict[str, Any]:
    row = await fetch_one(tx, "select learner_id, profile, state from devices where device_id = %s", [device_id])
    if row is None:
        raise not_found("device")
    if row["state"] != "active":
        raise ContentError("device-revoked", "The device was deactivated.", "Register another device.")
    return row


async def _allowed(tx: Transaction, package_id: str, learner_id: str, caller: Caller) -> None:
    if caller.device_id is not None:
        await require_enrolled(tx, package_id, learner_id)
        return
    if await fetch_one(tx, "select 1 as x from packages where package_id = %s", [package_id]) is None:
        raise not_found("package")
    if await fetch_one(tx, ENROLLED, [package_id, learner_id]) is None:
        raise ContentError("not-enrolled", "The device's learner is not enrolled in this course.", "Enrol them first.")
