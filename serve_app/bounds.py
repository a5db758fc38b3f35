"""No request brings more than it may: address, header fields and body are measured before anybody is asked who they are.

A path that no id of ours can stand in (control characters, bytes that are not UTF-8, an absurd length) is what any other
unknown path is: 404.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.problems import problem
from serve_app.requests import request_id

MOST_QUERY_BYTES = 8 << 10
MOST_HEADER_BYTES = 32 << 10
MOST_SEGMENT_CHARS = 256
MOST_PATH_CHARS = 2048
ODD = re.compile(r"[\x00-\x1f\x7f\ufffd]")


class Bounds:
    """Answers 404, 413, 414 or 431 to a request that is out of bounds.

    `most_body_bytes` is what a body may have; `larger` says otherwise for single paths.
    """

    def __init__(self, app: ASGIApp, most_body_bytes: int, larger: Mapping[str, int] | None = None) -> None:
        self._app, self._most, self._larger = app, most_body_bytes, larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], self._most)
        if refused := _refusal(scope, most):
            await problem(*refused, instance=request_id(scope))(scope, receive, send)
            return
        counted = 0

        async def limited() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > most:
                # An HTTPException, since FastAPI makes a 400 of everything else that reading a body raises.
                raise HTTPException(413, _too_large(most))
            return message

        await self._app(scope, limited, send)


def _refusal(scope: Scope, most: int) -> tuple[str, str] | None:
    path = scope["path"]
    if ODD.search(path) or len(path) > MOST_PATH_CHARS or any(len(s) > MOST_SEGMENT_CHARS for s in path.split("/")):
        return "not-found", "There is nothing at this path."
    if len(scope.get("query_string", b"")) > MOST_QUERY_BYTES:
        return "uri-too-long", f"A query has at most {MOST_QUERY_BYTES} bytes."
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADER_BYTES:
        return "headers-too-large", f"The header fields have at most {MOST_HEADER_BYTES} bytes together."
    said = dict(scope["headers"]).get(b"content-length", b"0")
    if not said.isdigit() or len(said) > 18 or int(said) > most:
        return "body-too-large", _too_large(most)
    return None


def _too_large(most: int) -> str:
    return f"A request's body has at most {most} bytes."
