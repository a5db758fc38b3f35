"""One job in one sandbox, seen from outside: the request, what comes back, the limits, and the end.

Whatever comes out of a sandbox is the word of code that may have been taken over. It is read in bounded pieces: lines
of bounded length, a bounded sum, JSON that cannot nest its reader out of memory; nothing in it is executed or trusted.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cluster.sandbox.limits import TICK_S, Limits, Result, Stopped, beyond, threads
from cluster.sandbox.started import SAID_BYTES, Started
from content.errors import ContentError

LINE_BYTES = 1 << 20
_CODE = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SIGNALS = {each.value for each in signal.Signals}


class Conversation:
    """Runs a request to its end. `on_line` gets each whole line of standard output; `watch` is called every tick.
    What either raises ends the sandbox and goes on to the caller."""

    def __init__(
        self,
        started: Started,
        limits: Limits,
        on_line: Callable[[bytes], None] | None,
        watch: Callable[[], None] | None,
    ) -> None:
        self._started, self._limits = started, limits
        self._on_line, self._watch = on_line, watch
        self._pending, self._answered = b"", 0
        self._head, self._tail = b"", b""

    def hold(self, request: dict[str, Any]) -> Result:
        """Hand in the request, follow the sandbox until it ends or is ended."""
        started = self._started
        try:
            with started.stdin as pipe:
                pipe.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            pass  # it died; what it said comes below
        try:
            stopped = self._follow(time.monotonic() + self._limits.wall_s)
            if not stopped:
                self._await_end()
                # Looked at once more: all may have happened between two ticks.
                stopped = "output" if beyond(started.folder / "out", self._limits) else ""
        finally:
            code = started.end()
        # Backends report a signal as 128 and its number.
        if code > 128 and code - 128 in _SIGNALS:
            code = 128 - code
        return Result(code, stopped, (self._head + self._tail).decode(errors="replace").strip())

    def _follow(self, deadline: float) -> Stopped:
        """Until both pipes are closed; the limit that was passed, if one was."""
        output, errors = self._started.stdout, self._started.stderr
        looked = 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            selector.register(errors, selectors.EVENT_READ)
            while selector.get_map():
                now = time.monotonic()
                if now >= deadline:
                    return "time"
                if now - looked >= TICK_S:
                    if stopped := self._passed():
                        return stopped
                    looked = now
                for key, _ in selector.select(min(TICK_S, deadline - now)):
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.fd == errors.fileno():
                        self._keep(data)
                    elif not self._take(data):
                        return "answer"
        return ""

    def _passed(self) -> Stopped:
        if self._watch is not None:
            self._watch()
        if beyond(self._started.folder / "out", self._limits):
            return "output"
        return "threads" if threads(self._started.pid) > self._limits.threads else ""

    def _keep(self, data: bytes) -> None:
        room = SAID_BYTES - len(self._head)
        self._head, self._tail = self._head + data[:room], (self._tail + data[room:])[-SAID_BYTES:]

    def _take(self, data: bytes) -> bool:
        """Whether the answer still is within its limits."""
        self._answered += len(data)
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            if self._on_line is not None:
                self._on_line(line)
        return self._answered <= self._limits.answer_bytes and len(self._pending) <= LINE_BYTES

    def _await_end(self) -> None:
        """Its pipes are closed, so it is ending; whoever only closed them is killed."""
        deadline = time.monotonic() + 1.0
        while self._started.alive() and time.monotonic() < deadline:
            time.sleep(0.001)


class Answers:
    """The lines of a called function: shares of its work, then one value or one refusal."""

    def __init__(self, on_share: Callable[[float], None] | None) -> None:
        self._on_share = on_share
        self._value: object = None
        self._refusal: ContentError | None = None
        self._complete = False

    def take(self, line: bytes) -> None:
        try:
            document = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return  # noise: without an answer the call has failed
        match document:
            case {"share": int() | float() as share} if self._on_share is not None:
                self._on_share(min(max(float(share), 0.0), 1.0))
            case {"value": value}:
                self._value, self._complete = value, True
            case {"refusal": [str(code), str(message), str(remedy)]} if _CODE.fullmatch(code):
                self._refusal, self._complete = ContentError(code, _clean(message), _clean(remedy)), True
            case _:
                pass

    def complete(self, result: Result) -> Result:
        """The result with what was answered; a clean end without an answer is none."""
        if result.stopped or result.code != 0:
            return result
        if not self._complete:
            return replace(result, stopped="answer")
        return replace(result, value=self._value, refusal=self._refusal)


def _clean(text: str) -> str:
    """A sentence of bounded length without control characters: it ends up in reports and terminals."""
    return "".join(each if each.isprintable() else " " for each in text[:1000])


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
