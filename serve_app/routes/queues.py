"""The work queues, for operators: what waits, what runs, and pausing one without losing anything."""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Request

from serve_app.auth import Authenticated, Caller, Platform
from serve_app.models.base import Id
from serve_app.models.jobs import Queue, Queues
from serve_app.problems import not_found, raises
from serve_app.record import record
from tasks import queues

router = APIRouter(prefix="/v1/queues", tags=["queues"])
log = structlog.get_logger()


@router.get("", summary="All queues")
async def list_queues(caller: Authenticated, platform: Platform) -> Queues:
    caller.require("operator")
    return await _read(platform)


@router.post("/{name}/pause", summary="Pause a queue", responses=raises("not-found"))
async def pause(name: Id, request: Request, caller: Authenticated, platform: Platform) -> Queue:
    """Workers take nothing new from it; what runs goes on, and what comes waits. It survives restarts, and pausing it
    again changes nothing."""
    return await _switched(platform, request, caller, name, paused=True)


@router.post("/{name}/resume", summary="Let a paused queue go on", responses=raises("not-found"))
async def resume(name: Id, request: Request, caller: Authenticated, platform: Platform) -> Queue:
    return await _switched(platform, request, caller, name, paused=False)


async def _switched(platform: Platform, request: Request, caller: Caller, name: str, *, paused: bool) -> Queue:
    """The operator's own tenant keeps the record: a queue belongs to nobody's."""
    caller.require("operator")
    async with platform.db.tenant(caller.tenant) as tx:
        switched = await (queues.pause(tx, name, caller.subject) if paused else queues.resume(tx, name))
        if not switched:
            raise not_found("queue")
        await record(tx, request, caller, "queue.paused" if paused else "queue.resumed", queue=name)
    log.warning("queue paused" if paused else "queue resumed", queue=name)
    return next(queue for queue in (await _read(platform)).items if queue.name == name)


async def _read(platform: Platform) -> Queues:
    async with platform.ops.connection() as connection:
        return Queues.model_validate({"items": await queues.read(connection)})
