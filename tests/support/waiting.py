"""Waiting for a condition with a deadline; nothing here sleeps in the hope that something has happened by then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
EVERY_S = 0.1
LEAST_S = 60.0
"""No deadline is shorter, whatever a test says: a busy machine may stand still for seconds, and only a test that fails waits."""


def until(what: str, ask: Callable[[], T | None], deadline_s: float = 60.0, state: Callable[[], object] = str) -> T:
    """The first answer of `ask` that is true. After the deadline an AssertionError says `what` and the last `state`."""
    deadline_s = max(deadline_s, LEAST_S)
    end = time.monotonic() + deadline_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline_s:.0f} s: not {what}; last seen: {answer!r} {state()!r}")
        time.sleep(EVERY_S)


def promised(what: str, ask: Callable[[], object], within_s: float, state: Callable[[], object] = str) -> None:
    """Every question that is put later than `within_s` from now is answered with a true value.

    How long an answer takes on a busy machine is not counted: a question that was put in time may be answered late, or with
    what was true when it was put."""
    began = time.monotonic()
    while True:
        asked = time.monotonic()
        if ask():
            return
        assert asked - began <= within_s, f"not {what}, asked after {asked - began:.1f} s; last seen: {state()!r}"
        time.sleep(EVERY_S)


def always(what: str, holds: Callable[[], bool], for_s: float) -> None:
    """Fail as soon as `holds` is false within so many seconds."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        assert holds(), f"no longer {what}"
        time.sleep(EVERY_S)
