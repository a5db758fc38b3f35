"""How the trusted side speaks with the importer: one POST that carries addresses, answered by lines until it is done.

The importer has no credentials. It is told where to GET the upload and where to PUT what it made of it, and nothing else; what
it says and what it wrote is the word of a machine that may have been taken over by a package, and is checked by whoever takes
it. A line of its answer is a JSON object with `type`: `progress` (stage and share), `beat` (it lives), `done`, or `failed`
(code, message, remedy, retryable). Before a request is taken, nothing comes: it may wait behind others for a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from typing import Any, cast

import httpx

from cluster import mesh
from cluster.settings import Settings
from content.errors import ContentError
from content.scorm.findings import printable

PATH, STATUS = "/imports", "/status"
BEAT_S = 5.0
LINE_BYTES, ERROR_BYTES = 64 << 10, 64 << 10
WAIT_S = 3600.0
"""Longest wait for a place; then the job is put back, and waits in its own queue."""
STAGES = ("fetch", "read", "send")
_CODE = re.compile(r"[a-z][a-z0-9-]{0,63}")
Told = Callable[[str, float], None]


@dataclass(frozen=True)
class Order:
    """What one request carries. `package`: where the pieces of the canonical zip go, each but the last of `piece_bytes`."""

    source: str
    size_bytes: int
    report: str
    course: str
    package: tuple[str, ...]
    piece_bytes: int

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def parse(cls, body: bytes) -> Order:
        """Raises ContentError `order-malformed`."""
        try:
            found = json.loads(body)
            order = cls(**{**found, "package": tuple(found["package"])})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ContentError("order-malformed", "This is no order to import a package.") from error
        texts = (order.source, order.report, order.course, *order.package)
        if not all(isinstance(each, str) for each in texts) or not order.package:
            raise ContentError("order-malformed", "An address in the order is none.")
        if not all(type(each) is int and each > 0 for each in (order.size_bytes, order.piece_bytes)):
            raise ContentError("order-malformed", "A size in the order is none.")
        return order


class ImporterCut(ContentError):
    """It broke off while it worked on the package."""


def token_digest(settings: Settings) -> str:
    """What the importer compares a request's token with: SHA-256, hexadecimal. All that it ever knows of the token."""
    token = settings.importer_token.get_secret_value()
    return settings.importer_token_sha256 or (hashlib.sha256(token.encode()).hexdigest() if token else "")


async def send(settings: Settings, order: Order, told: Told) -> bool:
    """Have a package read and written where the order says. `told` hears of stages and shares. True if the package broke what
    was to read it, which may go better another time.

    Raises ContentError `importer-away` (retryable) before anything was begun, `ImporterCut` (`importer-cut`, retryable) after
    that, or what the importer says.
    """
    began = False
    timeout = httpx.Timeout(None, connect=5.0, pool=5.0)
    try:
        async with _client(settings, timeout) as client:
            request = client.build_request(
                "POST", settings.importer_url + PATH, content=order.to_bytes(), headers=_headers(settings)
            )
            async with asyncio.timeout(WAIT_S):
                answer = await client.send(request, stream=True)
            try:
                if answer.status_code != 200:
                    raise await _refusal(answer)
                began = True
                # When its addresses work no more it has that long to say so; whatever it says later is of no use.
                async with asyncio.timeout(settings.importer_url_ttl_s + settings.importer_silence_s):
                    return await _follow(answer.aiter_raw(), settings.importer_silence_s, told)
            finally:
                await answer.aclose()
    except (httpx.HTTPError, TimeoutError) as error:
        if began:
            raise ImporterCut(
                "importer-cut", "The importer broke off while it read the package.", "Try again.", True
            ) from error
        raise _away(type(error).__name__) from error


async def _follow(data: AsyncIterator[bytes], silence_s: float, told: Told) -> bool:
    pending = b""
    while True:
        try:
            async with asyncio.timeout(silence_s):
                pending += await anext(data)
        except StopAsyncIteration:
            raise ImporterCut(
                "importer-cut", "The importer broke off while it read the package.", "Try again.", True
            ) from None
        *lines, pending = pending.split(b"\n")
        if len(pending) > LINE_BYTES:
            raise _malformed()
        for line in lines:
            match _parsed(line):
                case {"type": "progress", "stage": str(stage), "share": int() | float() as share} if (
                    stage in STAGES and 0 <= share <= 1  # a number without end, or that is none, is neither
                ):
                    told(stage, float(share))
                case {"type": "beat"}:
                    pass
                case {"type": "done", "broke": bool(broke)}:
                    return broke
                case {"type": "failed", **rest}:
                    said = _said(rest)
                    if (
                        said.code == "internal"
                    ):  # its own fault, or what a package did to it: tried again so many times only
                        raise ImporterCut("importer-cut", said.message, said.remedy, True)
                    raise said
                case _:
                    raise _malformed()


async def status(settings: Settings) -> dict[str, Any]:
    """What the importer says of itself: `sandbox` (the backend, or why there is none) and `works`. Raises as `send`."""
    if not settings.importer_url:
        raise ContentError("importer-missing", "Nothing is imported by this service.", "Have importer_url set.")
    try:
        async with (
            _client(settings, httpx.Timeout(5.0)) as client,
            client.stream("GET", settings.importer_url + STATUS, headers=_headers(settings)) as answer,
        ):
            body = await _short(answer)
    except httpx.HTTPError as error:
        raise _away(type(error).__name__) from error
    if answer.status_code != 200:
        raise _said_by(answer.status_code, body)
    found = _parsed(body)
    return {
        "sandbox": printable(str(found.get("sandbox", ""))),
        "version": printable(str(found.get("version", ""))),
        "works": found.get("works") is True,
        "remedy": printable(str(found.get("remedy", ""))),
    }


def _client(settings: Settings, timeout: httpx.Timeout) -> httpx.AsyncClient:
    verify = mesh.context(settings, "importer") or True
    return httpx.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False, verify=verify)


def _headers(settings: Settings) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {settings.importer_token.get_secret_value()}",
        "Content-Type": "application/json",
        # Bytes are counted as they come: what is unpacked here could be a thousand times as much.
        "Accept-Encoding": "identity",
        # Serve's own limit of a request is for the API; this one lasts as long as it speaks.
        "X-Request-Timeout-Seconds": "0",
    }


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


async def _refusal(answer: httpx.Response) -> ContentError:
    return _said_by(answer.status_code, await _short(answer))


async def _short(answer: httpx.Response) -> bytes:
    """Its beginning, as it came over the wire."""
    body = b""
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > ERROR_BYTES:
            break
    return body


def _said_by(status_code: int, body: bytes) -> ContentError:
    found = _parsed(body)
    if "code" not in found:
        return _away(f"status {status_code}")
    return _said({"retryable": status_code >= 500, **found})


def _said(found: dict[str, Any]) -> ContentError:
    code = str(found.get("code", ""))
    if not _CODE.fullmatch(code):
        return _malformed()
    message, remedy = (printable(str(found.get(name, ""))) for name in ("message", "remedy"))
    return ContentError(code, message, remedy, found.get("retryable") is True)


def _away(why: str) -> ContentError:
    return ContentError("importer-away", f"The importer does not answer ({why}).", "Try again.", True)


def _malformed() -> ContentError:
    return ContentError("importer-malformed", "The importer says what nobody understands.", "See its log.")
