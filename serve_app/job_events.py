"""Who follows which job in this replica: one connection that listens to Postgres, fanned out to the open streams.

A job's trigger notifies with a digest of tenant and job (migration 0005), so the payload tells a listener nothing. A
stream that is woken reads its job's row, newest state only, in its own tenant. Notifications may be lost with the
connection: then everybody is woken when it is back, and a slow look is the net below. The connection is opened by the
first stream; seats are limited, since a stream holds one of the replica's places for requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
import structlog
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from cluster.ending import end
from cluster.settings import Settings
from content.errors import ContentError

CHANNEL = "content_jobs"
RETRY_MS = 1000
HEARTBEAT_S = 5.0
EXAMPLE = """retry: 1000

id: 4
event: progress
data: {"job_id": "job_…", "state": "running", "progress": 0.41, "message": "film: video-480 41%", …}

"""
log = structlog.get_logger()


class JobEvents:
    """The streams of this replica. Use it inside the running event loop; `close` ends its listener."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._seats: Counter[str] = Counter()
        self._listener: asyncio.Task[None] | None = None

    @property
    def open_streams(self) -> int:
        return self._seats.total()

    def take_seat(self, tenant: str) -> Callable[[], None]:
        """A place for one stream; call what is returned when it ends, however often. Raises `too-many-streams` (the
        tenant's are taken) or `streams-full` (the replica's are)."""
        if self._seats[tenant] >= self._settings.sse_max_streams_per_tenant:
            raise ContentError("too-many-streams", "Too many streams are open.", "Close some, or ask for the job itself.", True)  # fmt: skip
        if self.open_streams >= self._settings.sse_max_streams:
            raise ContentError("streams-full", "No further stream can be opened here.", "Ask for the job itself.", True)
        self._seats[tenant] += 1
        taken = [tenant]

        def leave() -> None:
            for name in taken:
                self._seats[name] -= 1
                if not self._seats[name]:
                    del self._seats[name]
            taken.clear()

        return leave

    @contextmanager
    def follow(self, tenant: str, job: str) -> Iterator[asyncio.Event]:
        """An event that is set when the job has changed."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        name, woken = hashlib.sha256(f"{tenant}/{job}".encode()).hexdigest(), asyncio.Event()
        self._waiting.setdefault(name, set()).add(woken)
        try:
            yield woken
        finally:
            self._waiting[name].discard(woken)
            if not self._waiting[name]:
                del self._waiting[name]

    async def close(self) -> None:
        await end(self._listener)

    async def _listen(self) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    self._settings.postgres_api.get_secret_value(),
                    autocommit=True,
                    connect_timeout=5,
                    keepalives_idle=5,
                )
                async with connection:
                    await connection.execute(f"listen {CHANNEL}".encode())
                    self._wake_all()  # what changed while nobody listened
                    async for notice in connection.notifies():
                        for woken in self._waiting.get(notice.payload, ()):
                            woken.set()
            except psycopg.Error as error:
                log.warning("job events: not listening", error=type(error).__name__)
            await asyncio.sleep(1.0)

    def _wake_all(self) -> None:
        for followers in self._waiting.values():
            for woken in followers:
                woken.set()


class EventStream(StreamingResponse):
    """Gives its seat back when it ends, also when the client left."""

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[str], leave: Callable[[], None]) -> None:
        super().__init__(content, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._content, self._leave = content, leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
            await cast("AsyncGenerator[str]", self._content).aclose()


async def stream(
    woken: asyncio.Event, read: Callable[[], Awaitable[dict[str, Any] | None]], last: int, most_s: float
) -> AsyncIterator[str]:
    """Server-sent events of a job whose `read` gives its row: `progress` with every change above revision `last`, `end`
    with the last one. Ends with the job, or after `most_s` seconds: the client comes again with Last-Event-ID."""
    yield f"retry: {RETRY_MS}\n\n"
    ends = asyncio.get_running_loop().time() + most_s
    while True:
        woken.clear()
        try:
            row = await read()
        except ContentError:  # the database is away: the client comes again
            return
        if row is None:
            return
        if row["revision"] > last:
            last = row["revision"]
            yield event(row)
            if row["ended"]:
                return
        left = ends - asyncio.get_running_loop().time()
        if left <= 0:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), min(left, HEARTBEAT_S))
            continue
        yield ": still here\n\n"


def event(row: dict[str, Any]) -> str:
    """One event of the stream: its id is the job's revision."""
    name = "end" if row["ended"] else "progress"
    data = {
        key: row[key] for key in ("job_id", "state", "attempt", "progress", "message", "stages", "result", "problem")
    }
    return f"id: {row['revision']}\nevent: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
