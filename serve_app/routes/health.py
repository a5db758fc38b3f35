"""Alive, and ready: what is not ready is named; and which release answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from cluster import migrations
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.settings import Settings
from content.packages.manifest import SHAPE
from serve_app.auth import Platform

KNOWN_S = 1.0
router = APIRouter(tags=["health"])


@router.get("/livez", summary="Is this replica alive?")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@router.get("/version", summary="Which release answers, and which shape its manifests have")
async def version() -> dict[str, str | int]:
    """What the promoter of a release asks both versions (docs/release.md). Says nothing of what is inside."""
    settings = Settings.load()
    return {"release": settings.release, "track": settings.release_track, "manifest_shape": SHAPE}


@router.get("/readyz", summary="Can it serve? Names what it waits for.", responses={503: {"description": "not ready"}})
async def readyz(request: Request, platform: Platform) -> JSONResponse:
    state = request.app.state
    if not hasattr(state, "readiness"):
        state.readiness = Readiness(platform)
    parts = await state.readiness.parts()
    ready = all(told == "ok" for told in parts.values())
    return JSONResponse({"status": "ready" if ready else "not ready", "parts": parts}, 200 if ready else 503)


class SchemaOldError(Exception):
    """The migrations of this release have not all run; `content-service doctor` names them."""

    code = "schema-old"


class Readiness:
    """How each part is, asked at most once a second however many ask us. NATS is not among them: without it the API serves
    all the same, and events wait in the outbox."""

    def __init__(self, platform: Connections) -> None:
        self._platform, self._turn = platform, asyncio.Lock()
        self._known: dict[str, str] = {}
        self._until = 0.0
        self._schema_seen = False

    async def parts(self) -> dict[str, str]:
        """Part → `ok`, or what is wrong with it."""
        async with self._turn:
            if time.monotonic() >= self._until:
                checks = {"postgres": self._postgres(), "storage": self._storage(), "keys": self._keys()}
                results = await asyncio.gather(*(_try(check) for check in checks.values()))
                self._known = dict(zip(checks, results, strict=True))
                self._until = time.monotonic() + KNOWN_S
            return self._known

    async def _postgres(self) -> None:
        async with self._platform.db.connection() as connection:
            await fetch_one(connection, "select 1 as x")
            if self._schema_seen:  # a schema does not go back
                return
            if await migrations.missing(connection):
                raise SchemaOldError
            self._schema_seen = True

    async def _storage(self) -> None:
        await asyncio.to_thread(self._platform.objects.size, "readyz")

    async def _keys(self) -> None:
        await asyncio.to_thread(self._platform.keys.ready)


async def _try(check: Awaitable[Any]) -> str:
    try:
        await asyncio.wait_for(check, 3.0)
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the part is not ready
        return getattr(error, "code", type(error).__name__)
    return "ok"
