"""How a stub of a neighbour misbehaves when a test asks it to, as real services do: one ASGI middleware.

Every mode goes over the wire, so that it is the real client that copes. `Control` is what a test sends; the modes are:

`down` 503 · `error` 500 · `busy` 429 with `Retry-After` · `slow` answers after `delay_s` · `never` does not answer ·
`drip` a byte every `delay_s` · `huge` `size_bytes` that it does not announce · `lying` announces them, and is a real
answer otherwise · `redirect` to an address inside (169.254.169.254) · `garbage` no JSON · `untyped` JSON called text ·
`bomb` gzip that nobody asked for · `reset` and `truncated` half of the answer, then a reset or an end.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Mode = Literal[
    "ok", "down", "error", "busy", "slow", "never", "drip", "huge", "lying", "redirect", "garbage", "untyped", "bomb",
    "reset", "truncated",
]  # fmt: skip
BLOCK = b"\0" * (1 << 16)
HALF = 2


class Control(BaseModel):
    """How a stub behaves. `times`: for so many requests, then well again; 0: until told otherwise."""

    mode: Mode
    delay_s: float = Field(5.0, ge=0, le=120)
    size_bytes: int = Field(3 << 30, ge=0)
    times: int = Field(0, ge=0)


class Misbehaviour:
    """Middleware that asks `control` of each request and answers as it says."""

    def __init__(self, app: ASGIApp, control: Callable[[str], Control | None]) -> None:
        self._app, self._control = app, control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["method"] != "PUT"  # by PUT a test lays down what will be asked for
        control = self._control(scope["path"]) if asked else None
        if control is None:
            await self._app(scope, receive, send)
            return
        match control.mode:
            case "down":
                await _answer(send, 503, b'{"code": "down"}')
            case "error":
                await _answer(send, 500, b'{"code": "error"}')
            case "busy":
                await _answer(send, 429, b'{"code": "busy"}', (b"retry-after", str(round(control.delay_s)).encode()))
            case "redirect":
                await _answer(send, 302, b"", (b"location", b"http://169.254.169.254/latest/meta-data/"))
            case "garbage":
                await _answer(send, 200, b'{"title": ')
            case "bomb":
                await _answer(send, 200, gzip.compress(BLOCK * 160), (b"content-encoding", b"gzip"))
            case "never":
                while (await receive())["type"] != "http.disconnect":
                    pass
            case "huge":
                await _huge(send, control.size_bytes)
            case "slow":
                await asyncio.sleep(control.delay_s)
                await self._app(scope, receive, send)
            case _:
                await self._app(scope, receive, _twisted(control, receive, send))


def _twisted(control: Control, receive: Receive, send: Send) -> Send:
    """A `send` that spoils the real answer."""

    async def twist(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            if control.mode == "untyped":
                headers[b"content-type"] = b"text/plain"
            if control.mode == "lying":
                headers[b"content-length"] = str(control.size_bytes).encode()
            if control.mode in ("drip", "reset", "truncated"):
                headers.setdefault(b"content-length", b"1000000")
            await send({**message, "headers": list(headers.items())})
            return
        body: bytes = message.get("body", b"")
        match control.mode:
            case "drip":
                for at in range(len(body)):
                    await send({"type": "http.response.body", "body": body[at : at + 1], "more_body": True})
                    await asyncio.sleep(control.delay_s)
                await send({"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)})
            case "reset" | "truncated":
                await send({"type": "http.response.body", "body": body[: len(body) // HALF], "more_body": True})
                _hang_up(receive, reset=control.mode == "reset")
            case _:
                await send(message)

    return twist


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    kind = (b"content-type", b"application/json")
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [kind, length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def _huge(send: Send, size_bytes: int) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    for _ in range(0, size_bytes, len(BLOCK)):
        await send({"type": "http.response.body", "body": BLOCK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _hang_up(receive: Receive, *, reset: bool) -> None:
    """End the connection under the answer. uvicorn hands its `receive` out as a method of what holds the transport."""
    transport: Any = receive.__self__.transport  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    if reset:
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
