"""Alive, and ready: what is not ready is named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from cluster.connections import Connections
from cluster.database import fetch_one
from serve_app.auth import Platform

router = APIRouter(tags=["health"])


@router.get("/livez", summary="Is this replica alive?")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/readyz", summary="Can it serve? Names what it waits for.", responses={503: {"description": "not ready"}})
async def readyz(platform: Platform) -> JSONResponse:
    checks = {"postgres": _postgres(platform), "storage": _storage(platform), "keys": _keys(platform)}
    results = await asyncio.gather(*(_try(check) for check in checks.values()))
    states = dict(zip(checks, results, strict=True))
    ready = all(state == "ok" for state in states.values())
    return JSONResponse({"status": "ready" if ready else "not ready", "parts": states}, 200 if ready else 503)


async def _try(check: Awaitable[Any]) -> str:
    try:
        await asyncio.wait_for(check, 3.0)
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the part is not ready
        return getattr(error, "code", type(error).__name__)
    return "ok"


async def _postgres(platform: Connections) -> None:
    async with platform.db.connection() as connection:
        await fetch_one(connection, "select 1 as x")


async def _storage(platform: Connections) -> None:
    await asyncio.to_thread(platform.objects.size, "readyz")


async def _keys(platform: Connections) -> None:
    await asyncio.to_thread(platform.keys.ready)
