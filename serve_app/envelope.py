"""What every answer carries, and what an exception becomes that nobody expected.

`Envelope` is the outermost middleware: it chooses the request's id, binds it to the log lines, and adds the header fields
for safety. A route that says otherwise (`Cache-Control` of a manifest, the policy of a page) is left as it is.
`LastResort` is the innermost: its answer passes through all others, which Starlette's own handler of exceptions does not.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from serve_app.problems import answer
from serve_app.requests import added_headers, begin

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Envelope:
    """The request's id and the header fields of every answer.

    `sends_id` is False behind Ray Serve, whose proxy writes `X-Request-Id` into request and answer itself.
    """

    def __init__(self, app: ASGIApp, sends_id: bool = True) -> None:
        self._app, self._sends_id = app, sends_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        here = begin(scope)

        async def finished(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE.items():
                    headers.setdefault(name, value)
                for name, value in added_headers(scope):
                    headers[name] = value
                if self._sends_id:
                    headers["X-Request-Id"] = here
            await send(message)

        clear_contextvars()
        bind_contextvars(request_id=here)
        await self._app(scope, receive, finished)


class LastResort:
    """Makes a problem of any exception, unless the answer has begun: then the connection breaks, as it must."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if begun:
                raise
            await answer(error, scope)(scope, receive, send)
