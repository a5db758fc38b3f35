"""Jobs: long work as rows, with progress and, where it failed, the problem."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from cluster.database import fetch_all, fetch_one
from serve_app.auth import Authenticated, Platform
from serve_app.pages import Cursor, Limit, decode, page
from serve_app.problems import not_found

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
COLUMNS = "job_id, kind, subject, state, attempt, progress, message, result, problem, created_at, updated_at"


@router.get("", summary="Jobs of the tenant, newest first")
async def list_jobs(
    request: Request,
    response: Response,
    caller: Authenticated,
    platform: Platform,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"] | None = None,
) -> dict[str, Any]:
    caller.require("content:read")
    after = decode(cursor, 2)
    async with platform.db.tenant(caller.tenant) as tx:
        rows = await fetch_all(
            tx,
            f"""select {COLUMNS} from jobs
                where (%(state)s::text is null or state = %(state)s)
                  and (%(at)s::timestamptz is null or (created_at, job_id) < (%(at)s::timestamptz, %(id)s::text))
                order by created_at desc, job_id desc limit %(limit)s""",
            {"state": state, "at": after and after[0], "id": after and after[1], "limit": limit + 1},
        )
    return page(request, response, rows, limit, "created_at", "job_id")


@router.get("/{job_id}", summary="One job")
async def show(job_id: str, caller: Authenticated, platform: Platform) -> dict[str, Any]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await fetch_one(tx, f"select {COLUMNS} from jobs where job_id = %s", [job_id])
    if row is None:
        raise not_found("job")
    return row
