"""A rate of requests as a budget that refills evenly (the generic cell rate algorithm), and leases of parts of it.

The whole state is one instant: `spent_until`, the time up to which the budget is used. A request moves it on by one
interval; it may be at most a minute ahead of the clock. Who serves requests takes a chunk at a time, so that the state is
written once per chunk; what is allowed in a minute is exceeded by no more than the chunks that are held.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from content.errors import ContentError

WINDOW_S = 60.0
CHUNK_SHARE, MOST_CHUNK = 60, 100


@dataclass(eq=False)
class RateLimited(ContentError):
    """Too many requests; one more is allowed after `wait_s` seconds."""

    wait_s: float = 0.0


@dataclass(frozen=True)
class Lease:
    """`tokens` requests are allowed now and `left` more could be; with no tokens, one is allowed after `wait_s`."""

    tokens: int
    left: int
    spent_until: float
    wait_s: float


def chunk(per_minute: int) -> int:
    """How many requests to lease at a time: what is allowed in a second, at least one and at most a hundred."""
    return max(1, min(MOST_CHUNK, per_minute // CHUNK_SHARE))


def lease(spent_until: float, now: float, *, per_minute: int, most: int) -> Lease:
    """Take up to `most` requests out of a budget of `per_minute`. Times in seconds of one clock."""
    interval = WINDOW_S / per_minute
    start = max(spent_until, now)
    room = now + WINDOW_S - start
    available = max(0, math.floor(room / interval + 1e-6))
    tokens = min(most, available)
    wait_s = 0.0 if tokens else interval - room
    return Lease(tokens, available - tokens, start + tokens * interval if tokens else spent_until, max(0.0, wait_s))
