"""Jobs: long work as rows, with progress by stage and, where it failed, the problem; cancelled and tried again here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from cluster.database import Transaction, fetch_one
from serve_app.auth import Authenticated, Platform
from serve_app.idempotency import Idempotent
from serve_app.job_events import EXAMPLE, EventStream, JobEvents, stream
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Before, Given, Id, Page, Since
from serve_app.models.jobs import Job
from serve_app.problems import not_found, raises
from serve_app.record import record
from tasks import rotation_job, steering
from tasks.job_states import ENDED, State

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
SELECT = """select job_id, kind, subject, state, attempt, progress, message, stages, result, problem, revision,
                   created_at, updated_at, traceparent from jobs"""
JOBS = Listing(
    "jobs",
    SELECT,
    filters={
        "state": "state = %(state)s",
        "kind": "kind = %(kind)s",
        "package_id": "package_id = %(package_id)s",
        "created_from": "created_at >= %(created_from)s",
        "created_before": "created_at < %(created_before)s",
    },
    order=(Order("created_at", "created_at", datetime), Order("job_id", "job_id", str)),
)


@router.get("", summary="Jobs of the tenant, newest first")
async def list_jobs(
    paging: Paging,
    caller: Authenticated,
    platform: Platform,
    state: State | None = None,
    kind: Given = None,
    package_id: Given = None,
    created_from: Since = None,
    created_before: Before = None,
) -> Page[Job]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        found = await JOBS.page(
            tx,
            paging,
            state=state,
            kind=kind,
            package_id=package_id,
            created_from=created_from,
            created_before=created_before,
        )
    return Page[Job](items=tuple(Job.of(row) for row in found["items"]), next=found["next"])


@router.get("/{job_id}", summary="One job", responses=raises("not-found"))
async def show(job_id: Id, caller: Authenticated, platform: Platform) -> Job:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        return await _one(tx, job_id)


@router.get(
    "/{job_id}/events",
    summary="Follow a job (server-sent events)",
    status_code=200,
    response_class=EventStream,
    responses={
        200: {
            "description": "`progress` with every change and `end` with the last one; ids are the job's revisions. "
            "Closes after 25 seconds: come again with Last-Event-ID.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
        },
        **raises("not-found", "too-many-streams", "streams-full"),
        204: {"description": "The job has ended and Last-Event-ID is its last revision: there is nothing to come."},
    },
)
async def events(
    job_id: Id,
    request: Request,
    caller: Authenticated,
    platform: Platform,
    last_event_id: Annotated[int, Header(ge=0, le=2**63 - 1, description="the id of the last event that was seen")] = 0,
) -> Response:
    caller.require("content:read")

    async def read() -> dict[str, Any] | None:
        async with platform.db.tenant(caller.tenant) as tx:
            row = await fetch_one(tx, f"{SELECT} where job_id = %s", [job_id])
        return row and {**row, "ended": row["state"] in ENDED}

    first = await read()
    if first is None:
        raise not_found("job")
    if first["ended"] and first["revision"] <= last_event_id:
        return Response(status_code=204)
    hub: JobEvents = request.app.state.job_events
    leave = hub.take_seat(caller.tenant)

    async def followed() -> AsyncIterator[str]:
        with hub.follow(caller.tenant, job_id) as woken:
            async for text in stream(woken, read, last_event_id, platform.settings.sse_max_s):
                yield text

    return EventStream(followed(), leave)


@router.delete(
    "/{job_id}",
    summary="Cancel a job",
    responses={
        **raises("not-found", "job-ended"),
        202: {"model": Job, "description": "It is being stopped; follow it until it is `cancelled`."},
    },
)
async def cancel(job_id: Id, request: Request, response: Response, caller: Authenticated, platform: Platform) -> Job:
    """A job that waits is cancelled at once (200); one that runs is stopped within seconds and leaves nothing behind
    (202). Asking again changes nothing. A job that succeeded or failed answers 409 `job-ended`. Who may not rotate keys may
    not stop a rotation's job either."""
    caller.require("content:write")
    async with platform.db.tenant(caller.tenant) as tx:
        before = await fetch_one(tx, "select kind, state from jobs where job_id = %s for no key update", [job_id])
        if before is not None and before["kind"] == rotation_job.KIND:
            caller.require("operator")
        state = await steering.cancel(tx, caller.tenant, job_id)
        job = await _one(tx, job_id)
        if before is not None and before["state"] != state:
            await record(tx, request, caller, "job.cancelled", job_id=job_id)
    response.status_code = 202 if state is State.CANCELLING else 200
    return job


@router.post(
    "/{job_id}/retry",
    status_code=202,
    summary="Try a failed or cancelled job again",
    response_model=Job,
    responses=raises("not-found", "job-not-retryable"),
)
async def retry(job_id: Id, request: Request, once: Idempotent, caller: Authenticated, platform: Platform) -> Response:
    """The same job is queued anew and its attempts are counted from the beginning. What it had finished before is not
    made again. Any other state answers 409 `job-not-retryable`."""
    caller.require("content:write")
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        await steering.retry(tx, caller.tenant, job_id)
        job = await _one(tx, job_id)
        await record(tx, request, caller, "job.retried", job_id=job_id)
        return await once.answer(tx, 202, job, {"Location": job.links["self"]})


async def _one(tx: Transaction, job_id: str) -> Job:
    row = await fetch_one(tx, f"{SELECT} where job_id = %s", [job_id])
    if row is None:
        raise not_found("job")
    return Job.of(row)
