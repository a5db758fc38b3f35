"""One version of the API as a process of its own, that may be bad on demand: `python -m tests.support.version_process PORT`.

The file named by `BADNESS` says how: nothing, `errors:N` (every Nth manifest is a 500), `slow:N` (each takes N seconds
longer), `manifests:N` (that of every Nth version is quietly another one, with the right ETag for its wrong bytes), `lost` (a
member is missing from each package in a list). It is read anew with each request, so one process may turn bad and be well
again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from itertools import count
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster.manifests import Kept
from content.canonical import canonical, digest
from serve_app import api
from serve_app.routes import manifests

BADNESS = Path(os.environ["BADNESS"])
_right, _number = manifests.manifest_of, count(1)


def badness() -> tuple[str, float]:
    kind, _, amount = (BADNESS.read_text() if BADNESS.exists() else "").strip().partition(":")
    return kind, float(amount or 1)


async def manifest_of(request: Request, tenant: str, package_id: str, version: int) -> Kept:
    kind, amount = badness()
    if kind == "errors" and next(_number) % int(max(amount, 1)) == 0:
        raise RuntimeError("a bug of this version")
    if kind == "slow":
        await asyncio.sleep(amount)
    found = await _right(request, tenant, package_id, version)
    # By the version and not by turns: turns fall into step with whoever compares, and then nobody sees any of it.
    if kind != "manifests" or version % int(amount):
        return found
    document = json.loads(found.body)
    document["metadata"]["license"] = "CC-BY-4.0"
    body = canonical(document)
    return Kept(digest(body), body, 0.0)


class Losing:
    """Takes a member out of each row of a list, where the badness is `lost`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or badness()[0] != "lost" or scope["path"] != "/v1/packages":
            await self._app(scope, receive, send)
            return
        begun: list[Message] = []

        async def lose(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                return
            page = json.loads(message["body"])
            body = json.dumps({**page, "items": [_without(row, "course_id") for row in page["items"]]}).encode()
            headers = [(k, v) for k, v in begun[0]["headers"] if k != b"content-length"]
            await send({**begun[0], "headers": [*headers, (b"content-length", str(len(body)).encode())]})
            await send({**message, "body": body})

        await self._app(scope, receive, lose)


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}


if __name__ == "__main__":
    manifests.manifest_of = manifest_of  # type: ignore[assignment]
    app = Losing(api.create_app())
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
