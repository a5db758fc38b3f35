"""What lies in cold storage is answered with 202 and the job that brings it back, whichever route meets it.

A route that reads a blob meets it as `ObjectCold`; one that only hands out an address asks first (`tasks.keeping.cold.require_hot`). Asking
again while the job is at work gives the same job; when it has ended the same request is answered as ever. `?tier=` of the request
says how fast, where the store knows a difference.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from cluster.connections import Connections
from cluster.database import fetch_one
from content.errors import ContentError, ObjectCold
from serve_app.models.storage import Restore
from serve_app.problems import answer
from serve_app.requests import Caller, caller_of
from tasks.keeping import cold
from tasks.keeping.cold import Unit, UnitCold

RETRY_AFTER_S = 5
TIERS = ("bulk", "standard", "expedited")
Tier = Annotated[
    Literal["bulk", "standard", "expedited"] | None,
    Query(
        description="If it lies in cold storage: how fast it is to be restored. Default: as the service does. `expedited` costs "
        "extra and needs the scope content:write."
    ),
]
RESTORING: dict[int | str, dict[str, Any]] = {
    202: {"model": Restore, "description": "It lies in cold storage; the job at `Location` brings it back."}
}


def install(app: FastAPI) -> None:
    async def handled(request: Request, error: Exception) -> Response:
        assert isinstance(error, ObjectCold)
        try:
            found = await _ask(request, error)
        except ContentError as failed:
            return answer(failed, request.scope)
        # Hot by now: the job ended between our look and our question.
        return found or answer(
            ContentError("storage-unavailable", "It has just come back.", "Ask again.", True), request.scope
        )

    app.add_exception_handler(ObjectCold, handled)


async def _ask(request: Request, error: ObjectCold) -> Response | None:
    caller, platform = caller_of(request.scope), request.app.state.connections
    if caller is None:
        return None
    tier = _tier(request, caller) or platform.settings.cold_tier
    async with platform.db.tenant(caller.tenant) as tx:
        unit = Unit(error.kind, error.subject) if isinstance(error, UnitCold) else await cold.unit_of(tx, caller.tenant, error.key)  # fmt: skip
        job = None if unit is None else await cold.ask(tx, caller.tenant, unit, tier)
        row = job and await fetch_one(tx, "select state, progress, message from jobs where job_id = %s", [job])
    if not row or job is None:
        return None
    return restoring(job, row)


def _tier(request: Request, caller: Caller) -> str:
    """How fast, where the request says so; asked here for routes that do not know the parameter, too. What costs by the request and
    the gigabyte is not for everybody who may read."""
    tier = request.query_params.get("tier", "")
    if tier and tier not in TIERS:
        raise ContentError(
            "request-invalid", f"tier is one of {', '.join(TIERS)}.", "Leave it out, or name one of them."
        )
    if tier == "expedited":
        caller.require("content:write")
    return tier.capitalize()


def restoring(job: str, row: dict[str, Any]) -> Response:
    """202 with the job."""
    found = Restore(job_id=job, state=row["state"], progress=row["progress"], message=row["message"])
    headers = {"Location": f"/v1/jobs/{job}", "Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
    return JSONResponse(found.model_dump(mode="json"), 202, headers)


async def flush_uses(connections: Connections, uses: Any) -> None:
    """Write down what was used, every so often, for as long as this replica lives."""
    while True:
        await asyncio.sleep(connections.settings.uses_flush_s)
        await uses.flush()
