"""Legal holds of the caller's tenant: placed, listed, released. While one is on, nothing that it covers is deleted."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response

from cluster.database import Transaction, fetch_one
from cluster.eventlog import slips
from serve_app.auth import Authenticated, Platform
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Given, Id, Page
from serve_app.models.storage import Hold, HoldRelease, NewHold
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.taking_back import archived_again
from tasks.keeping import holds

router = APIRouter(prefix="/v1/holds", tags=["holds"])
COLUMNS = "hold_id, package_id, reason, by_operator, job_id, placed_at, released_at, release_reason"
HOLDS = Listing(
    "holds",
    f"select {COLUMNS} from holds",
    filters={"package_id": "package_id = %(package_id)s"},
    order=(Order("placed_at", "placed_at", datetime), Order("hold_id", "hold_id", str)),
)


@router.post(
    "",
    status_code=201,
    response_model=Hold,
    summary="Place a legal hold",
    responses=raises("not-found", "not-archived"),
)
async def place(
    body: NewHold, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """It is on from the answer on, whoever asks to delete, and outlives the loss of the region; the object store's own locks follow by
    the job. A hold that an operator placed is released by operators alone."""
    caller.require("tenant:admin")
    operator = "operator" in caller.scopes
    async with archived_again(platform, caller.tenant), platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        if await fetch_one(tx, "select 1 as x from tenants") is None:
            raise not_found("tenant")
        placed = await holds.place(tx, caller.tenant, body.package_id, body.reason, by_operator=operator)
        about = {"package_id": body.package_id} if body.package_id else {}
        await record(tx, request, caller, "hold.placed", hold_id=placed.hold_id, reason=body.reason, **about)
        row = await _row(tx, placed.hold_id)
        answer = await once.answer(tx, 201, row, {"Location": f"/v1/holds/{placed.hold_id}"})
    await slips.keep(platform, caller.tenant)
    return answer


@router.get("", summary="Holds, newest first, released ones too")
async def list_holds(paging: Paging, caller: Authenticated, platform: Platform, package_id: Given = None) -> Page[Hold]:
    caller.require("tenant:admin")
    async with platform.db.tenant(caller.tenant) as tx:
        return Page[Hold].model_validate(await HOLDS.page(tx, paging, package_id=package_id))


@router.get("/{hold_id}", summary="One hold")
async def show(hold_id: Id, caller: Authenticated, platform: Platform) -> Hold:
    caller.require("tenant:admin")
    async with platform.db.tenant(caller.tenant) as tx:
        return await _row(tx, hold_id)


@router.post(
    "/{hold_id}/release",
    response_model=Hold,
    summary="Release a hold",
    responses=raises("hold-of-operator", "not-archived"),
)
async def release(
    hold_id: Id, body: HoldRelease, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """Erasures and deletions that it had stopped go on. Asking again changes nothing."""
    caller.require("tenant:admin")
    operator = "operator" in caller.scopes
    async with archived_again(platform, caller.tenant), platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        if await holds.release(tx, caller.tenant, hold_id, body.reason, by_operator=operator):
            await record(tx, request, caller, "hold.released", hold_id=hold_id, reason=body.reason)
        answer = await once.answer(tx, 200, await _row(tx, hold_id))
    await slips.keep(platform, caller.tenant)
    return answer


async def _row(tx: Transaction, hold_id: str) -> Hold:
    row = await fetch_one(tx, f"select {COLUMNS} from holds where hold_id = %s", [hold_id])
    if row is None:
        raise not_found("hold")
    return Hold.model_validate(row)
