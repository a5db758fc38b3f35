"""The importer (content-scorm-importer): reads packages of others in a sandbox, without any credential.

It is a cluster of its own in production, since whoever broke out of a sandbox in a shared Ray cluster would own that. All it
has is what `GIVEN` names, the origins of the object store, and the SHA-256 of a token: no database, no events, no keys. A
request brings addresses, each of which gives or takes one object of this import for a while (`cluster.importer`). They must
be of the store's origin, and nothing is followed elsewhere. GET the upload → read it (`tasks.importing.reading_packages`) → PUT report,
course and canonical zip, telling all along how far it is.

A replica is at two packages at once, of which one may be large: behind a large one the small ones go on. A second large one
is refused with 503, and comes again. A plain class: `serve_app.app` binds it, tests run it without Ray.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from cluster import failpoints, mesh_door, sandbox, telemetry
from cluster.importer import BEAT_S, PATH, STATUS, Order, token_digest
from cluster.outbound import Transport
from cluster.settings import Settings
from cluster.telemetry import describe
from content.errors import ContentError
from tasks import workspace
from tasks.importing.reading_packages import PACKAGES, read_package

ORDER_BYTES = 1 << 20
PIECE = 1 << 20
TRIES = 3
TOLD_EVERY_S = 0.25
GIVEN = (
    "profile", "region", "workspace", "workspace_max_bytes", "sandbox", "sandbox_ahead", "log_format", "log_level",
    "log_folder", "failpoints", "mesh_door_sha256",
)  # fmt: skip
"""With all limits (`import_…`): the settings that a replica gets."""
log = structlog.get_logger()


def given(settings: Settings) -> dict[str, Any]:
    """All that a replica is told, as JSON: to be bound by whoever deploys it."""
    names = [*GIVEN, *(name for name in Settings.model_fields if name.startswith("import_"))]
    told = settings.model_dump(mode="json", include=set(names))
    origins = settings.importer_origins or ((settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com"),)
    return {"settings": told, "origins": list(origins), "token_sha256": token_digest(settings)}


class Importer:
    """One replica. `token_sha256`: empty means that nobody is let in."""

    def __init__(self, name: str, settings: Mapping[str, Any], origins: list[str], token_sha256: str) -> None:
        self.name, self.settings = name, Settings(**settings)
        self._hosts, self._token_sha256 = frozenset(_host_of(each) for each in origins), token_sha256
        self._large = False
        telemetry.begin(name, self.settings)
        workspace.reap(self.settings.workspace)
        with contextlib.suppress(ContentError):  # what there is none of is said to whoever asks
            sandbox.warm(PACKAGES, self.settings)

    async def __call__(self, request: Request) -> Response:
        """`POST /imports` and `GET /status`."""
        try:
            self._admit(request)
            match request.method, request.scope["path"].removeprefix(request.scope.get("root_path", "")):
                case "GET", path if path == STATUS:
                    return JSONResponse(await asyncio.to_thread(self._status))
                case "POST", path if path == PATH:
                    return await self._imports(request)
                case _:
                    raise ContentError("not-found", "There is nothing here.")
        except ContentError as error:
            status = STATUSES.get(error.code, 503 if error.retryable else 400)
            return JSONResponse(_document(error), status, {"Retry-After": "5"} if status == 503 else None)

    def _admit(self, request: Request) -> None:
        if not mesh_door.came_in(self.settings.mesh_door_sha256, request.headers.get(mesh_door.HEADER)):
            raise ContentError(
                "mesh-required", "This request did not come by the mesh.", "Ask at the address of the mesh."
            )
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        shown = hashlib.sha256(token.encode()).hexdigest()
        if scheme.lower() != "bearer" or not self._token_sha256 or not hmac.compare_digest(shown, self._token_sha256):
            raise ContentError("unauthenticated", "The importer does not know this token.", "Set importer_token.")

    def _status(self) -> dict[str, Any]:
        try:
            used = sandbox.backend(self.settings, PACKAGES)
        except ContentError as error:
            return {"works": False, "sandbox": error.message, "version": "", "remedy": error.remedy}
        version = sandbox.find(used).version if used != "none" else ""
        return {"works": True, "sandbox": used, "version": version, "remedy": ""}

    async def _imports(self, request: Request) -> Response:
        order = Order.parse(await _body(request))
        for url in (order.source, order.report, order.course, *order.package):
            if _host_of(url) not in self._hosts:
                raise ContentError("origin-refused", "An address is not of the object store.", "See importer_origins.")
        if order.size_bytes > self.settings.import_zip_bytes:
            raise ContentError("import-too-large", "The file is larger than this importer takes.")
        await asyncio.to_thread(sandbox.backend, self.settings, PACKAGES)
        return StreamingResponse(self._lines(order), media_type="application/x-ndjson")

    async def _lines(self, order: Order) -> AsyncIterator[bytes]:
        """Every line of an answer. Whoever stops listening ends the work."""
        large = order.size_bytes >= self.settings.import_large_bytes
        if large and self._large:
            busy = ContentError("importer-busy", "The place for large packages is taken.", "Come again.", True)
            yield _line({"type": "failed", **_document(busy)})
            return
        self._large = self._large or large
        try:
            async with contextlib.aclosing(self._followed(order)) as lines:
                async for line in lines:
                    yield line
        finally:
            self._large = self._large and not large

    async def _followed(self, order: Order) -> AsyncGenerator[bytes]:
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]]()

        def tell(line: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(lines.put_nowait, line)

        work = _Work(order, self.settings, self._hosts, tell)
        running = asyncio.create_task(asyncio.to_thread(work.run))
        try:
            yield _line({"type": "beat"})
            while True:
                try:
                    line = await asyncio.wait_for(lines.get(), BEAT_S)
                except TimeoutError:
                    line = {"type": "beat"}
                yield _line(line)
                if line["type"] in ("done", "failed"):
                    return
        finally:
            work.stopped.set()
            await asyncio.shield(asyncio.wait({running}))

    async def check_health(self) -> None:
        """A replica without a sandbox lives on and says so to whoever asks: another one would have none either."""


class _Stopped(Exception):
    """Nobody listens any more."""


class _Work:
    """One package, in a thread."""

    def __init__(
        self,
        order: Order,
        settings: Settings,
        hosts: frozenset[tuple[str, int]],
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self._order, self._settings, self._tell = order, settings, tell
        self._http = httpx.Client(
            transport=Transport(hosts),
            timeout=httpx.Timeout(60.0, connect=5.0),
            follow_redirects=False,
            trust_env=False,
        )
        self.stopped, self._told_at = threading.Event(), 0.0

    def run(self) -> None:
        """To its end, which is told. Nothing is left on the node."""
        try:
            with workspace.held(self._settings.workspace) as folder, self._http:
                broke = self._run(folder)
            self._tell({"type": "done", "broke": broke})
        except _Stopped:
            log.warning("nobody listens any more")
        except ContentError as error:
            log.warning("not imported", **describe(error))
            self._tell({"type": "failed", **_document(error)})
        except Exception as error:
            log.exception("import failed", **describe(error))
            failed = ContentError("internal", f"Something in the importer failed: {type(error).__name__}.", "", True)
            self._tell({"type": "failed", **_document(failed)})

    def _run(self, folder: Path) -> bool:
        upload, output = folder / "upload.zip", folder / "read"
        output.mkdir()
        self._fetch(upload)
        failpoints.hit("importer.mid_read", self._settings)
        self._share("read", 0.0, always=True)
        reading = read_package(
            upload, output, self._settings, canonical=True, watch=self._go_on, on_share=lambda share: self._share("read", share)
        )  # fmt: skip
        self._share("send", 0.0, always=True)
        if reading.canonical is not None:
            self._send(reading.canonical)
        if reading.course is not None:
            self._put(self._order.course, json.dumps(reading.course.document(), ensure_ascii=False).encode())
        self._put(self._order.report, reading.report.in_json())
        failpoints.hit("importer.after_send", self._settings)
        return reading.broke

    def _fetch(self, path: Path) -> None:
        wanted, got = self._order.size_bytes, 0
        with self._asked(), self._http.stream("GET", self._order.source) as answer:
            _require_ok(answer)
            with path.open("wb") as file:
                for piece in answer.iter_raw(PIECE):
                    got += len(piece)
                    if got > wanted:
                        break
                    file.write(piece)
                    self._share("fetch", got / wanted)
        if got != wanted:
            raise ContentError("upload-size", "The upload is not of the size that was said.", "Upload it anew.")

    def _send(self, path: Path) -> None:
        size, piece = path.stat().st_size, self._order.piece_bytes
        if -(-size // piece) > len(self._order.package):
            raise ContentError("package-too-large", "What is in the package is larger than may be.")
        for number, start in enumerate(range(0, size, piece)):
            length = min(piece, size - start)
            self._put(self._order.package[number], (path, start, length))
            self._share("send", (start + length) / size)

    def _put(self, url: str, body: bytes | tuple[Path, int, int]) -> None:
        """A few times, since a store that answers with 5xx may do better in a moment."""
        for left in reversed(range(TRIES)):
            self._go_on()
            length = len(body) if isinstance(body, bytes) else body[2]
            content = body if isinstance(body, bytes) else _slice(*body)
            try:
                with self._asked():
                    answer = self._http.put(url, content=content, headers={"Content-Length": str(length)})
                    _require_ok(answer)
                return
            except ContentError as error:
                if not left or error.code != "storage-unavailable":
                    raise
                self.stopped.wait(0.5)

    def _share(self, stage: str, share: float, *, always: bool = False) -> None:
        self._go_on()
        if always or time.monotonic() - self._told_at > TOLD_EVERY_S:
            self._told_at = time.monotonic()
            self._tell({"type": "progress", "stage": stage, "share": round(share, 4)})

    def _go_on(self) -> None:
        if self.stopped.is_set():
            raise _Stopped

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            told = f"The object store does not answer ({type(error).__name__})."
            raise ContentError("storage-unavailable", told, "Try again.", True) from error


STATUSES = {
    "unauthenticated": 401,
    "mesh-required": 403,
    "not-found": 404,
    "origin-refused": 403,
    "import-too-large": 413,
}


def _require_ok(answer: httpx.Response) -> None:
    """An address that has expired is refused with 403; whoever asks again brings new ones."""
    if answer.status_code in (200, 201, 204):
        return
    told = f"The object store answered {answer.status_code}."
    if answer.status_code in (401, 403):
        raise ContentError("address-expired", told, "Come with new addresses.", True)
    raise ContentError("storage-unavailable", told, "Try again.", answer.status_code >= 500)


def _host_of(url: str) -> tuple[str, int]:
    """Raises ContentError `origin-refused` for what is no plain address of http or https."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise ContentError("origin-refused", "An address is none.") from error
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise ContentError("origin-refused", "An address is none.")
    return parts.hostname, port


def _slice(path: Path, start: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while length:
            piece = file.read(min(PIECE, length))
            length -= len(piece)
            yield piece


async def _body(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > ORDER_BYTES:
            raise ContentError("order-malformed", "The order is too large.")
    return body


def _document(error: ContentError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "remedy": error.remedy, "retryable": error.retryable}


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"
