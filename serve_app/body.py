"""No request brings more than it may: bodies are counted as they come, before anybody is asked who they are."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.problems import problem


class BodyLimit:
    """Answers 413 to a request whose body is larger than `most` bytes (`larger`: by path), by what it says and by what it
    sends."""

    def __init__(self, app: ASGIApp, most: int, larger: Mapping[str, int] | None = None) -> None:
        self._app, self._most, self._larger = app, most, larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._larger.get(scope["path"], self._most)
        title = f"A request's body has at most {most} bytes."
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > most:
            await problem(413, "body-too-large", title, "Send less.")(scope, receive, send)
            return
        counted = 0

        async def limited() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > most:
                # An HTTPException, since FastAPI makes a 400 of everything else that reading a body raises.
                raise HTTPException(413, title)
            return message

        await self._app(scope, limited, send)
