"""Erasures of learners of the caller's tenant: asked for, and how far they are. No answer says whose they were."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request, Response

from cluster.database import Transaction, fetch_one
from serve_app.auth import Authenticated, Platform
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Id, Page
from serve_app.models.storage import Erasure, NewErasure
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.taking_back import archived_again, list_now
from tasks.keeping import erasure

router = APIRouter(prefix="/v1/erasures", tags=["erasures"])
COLUMNS = "erasure_id, pseudonym, state, counts, job_id, requested_at, done_at"
ERASURES = Listing(
    "erasures",
    f"select {COLUMNS} from erasures",
    filters={"state": "state = %(state)s"},
    order=(Order("requested_at", "requested_at", datetime), Order("erasure_id", "erasure_id", str)),
)


@router.post(
    "",
    status_code=202,
    response_model=Erasure,
    summary="Erase a learner (right to erasure)",
    responses=raises("not-archived"),
)
async def erase(
    body: NewErasure, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    """When this answers, no row names the learner any more, their devices are taken back and emptied of their keys, and the
    content keys that were theirs alone are gone; the job removes what was made for them. It cannot be undone. Asking again gives
    the same erasure, and for somebody who is not known here one that finds nothing."""
    caller.require("tenant:admin")
    async with archived_again(platform, caller.tenant), platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        if await fetch_one(tx, "select 1 as x from tenants") is None:
            raise not_found("tenant")
        found = await erasure.erase(tx, caller.tenant, body.learner_id)
        if found.new:
            about: dict[str, str | int] = {"erasure_id": found.erasure_id, "pseudonym": found.pseudonym, **found.counts}
            await record(tx, request, caller, "learner.erasure", None, **about)
        row = await _row(tx, found.erasure_id)
        answer = await once.answer(tx, 202, row, {"Location": f"/v1/jobs/{row.job_id}"})
    await list_now(platform, caller.tenant)
    return answer


@router.get("", summary="Erasures, newest first")
async def list_erasures(
    paging: Paging,
    caller: Authenticated,
    platform: Platform,
    state: Literal["erasing", "held", "done"] | None = None,
) -> Page[Erasure]:
    caller.require("tenant:admin")
    async with platform.db.tenant(caller.tenant) as tx:
        return Page[Erasure].model_validate(await ERASURES.page(tx, paging, state=state))


@router.get("/{erasure_id}", summary="How far an erasure is")
async def show(erasure_id: Id, caller: Authenticated, platform: Platform) -> Erasure:
    caller.require("tenant:admin")
    async with platform.db.tenant(caller.tenant) as tx:
        return await _row(tx, erasure_id)


async def _row(tx: Transaction, erasure_id: str) -> Erasure:
    row = await fetch_one(tx, f"select {COLUMNS} from erasures where erasure_id = %s", [erasure_id])
    if row is None:
        raise not_found("erasure")
    return Erasure.model_validate(row)
