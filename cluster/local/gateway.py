"""A small gateway for the local stack: parts the requests between two versions of the API, as an HTTPRoute does in production.

`python -m cluster.local.gateway --port P --admin-port A --stable URL --canary URL --file F` serves until it is told to end. The
administration address has one resource, `/release`: the canary's share, annotations and a revision; a PUT with `If-Match` of
another revision is refused, so that `cluster.release` finds here what the Kubernetes API promises. What is set is in the file
before it is answered, and is found again.

Requests are dealt out in turns, not by chance: of any hundred requests the canary gets exactly its share. Nothing is sent
twice, nothing is kept; who served a request stands in `X-Served-By`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cluster.local.home import write_secret

HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
"""Fields of one connection (RFC 9110, section 7.6.1); not handed on."""
STABLE, CANARY = "stable", "canary"


class Division:
    """Who gets the next request, and the object that says so. `served` counts answers by version and status."""

    def __init__(self, file: Path) -> None:
        self._file = file
        given = json.loads(file.read_text()) if file.exists() else {}
        self.share = int(given.get("share", 0))
        self.annotations: dict[str, str] = given.get("annotations", {})
        self.revision = int(given.get("revision", 1))
        self.served: Counter[tuple[str, int]] = Counter()
        self._owed = 0

    def next(self) -> str:
        """In turns: the canary's debt grows by its share with each request, and it serves when it owes a whole one."""
        self._owed += self.share
        if self._owed < 100:
            return STABLE
        self._owed -= 100
        return CANARY

    def set(self, share: int, annotations: dict[str, str]) -> None:
        self.share, self.annotations, self._owed = share, annotations, 0
        self.revision += 1
        write_secret(self._file, json.dumps(self._document()))

    def as_dict(self) -> dict[str, Any]:
        served = [{"by": by, "status": status, "count": count} for (by, status), count in sorted(self.served.items())]
        return {**self._document(), "served": served}

    def _document(self) -> dict[str, Any]:
        return {"share": self.share, "annotations": self.annotations, "revision": self.revision}


def proxy(division: Division, urls: dict[str, str]) -> Starlette:
    """The application in front of both versions."""
    # A pool per version: the connections of a slow one are not those of the other.
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    clients = {
        name: httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(60.0, connect=2.0), limits=limits, trust_env=False)
        for name, url in urls.items()
    }

    async def forward(request: Request) -> Response:
        name = division.next()
        host = request.client.host if request.client else ""
        headers = [(k, v) for k, v in request.headers.items() if k not in HOP]
        headers.append(("x-forwarded-for", ", ".join(filter(None, (request.headers.get("x-forwarded-for"), host)))))
        body = (
            request.stream()
            if request.headers.get("content-length") or "transfer-encoding" in request.headers
            else None
        )
        target = httpx.URL(path=request.url.path, query=request.url.query.encode())
        try:
            sent = clients[name].build_request(request.method, target, headers=headers, content=body)
            answer = await clients[name].send(sent, stream=True)
        except httpx.HTTPError as error:
            division.served[name, 502] += 1
            told = {
                "title": "The version does not answer.",
                "status": 502,
                "code": "upstream",
                "detail": type(error).__name__,
            }
            return JSONResponse(
                told, 502, headers={"x-served-by": name, "retry-after": "1"}, media_type="application/problem+json"
            )
        division.served[name, answer.status_code] += 1

        async def piece_by_piece() -> AsyncIterator[bytes]:
            try:
                async for piece in answer.aiter_raw():
                    yield piece
            finally:
                await answer.aclose()

        response = StreamingResponse(piece_by_piece(), answer.status_code)
        response.raw_headers = [
            *((k.lower(), v) for k, v in answer.headers.raw if k.lower().decode() not in HOP),
            (b"x-served-by", name.encode()),
        ]
        return response

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for client in clients.values():
            await client.aclose()

    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(routes=[Route("/{path:path}", forward, methods=methods)], lifespan=lifespan)


def administration(division: Division) -> Starlette:
    """The one resource that a promoter reads and writes."""

    async def read(_: Request) -> Response:
        return JSONResponse(division.as_dict())

    async def write(request: Request) -> Response:
        given = await request.json()
        share, annotations = given.get("share"), given.get("annotations")
        if type(share) is not int or not 0 <= share <= 100 or not isinstance(annotations, dict):
            return JSONResponse({"title": "share is 0 to 100, annotations an object"}, 422)
        if request.headers.get("if-match") != f'"{division.revision}"':
            return JSONResponse({"title": "It has changed meanwhile."}, 412)
        division.set(share, annotations)
        return JSONResponse(division.as_dict())

    return Starlette(routes=[Route("/release", read, methods=["GET"]), Route("/release", write, methods=["PUT"])])


async def serve(division: Division, urls: dict[str, str], port: int, admin_port: int) -> None:
    """Both addresses, on the loopback alone, until the process is told to end."""
    quiet: dict[str, Any] = {"host": "127.0.0.1", "log_level": "warning", "access_log": False, "server_header": False}
    servers = [
        uvicorn.Server(uvicorn.Config(proxy(division, urls), port=port, timeout_graceful_shutdown=5, **quiet)),
        uvicorn.Server(uvicorn.Config(administration(division), port=admin_port, timeout_graceful_shutdown=5, **quiet)),
    ]
    await asyncio.gather(*(server.serve() for server in servers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--admin-port", type=int, required=True)
    parser.add_argument("--stable", required=True)
    parser.add_argument("--canary", required=True)
    parser.add_argument("--file", type=Path, required=True)
    given = parser.parse_args()
    urls = {STABLE: given.stable, CANARY: given.canary}
    asyncio.run(serve(Division(given.file), urls, given.port, given.admin_port))


if __name__ == "__main__":
    main()
