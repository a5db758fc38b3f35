"""One span, one line and one number for each request: the only access log there is.

A line names the route, not the path, and no query: both may hold what must not be kept. It goes around everything but the
envelope, so that what a middleware refuses is told, too. `X-Request-Id` ties it to what the caller was answered.
"""

from __future__ import annotations

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster import telemetry
from cluster.telemetry import SpanKind, redaction
from cluster.telemetry.metrics import HTTP

UNKNOWN = "unknown"
"""What no route matches: the path is the caller's own words."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
PROBES = frozenset(("/livez", "/readyz", "/version"))
log = structlog.get_logger()


class Access:
    """Around the application; `envelope.py` has begun the request's context."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, told = time.perf_counter(), _Told()
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        headers = dict(scope["headers"])
        parent = headers.get(b"traceparent", b"").decode("latin-1")[:64] or None
        redaction.begin()
        with telemetry.span(method, parent=parent, kind=SpanKind.SERVER) as span:
            try:
                await self._app(scope, receive, told.watching(send))
            finally:
                seconds = time.perf_counter() - began
                route = getattr(scope.get("route"), "path", UNKNOWN)
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.route": route, "http.response.status_code": told.status})
                HTTP.observe(seconds, method=method, route=route, status=str(told.status))
                if route not in PROBES or told.status >= 400:
                    log.info(
                        "request",
                        method=method,
                        route=route,
                        status=told.status,
                        duration_ms=round(seconds * 1000, 1),
                        bytes=told.size,
                    )


class _Told:
    """What the application answered. 499 is nginx's: the caller left before the answer began."""

    def __init__(self) -> None:
        self.status, self.size = 499, 0

    def watching(self, send: Send) -> Send:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            self.size += len(message.get("body", b""))
            await send(message)

        return watch
