"""What a process remembers of the key service: for a while, a limited number, and the least used leaves first.

For public keys (they never change), and for opened batch keys (`envelope.py`), which is why an entry can be short-lived.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """Safe to share between threads. Two that miss at once both ask; the later answer stays."""

    def __init__(self, most: int, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._ttl_s, self._clock = most, ttl_s, clock
        self._known: OrderedDict[str, tuple[float, V]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> V | None:
        with self._lock:
            found = self._known.get(key)
            if found is None:
                return None
            if self._clock() >= found[0]:
                del self._known[key]
                return None
            self._known.move_to_end(key)
            return found[1]

    def put(self, key: str, value: V) -> V:
        with self._lock:
            now = self._clock()
            self._known[key] = (now + self._ttl_s, value)
            self._known.move_to_end(key)
            # What is over is not kept until somebody asks for it: it may be a key.
            for stale in [name for name, (until, _) in self._known.items() if now >= until]:
                del self._known[stale]
            while len(self._known) > self._most:
                self._known.popitem(last=False)
            return value

    def __len__(self) -> int:
        with self._lock:
            return len(self._known)
