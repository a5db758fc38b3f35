"""A circuit breaker: a service that failed several times in a row is left alone for a while, then tried by one call.

`Breaker` is a value and its changes are pure, with the time handed in; `Breakers` keeps one per service for a process.
Closed: everybody may ask. Open: nobody, until `until`. Half-open: one trial is under way, and its end decides; a
trial that is never heard of again counts as lost after as long a rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"


@dataclass(frozen=True)
class Breaker:
    """`failures` in a row; `until` (seconds of the caller's clock) ends the rest of an open or the trial of a half-open one."""

    threshold: int
    rest_s: float
    state: State = State.CLOSED
    failures: int = 0
    until: float = 0.0

    def ask(self, now: float) -> tuple[Breaker, float]:
        """(what follows, seconds to wait): 0.0 means go ahead, and tell how it went."""
        if self.state is State.CLOSED:
            return self, 0.0
        if now < self.until:
            return self, self.until - now
        return replace(self, state=State.HALF_OPEN, until=now + self.rest_s), 0.0

    def succeeded(self) -> Breaker:
        """The service answered, whatever it said."""
        return Breaker(self.threshold, self.rest_s)

    def failed(self, now: float) -> Breaker:
        """The service did not answer, or failed inside."""
        failures = self.failures + 1
        if self.state is State.CLOSED and failures < self.threshold:
            return replace(self, failures=failures)
        return replace(self, state=State.OPEN, failures=failures, until=now + self.rest_s)


class Breakers:
    """The breakers of a process by name; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._known: dict[str, Breaker] = {}

    def ask(self, name: str, threshold: int, rest_s: float) -> float:
        """0.0: go ahead, and call `tell` afterwards. Otherwise the seconds for which the service is left alone."""
        with self._lock:
            now = self._clock()
            self._known[name], wait_s = self._known.get(name, Breaker(threshold, rest_s)).ask(now)
            return wait_s

    def tell(self, name: str, *, answered: bool) -> None:
        with self._lock:
            known = self._known.get(name)
            if known is not None:
                self._known[name] = known.succeeded() if answered else known.failed(self._clock())

    def state(self, name: str) -> State:
        """For logs and tests; what was never asked is closed."""
        with self._lock:
            known = self._known.get(name)
            return known.state if known else State.CLOSED
