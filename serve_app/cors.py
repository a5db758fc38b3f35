"""Which browser pages may read answers: those whose origin the caller's tenant lists in its setting `cors_origins`.

A preflight carries no token, so it is answered for an origin that any tenant lists; the answer proper names the origin
only if the tenant of the proven caller lists it. Without a proven caller (public routes, refused tokens) the answer holds
nothing of a tenant's, and is treated as the preflight. Never `*`, never credentials (ADR 0016).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster.database import Database, fetch_all
from content.errors import ContentError
from content.origins import is_origin
from serve_app.requests import caller_of

FRESH_S = 15.0
METHODS = "GET, POST, PUT, PATCH, DELETE"
ASKED = (
    "Authorization, Content-Tenant, Content-Type, DPoP, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, "
    "X-Request-Id"
)
EXPOSED = (
    "Deprecation, ETag, Idempotent-Replayed, Link, Location, RateLimit, RateLimit-Policy, Retry-After, Sunset, "
    "X-Request-Id"
)
log = structlog.get_logger()


class Origins:
    """The origins of all tenants, at most `FRESH_S` old; while the database is away, what was known last."""

    def __init__(self, ops: Database, local: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._ops, self._local, self._clock, self._lock = ops, local, clock, asyncio.Lock()
        self._tenants: Mapping[str, frozenset[str]] = {}
        self._read_at = float("-inf")

    async def allow(self, origin: str, tenant: str | None) -> bool:
        """Whether a tenant lists an origin; with None, whether any does. `local` is that of a local stack's own page."""
        if self._local and origin == self._local:
            return True
        if not is_origin(origin):
            return False
        if self._clock() - self._read_at > FRESH_S:
            async with self._lock:
                if self._clock() - self._read_at > FRESH_S:
                    await self._read()
        tenants = self._tenants.get(origin, frozenset())
        return bool(tenants) if tenant is None else tenant in tenants

    async def _read(self) -> None:
        found: dict[str, set[str]] = {}
        try:
            async with self._ops.connection() as connection:
                rows = await fetch_all(
                    connection, "select tenant, cors_origins from tenants where cors_origins is not null"
                )
        except ContentError as error:
            log.warning("origins not read", error=error.code)
        else:
            for row in rows:
                for origin in row["cors_origins"]:
                    found.setdefault(origin, set()).add(row["tenant"])
            self._tenants = {origin: frozenset(tenants) for origin, tenants in found.items()}
        self._read_at = self._clock()


class Cors:
    """Answers preflights, and lets listed origins read answers. `app.state.origins` is an Origins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        origin = asked.get("origin")
        if scope["method"] == "OPTIONS" and origin and "access-control-request-method" in asked:
            await (await self._preflight(scope, origin))(scope, receive, send)
            return

        async def shared(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.add_vary_header("Origin")
                if origin and await self._allowed(scope, origin):
                    headers["Access-Control-Allow-Origin"] = origin
                    headers["Access-Control-Expose-Headers"] = EXPOSED
                    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            await send(message)

        await self._app(scope, receive, shared)

    async def _allowed(self, scope: Scope, origin: str) -> bool:
        caller = caller_of(scope)
        return await scope["app"].state.origins.allow(origin, caller.tenant if caller else None)

    async def _preflight(self, scope: Scope, origin: str) -> Response:
        headers = {"Vary": "Origin"}
        if await self._allowed(scope, origin):
            headers |= {
                "Access-Control-Allow-Origin": origin,
                "Access-Control-Allow-Methods": METHODS,
                "Access-Control-Allow-Headers": ASKED,
                "Access-Control-Max-Age": "600",
            }
        return Response(status_code=204, headers=headers)
