"""Log lines: one JSON object each, from our own code and from the libraries alike, with who and what they are about.

Fields: `time` (RFC 3339), `level`, `event`, `service`, `region`, what the task bound (`tenant`, `job`, `attempt`,
`request_id`), and `trace_id` and `span_id` where there are some. An exception is fields, too: types, codes, places in the
code; no local variables, and of a foreign error's text only the first line, since later ones quote values.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.typing import EventDict

from cluster.settings import MIB, Settings
from cluster.telemetry import redaction, traces
from content.errors import ContentError, InvalidInput

KEEP_BYTES = 16 * MIB
LOOK_S = 1.0
TEXT_CHARS, FRAMES, CAUSES = 300, 12, 3
QUIET = ("uvicorn.access",)
"""Told otherwise: our own access log has no queries and no raw paths."""
TAKEN_OVER = ("uvicorn", "uvicorn.error", "uvicorn.access", "ray.serve", "fastapi", "pgqueuer", "nats")
SAID_BY_AUTHORS = re.compile("“[^”]*”")
ROOT = str(Path(__file__).parents[2]) + "/"


def configure(service: str, settings: Settings) -> None:
    """Send every line of this process, the libraries' from `warning` on, to `log_folder` or to standard output."""
    redaction.know(settings)
    out = Lines(settings.log_folder / f"{service}.log" if settings.log_folder else None)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    chain = _chain({"service": service, "region": settings.region})
    render = console if settings.log_format == "console" else json_line
    structlog.configure(
        processors=[*chain, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: out,
        # Not cached at a logger's first use: that saves a microsecond of fifteen, and such a logger would go on writing
        # where the process wrote before it was configured anew.
    )
    _take_over(Foreign(out.msg, chain, render))


def for_people() -> None:
    """Of a command line: warnings and worse, on standard error, since standard output is the command's answer."""
    # Asked for at each line: another one may stand there by then, and this one be closed.
    out = Lines(None, lambda: sys.stderr)
    structlog.configure(
        processors=[*_chain({}), console],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=lambda *_: out,
    )


def _chain(fixed: dict[str, str]) -> list[Callable[[Any, str, Any], Any]]:
    def own(_: Any, level: str, event: EventDict) -> EventDict:
        # JSON keeps this order: what is looked for first stands first.
        return {"time": _now(), "level": level, "event": event.pop("event", ""), **fixed, **traces.ids(), **event}

    return [merge_contextvars, _exception, own, redaction.fields]


def json_line(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return redaction.clean(json.dumps(event, default=str, ensure_ascii=False))


def console(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    rest = " ".join(f"{name}={value}" for name, value in event.items() if name not in ("time", "level", "event"))
    return redaction.clean(f"{event['time'][11:23]} {event['level']:<8}{event['event']}  {rest}")


class Lines:
    """Where lines go: a stream, or a file that several processes append to, each line in one write.

    The file is renamed at `KEEP_BYTES`, keeping one older; a process notices within a second that another did so.
    """

    def __init__(self, path: Path | None, stream: Callable[[], TextIO] = lambda: sys.stdout) -> None:
        self._stream = stream
        self._path, self._file, self._inode, self._look_at = path, -1, -1, 0.0

    def msg(self, line: str) -> None:
        if self._path is None:
            stream = self._stream()
            stream.write(f"{line}\n")
            stream.flush()
            return
        with suppress(OSError):  # a full disk must not fail the work that is told of
            os.write(self._opened(self._path), f"{line}\n".encode())

    debug = info = warning = error = critical = exception = log = msg

    def _opened(self, path: Path) -> int:
        if (now := time.monotonic()) < self._look_at:
            return self._file
        self._look_at = now + LOOK_S
        found = path.stat() if path.exists() else None
        if found and found.st_size > KEEP_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
            found = None
        if found is None or found.st_ino != self._inode:
            if self._file >= 0:
                os.close(self._file)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._inode = os.fstat(self._file).st_ino
        return self._file


class Foreign(logging.Handler):
    """What libraries say, as lines of ours."""

    def __init__(self, write: Callable[[str], None], chain: list[Any], render: Callable[..., str]) -> None:
        super().__init__(logging.WARNING)
        self._write, self._line_of = write, Formatter(chain, render)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(self._line_of.format(record))
        except Exception:  # noqa: BLE001 - logging's own way with what cannot be logged
            self.handleError(record)


class Formatter(logging.Formatter):
    """A record of the standard library as a line of ours."""

    def __init__(self, chain: list[Any], render: Callable[..., str]) -> None:
        super().__init__()
        self._chain, self._render = chain, render

    def format(self, record: logging.LogRecord) -> str:
        event: Any = {
            "event": record.getMessage()[: 4 * TEXT_CHARS],
            "logger": record.name,
            "exc_info": record.exc_info,
        }
        level = record.levelname.lower()
        for step in self._chain:
            event = step(None, level, event)
        return self._render(None, level, event)


def _take_over(handler: Foreign) -> None:
    """Every logger's lines go through ours. Serve's own handlers stay, since the dashboard reads their files, but write
    what we would write."""
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, (Foreign, logging.StreamHandler))]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in TAKEN_OVER:
        logger = logging.getLogger(name)
        if name == "ray.serve":
            for own in logger.handlers:
                target = getattr(own, "target", None) or own
                target.setFormatter(handler._line_of)  # pyright: ignore[reportPrivateUsage]
            continue
        logger.handlers.clear()
        logger.propagate, logger.disabled = True, name in QUIET


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Fields of every line of this task, and of those it starts, inside the block."""
    with bound_contextvars(**fields):
        yield


def describe(error: BaseException) -> dict[str, Any]:
    """An error as fields of a line."""
    return {"error": type(error).__name__, "code": getattr(error, "code", "internal"), "text": text_of(error)}


def text_of(error: BaseException) -> str:
    """What may be told of an error: our own sentence without what authors wrote (it stands in “ ”), nothing of a list of
    mistakes in somebody's input, and of a foreign error the first line."""
    if isinstance(error, InvalidInput):
        return f"{len(error.problems)} problems"
    text = error.message if isinstance(error, ContentError) else (str(error).strip().splitlines() or [""])[0]
    return redaction.clean(SAID_BY_AUTHORS.sub("“…”", text))[:TEXT_CHARS]


def _exception(_: Any, __: str, event: EventDict) -> EventDict:
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    if isinstance(found, BaseException):
        found = (type(found), found, found.__traceback__)
    if found and found[1] is not None:
        event["exception"] = _told(found[1])
    return event


def _told(error: BaseException, depth: int = 0) -> dict[str, Any]:
    told = {**describe(error), "frames": _frames(error.__traceback__)}
    # Ray's error of a task begins with a line of its own, and carries what was raised there as `cause`.
    cause = (
        error.__cause__ or getattr(error, "cause", None) or (None if error.__suppress_context__ else error.__context__)
    )
    if isinstance(cause, BaseException) and depth < CAUSES:
        told["cause"] = _told(cause, depth + 1)
    return told


def _frames(at: TracebackType | None) -> list[str]:
    frames: list[str] = []
    while at is not None:
        code = at.tb_frame.f_code
        name = code.co_filename.removeprefix(ROOT).rpartition("site-packages/")[2]
        frames.append(f"{name}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    return frames[-FRAMES:]


def _now() -> str:
    return f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
