"""The CDN of the local stack: serves what a signed URL allows, out of S3, with ranges.

`python -m cluster.local.edge CONFIGURATION`. The same check as production's CDN makes (`cluster.edge.cdn.verify`), for GET and
HEAD below the prefixes of the same table (`cluster.edge.edge_rules`). The keys that it knows stand in a file, which is read again when it
has changed: so the key that signs is rotated while it runs. Each answer is one JSON line in the access log, with the bytes that
were really handed to the connection: a resumed download is proven by them.

Manifests (`/packages/`) are kept for a minute with `Cache-Control: max-age=60`, and forgotten as soon as NATS says that one
has changed; what was withdrawn, with its exports, is answered with 410 from then on. While NATS is not heard, every request
asks the store.

For tests of broken downloads: a file named by `cut_file`, holding a number, cuts the next GET after so many bytes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import uvicorn
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from cluster import mesh
from cluster.edge import cdn, edge_rules
from cluster.local import edge_shell
from cluster.local.edge_keys import KeyFile
from cluster.local.edge_manifests import EdgeManifests, answer
from cluster.local.edge_sites import Sites
from content.errors import ContentError

CHUNK_BYTES = 256 << 10
PASSED_ON = {
    "ContentType": "content-type",
    "ETag": "etag",
    "ContentRange": "content-range",
    "ContentLength": "content-length",
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
}


@dataclass(frozen=True)
class EdgeConfiguration:
    """What `cluster.local.apps` writes for this program."""

    port: int
    public_url: str
    keys_file: str
    s3_endpoint: str
    s3_bucket: str
    s3_access_key: str
    s3_secret_key: str
    access_log: str
    cut_file: str
    nats_url: str
    nats_user: str
    nats_password: str
    site_url: str = ""
    learner_origins: Sequence[str] = ()
    mesh: Mapping[str, str] | None = None
    """Under mTLS: `folder` of its certificate, and the name of `nats`."""


class EdgeApp:
    """The ASGI application: check, fetch, stream, note."""

    def __init__(
        self, configuration: EdgeConfiguration, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._configuration, self._clock = configuration, clock
        self._keys = KeyFile(Path(configuration.keys_file))
        self._s3: Any = boto3.client(  # pyright: ignore[reportUnknownMemberType]
            "s3",
            endpoint_url=configuration.s3_endpoint,
            region_name="us-east-1",
            aws_access_key_id=configuration.s3_access_key,
            aws_secret_access_key=configuration.s3_secret_key,
            config=Config(max_pool_connections=64, connect_timeout=5, read_timeout=30, s3={"addressing_style": "path"}),
        )
        self.manifests = EdgeManifests(
            configuration.nats_url,
            configuration.nats_user,
            configuration.nats_password,
            self._whole,
            mesh.of_folder(Path(configuration.mesh["folder"]), configuration.mesh["nats"])
            if configuration.mesh
            else None,
        )
        self._sites = Sites(configuration.site_url, self._keys, self._whole, self._clock, configuration.learner_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        began, path = time.monotonic(), scope["raw_path"].split(b"?")[0].decode("latin-1")
        asked = request.headers.get("range", "")
        status, sent, content_range, code = 500, 0, "", ""
        try:
            key, response, more = await self._admit(request, path)
            if response is not None:
                status, sent = response.status_code, len(response.body)
                await response(scope, receive, send)
                return
            found = await self._find(request, key)
            status, content_range = found["ResponseMetadata"]["HTTPStatusCode"], found.get("ContentRange", "")
            with suppress(OSError):  # the reader went away
                async for count in self._answer(request, found, status, send, more):
                    sent += count
        except ContentError as error:
            status, code = _STATUS.get(error.code, 403), error.code
            await _problem(status, error)(scope, receive, send)
        finally:
            line = {
                "time": self._clock().isoformat(), "method": request.method, "path": path, "status": status,
                "range": asked, "content_range": content_range, "bytes": sent, "code": code,
                "seconds": round(time.monotonic() - began, 4),
            }  # fmt: skip
            with Path(self._configuration.access_log).open("a") as log:
                log.write(json.dumps(line) + "\n")

    async def _admit(self, request: Request, path: str) -> tuple[str, Response | None, Mapping[str, str]]:
        """The key in the store that a request may read, the whole answer where it is not the object under it, and header
        fields that go with the object. Raises ContentError."""
        if request.method not in edge_rules.METHODS:
            raise ContentError("method-not-allowed", "The edge serves GET and HEAD.")
        origin = self._sites.origin_of(request)
        if origin is not None and path.startswith(edge_shell.PREFIX):
            return "", await self._sites.shell(request, origin, path), {}
        if origin is not None:
            key, handed_over = self._sites.admit(request, origin, path)
            if key.startswith("exports/"):
                self.manifests.refuse_withdrawn(key)
            return key, handed_over, await self._sites.headers(origin)
        key, rule = self._key(request, path)
        if key.startswith("packages/"):
            return key, answer(request, await self.manifests.get(key)), {}
        if key.startswith("exports/"):
            self.manifests.refuse_withdrawn(key)
        return key, None, edge_rules.FOR_PAGES if rule.any_page else {}

    def _key(self, request: Request, path: str) -> tuple[str, edge_rules.Rule]:
        key = unquote(path).lstrip("/")
        rule = edge_rules.rule_of("files", key)
        if rule is None:
            raise ContentError("not-found", "There is nothing here.")
        query = request.scope["query_string"].decode("latin-1")
        url = f"{self._configuration.public_url}{path}" + (f"?{query}" if query else "")
        cdn.verify(url, self._keys, now=self._clock())
        return key, rule

    async def _find(self, request: Request, key: str) -> dict[str, Any]:
        """The object in S3, its body not yet read. Raises ContentError."""
        arguments = {"Bucket": self._configuration.s3_bucket, "Key": key}
        wanted = request.headers.get("range", "")
        if wanted.startswith("bytes=") and "," not in wanted:  # more than one range: the whole, as RFC 9110 allows
            arguments["Range"] = wanted
        condition = request.headers.get("if-range")
        try:
            if condition and "Range" in arguments:
                now_there = await asyncio.to_thread(self._s3.head_object, Bucket=arguments["Bucket"], Key=key)
                if now_there["ETag"] != condition:
                    del arguments["Range"]
            get = self._s3.get_object if request.method == "GET" else self._s3.head_object
            return await asyncio.to_thread(get, **arguments)
        except ClientError as error:
            raise _translated(error) from error
        except BotoCoreError as error:
            raise ContentError("origin-unavailable", "The edge cannot reach its origin.", "Try again.", True) from error

    def _whole(self, key: str) -> bytes:
        """A small object, all of it. Blocks. Raises ContentError."""
        try:
            return self._s3.get_object(Bucket=self._configuration.s3_bucket, Key=key)["Body"].read()
        except ClientError as error:
            raise _translated(error) from error
        except BotoCoreError as error:
            raise ContentError("origin-unavailable", "The edge cannot reach its origin.", "Try again.", True) from error

    async def _answer(
        self, request: Request, found: dict[str, Any], status: int, send: Send, more: Mapping[str, str]
    ) -> AsyncIterator[int]:
        """Send the object; yields the number of bytes of each piece once it was handed on."""
        headers = {name: str(found[field]) for field, name in PASSED_ON.items() if found.get(field) is not None}
        headers |= {"accept-ranges": "bytes", **edge_rules.ALWAYS, **more}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        if request.method == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        limit = self._take_cut()
        body = found["Body"]
        gone = asyncio.create_task(_wait_disconnect(request))
        try:
            while not gone.done():
                size = CHUNK_BYTES if limit is None else min(CHUNK_BYTES, limit)
                if size == 0:
                    return  # cut: less than the promised length, so the server closes the connection
                chunk = await asyncio.to_thread(body.read, size)
                if not chunk:
                    break
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                limit = None if limit is None else limit - len(chunk)
                yield len(chunk)
            else:
                return
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            body.close()

    def _take_cut(self) -> int | None:
        armed = Path(self._configuration.cut_file)
        taken = armed.with_name(f"{armed.name}.taken")
        try:
            armed.rename(taken)  # of several requests one is cut
            return int(taken.read_text())
        except (FileNotFoundError, ValueError):
            return None


_STATUS = {
    "not-found": 404,
    "version-withdrawn": 410,
    "method-not-allowed": 405,
    "range": 416,
    "origin-unavailable": 502,
}


def _problem(status: int, error: ContentError) -> Response:
    """RFC 9457 problem details."""
    document = {
        "type": f"urn:content-service:problem:{error.code}", "title": error.message, "status": status,
        "code": error.code, "detail": error.message, "remedy": error.remedy,
    }  # fmt: skip
    headers = {"cache-control": "no-store"} | ({"allow": "GET, HEAD"} if status == 405 else {})
    return JSONResponse(document, status, headers=headers, media_type="application/problem+json")


def _translated(error: ClientError) -> ContentError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status == 404:
        return ContentError("not-found", "There is nothing here.")
    if status == 416:
        return ContentError("range", "The range lies outside of the object.")
    return ContentError("origin-unavailable", f"The edge's origin answers {status}.", "Try again.", True)


async def _wait_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def livez(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def application(configuration: EdgeConfiguration) -> Starlette:
    edge = EdgeApp(configuration)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        edge.manifests.words.start()
        yield
        await edge.manifests.words.close()

    return Starlette(routes=[Route("/livez", livez), Mount("/", edge)], lifespan=lifespan)


def main() -> None:
    configuration = EdgeConfiguration(**json.loads(Path(sys.argv[1]).read_text()))
    Path(configuration.access_log).touch()
    uvicorn.run(
        application(configuration), host="127.0.0.1", port=configuration.port, access_log=False, log_level="warning",
        server_header=False, timeout_graceful_shutdown=3,
    )  # fmt: skip


if __name__ == "__main__":
    main()
