"""Enrolments as the neighbours told of them; read only, since enrollment-service is where they change."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter

from cluster.database import fetch_one
from serve_app.auth import Authenticated, Platform
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Before, Given, Id, Page, Since
from serve_app.models.bundles import Enrolment
from serve_app.problems import not_found

router = APIRouter(prefix="/v1/enrolments", tags=["enrolments"])
COLUMNS = "enrollment_id, learner_id, course_id, state, starts_at, ends_at, created_at"
ENROLMENTS = Listing(
    "enrolments",
    f"select {COLUMNS} from enrolments",
    filters={
        "learner_id": "learner_id = %(learner_id)s",
        "course_id": "course_id = %(course_id)s",
        "state": "state = %(state)s",
        "created_from": "created_at >= %(created_from)s",
        "created_before": "created_at < %(created_before)s",
    },
    order=(Order("created_at", "created_at", datetime), Order("enrollment_id", "enrollment_id", str)),
)


@router.get("", summary="Enrolments, newest first")
async def list_enrolments(
    paging: Paging,
    caller: Authenticated,
    platform: Platform,
    learner_id: Given = None,
    course_id: Given = None,
    state: Literal["active", "cancelled"] | None = None,
    created_from: Since = None,
    created_before: Before = None,
) -> Page[Enrolment]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        found = await ENROLMENTS.page(
            tx,
            paging,
            learner_id=learner_id,
            course_id=course_id,
            state=state,
            created_from=created_from,
            created_before=created_before,
        )
    return Page[Enrolment].model_validate(found)


@router.get("/{enrollment_id}", summary="One enrolment")
async def show(enrollment_id: Id, caller: Authenticated, platform: Platform) -> Enrolment:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await fetch_one(tx, f"select {COLUMNS} from enrolments where enrollment_id = %s", [enrollment_id])
    if row is None:
        raise not_found("enrolment")
    return Enrolment.model_validate(row)
