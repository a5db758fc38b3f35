"""How fast one process may ask: a share of the account's quota that grows while nobody is throttled, and halves when one is.

A quota counts a whole account and region, and its processes do not talk to each other. So each keeps to a rate of its own
between `floor` (its share if all of them ask at once) and `ceiling` (the quota itself): up by a little with each second of
quiet, down by half with each "you ask too often", as TCP shares a line. At worst all stand at their floors, whose sum is
below the quota. Time is handed in, waiting is the caller's, so it is tested in no time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

GROWTH = 0.05
"""Of the ceiling, per second without being throttled."""
CALM_S = 1.0
"""One throttling halves the rate once, however many calls of the same moment hear of it."""
BURST_S = 1.0
"""What was not used may be used later, up to so many seconds' worth."""


class Limiter:
    """One kind of call in one region, which begins at `start` (a quarter of the ceiling). Safe to share between threads."""

    def __init__(
        self,
        floor: float,
        ceiling: float,
        *,
        start: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not 0 < floor <= ceiling:
            raise ValueError("a limiter's floor is above zero and at most its ceiling")
        self._floor, self._ceiling, self._clock, self._sleep = floor, ceiling, clock, sleep
        self._lock = threading.Lock()
        self._rate, self._seen, self._halved = max(floor, start or ceiling / 4), clock(), float("-inf")
        self._tokens = self._burst()

    @property
    def rate(self) -> float:
        """Calls per second now."""
        with self._lock:
            self._pass_time()
            return self._rate

    def take(self, within_s: float) -> bool:
        """Wait for one's turn. False (at once, and nothing is taken) if that would be later than `within_s` from now."""
        with self._lock:
            self._pass_time()
            wait_s = max(0.0, (1.0 - self._tokens) / self._rate)
            if wait_s > within_s:
                return False
            self._tokens -= 1.0  # below zero: who comes next stands behind us
        if wait_s:
            self._sleep(wait_s)
        return True

    def throttled(self) -> None:
        """The service said that the account asks too often."""
        with self._lock:
            self._pass_time()
            now = self._clock()
            if now - self._halved >= CALM_S:
                self._rate, self._halved = max(self._floor, self._rate / 2), now
                self._tokens = min(self._tokens, 0.0)

    def _pass_time(self) -> None:
        now = self._clock()
        gone, self._seen = max(0.0, now - self._seen), now
        quiet = min(gone, max(0.0, now - self._halved - CALM_S))
        self._rate = min(self._ceiling, self._rate + quiet * GROWTH * self._ceiling)
        self._tokens = min(self._burst(), self._tokens + gone * self._rate)

    def _burst(self) -> float:
        return max(1.0, self._rate * BURST_S)
