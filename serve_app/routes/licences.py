"""The life of a licence: its status, and what its device asks of it (register, renew, return) by a proof with its key."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from cluster import database
from cluster.connections import Connections
from cluster.database import Transaction
from content.bundles.status import sentence
from serve_app.auth import Authenticated, Caller, Platform
from serve_app.idempotency import Idempotent
from serve_app.models.base import Id
from serve_app.models.trust import LicenceStatus, Renewal
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.taking_back import archived_again, list_now
from tasks import licence_life
from tasks.licence_life import LicenceLife

router = APIRouter(prefix="/v1/bundles/{bundle_id}/licence", tags=["bundles"])
ENDED = ("not-found", "licence-returned", "licence-revoked", "licence-cancelled")


@router.get("", summary="The state of a bundle's licence (a device sees its own)")
async def status(bundle_id: Id, caller: Authenticated, platform: Platform) -> LicenceStatus:
    """In the words of Readium LCP: ready, active, expired, returned, revoked or cancelled; with days left and events."""
    _require(caller, "content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        return await _status(tx, platform, caller, bundle_id)


@router.post(
    "/registrations",
    status_code=201,
    response_model=LicenceStatus,
    summary="Its device has installed it",
    responses=raises(*ENDED),
)
async def register(bundle_id: Id, caller: Authenticated, platform: Platform, once: Idempotent) -> Response:
    """From `ready` to `active`. Again changes nothing."""
    _require(caller, "content:write")
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        found = await _held(tx, platform, caller, bundle_id)
        await licence_life.register(tx, caller.tenant, found, found.row["device_id"])
        return await once.answer(tx, 201, await _status(tx, platform, caller, bundle_id))


@router.post(
    "/renewals",
    status_code=202,
    response_model=LicenceStatus,
    summary="Have the licence last longer",
    responses=raises(*ENDED, "renewal-ended", "renewal-end"),
)
async def renew(
    bundle_id: Id, body: Renewal, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """Also after it has expired. The next issue of the licence comes in a moment (`renewing` until then); it opens what is
    installed, so no payload is fetched again. Where nothing is to be won, the answer is the status as it is."""
    _require(caller, "content:write")
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        found, now = await _held(tx, platform, caller, bundle_id), await database.now(tx)
        renewed = await licence_life.renew(tx, caller.tenant, found, now, body.end, caller.device_id)
        shown = await _status(tx, platform, caller, bundle_id)
        answer = await once.answer(tx, 202, shown, {"Location": f"/v1/bundles/{bundle_id}/licence"})
        if renewed and caller.device_id is None:
            await record(tx, request, caller, "licence.renewed", bundle_id=bundle_id)
    return answer


@router.post(
    "/returns",
    status_code=201,
    response_model=LicenceStatus,
    summary="Give the course back",
    responses=raises("not-found", "licence-revoked", "licence-cancelled", "not-archived"),
)
async def give_back(
    bundle_id: Id, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """For good: this enrolment brings nothing more to this device. Again changes nothing."""
    _require(caller, "content:write")
    async with archived_again(platform, caller.tenant), platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        found = await _held(tx, platform, caller, bundle_id)
        await licence_life.give_back(tx, caller.tenant, found, caller.device_id)
        answer = await once.answer(tx, 201, await _status(tx, platform, caller, bundle_id))
        if found.row["returned_at"] is None:
            await record(tx, request, caller, "licence.returned", bundle_id=bundle_id)
    await list_now(platform, caller.tenant)
    return answer


def _require(caller: Caller, scope: str) -> None:
    if caller.device_id is None:
        caller.require(scope)


async def _held(tx: Transaction, platform: Connections, caller: Caller, bundle_id: str) -> LicenceLife:
    return await _read(tx, platform, caller, bundle_id, hold=True)


async def _read(
    tx: Transaction, platform: Connections, caller: Caller, bundle_id: str, *, hold: bool = False
) -> LicenceLife:
    found = await licence_life.read(tx, platform, bundle_id, await database.now(tx), hold=hold)
    if found is None or caller.device_id not in (None, found.row["device_id"]):
        raise not_found("licence")
    return found


async def _status(tx: Transaction, platform: Connections, caller: Caller, bundle_id: str) -> LicenceStatus:
    found, now = await _read(tx, platform, caller, bundle_id), await database.now(tx)
    life, row = found.life, found.row
    state = life.status(now)
    return LicenceStatus.model_validate(
        {
            **row,
            "status": str(state),
            "message": sentence(state, life.not_after, now),
            "days_left": life.days_left(now),
            "renewable_until": found.renewable_until,
            "renewing": found.renewing,
            "updated": row["issued_at"],
            "events": await licence_life.events(tx, bundle_id),
        }
    )
