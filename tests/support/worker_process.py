"""A worker in a process of its own, without Ray: `python -m tests.support.worker_process KIND`: relay, builder, bundler,
exporter or importer.

What Serve does with a replica is done here in a few lines: its health is asked every second, and one that is not well
is replaced. So a test can freeze, kill or put off the clock of just one worker. `CLOCK_AHEAD_S` sets the clock of this
process ahead, for everything that is imported after it, botocore and nats included.
"""

from __future__ import annotations

import datetime
import os
import sys
import time

AHEAD_S = float(os.environ.get("CLOCK_AHEAD_S", "0"))
if AHEAD_S:
    _time, _datetime = time.time, datetime.datetime

    class Ahead(_datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return _datetime.now(tz) + datetime.timedelta(seconds=AHEAD_S)

        @classmethod
        def utcnow(cls) -> datetime.datetime:
            return cls.now(datetime.UTC).replace(tzinfo=None)

    datetime.datetime = Ahead  # type: ignore[misc]
    time.time = lambda: _time() + AHEAD_S

import asyncio  # noqa: E402
import signal  # noqa: E402
from urllib.parse import urlsplit  # noqa: E402

import structlog  # noqa: E402

from actors.builder import Builder  # noqa: E402
from actors.bundler import Bundler  # noqa: E402
from actors.exporter import Exporter  # noqa: E402
from actors.importer import Importer, given  # noqa: E402
from actors.pool import Replica, pause  # noqa: E402
from actors.relay import OutboxRelay  # noqa: E402
from cluster.settings import Settings  # noqa: E402
from cluster.telemetry import describe  # noqa: E402

KINDS: dict[str, type[Replica]] = {"relay": OutboxRelay, "builder": Builder, "bundler": Bundler, "exporter": Exporter}
AT_WORK = "at work"
"""Printed once, when its health was good for the first time."""
log = structlog.get_logger()


async def main(kind: str) -> None:
    leaving, told = asyncio.Event(), False
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leaving.set)
    while not leaving.is_set():
        replica = KINDS[kind](f"content-{kind}")
        try:
            while not leaving.is_set():
                await replica.check_health()
                if not told:
                    print(AT_WORK, flush=True)
                    told = True
                await pause(leaving, 1.0)
        except Exception as error:
            log.warning("replaced", kind=kind, **describe(error))
            await pause(leaving, 0.5)
        if hasattr(replica, "connections"):
            await replica.stop()


def serve_importer() -> None:
    """The importer as Serve runs it: told what is given to it, and without the settings of the stack."""
    import uvicorn
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    settings = Settings.load()
    url, told = urlsplit(settings.importer_url), given(settings)
    del os.environ["CONTENT_SETTINGS"]
    replica = Importer("content-scorm-importer", **told)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            told_to = {**scope, "root_path": url.path}  # as Serve says it
            await (await replica(Request(told_to, receive)))(told_to, receive, send)

    uvicorn.run(app, port=url.port or 0, log_level="warning", lifespan="off")


if __name__ == "__main__":
    if sys.argv[1] == "importer":
        serve_importer()
    else:
        asyncio.run(main(sys.argv[1]))
