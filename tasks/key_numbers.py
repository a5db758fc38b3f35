"""Keys and drills as numbers: asked of the database every minute, told every few seconds, since a gauge vanishes."""

from __future__ import annotations

import time

from cluster import database
from cluster.connections import Connections
from cluster.telemetry.metrics import DRILL_AGE, KEYS_OPEN
from tasks import drill, key_ends

EVERY_S = 60.0


class KeyNumbers:
    """One per replica of the pool that may use the keys."""

    def __init__(self) -> None:
        self._asked = float("-inf")
        self._age_s: float | None = None
        self._overdue: dict[str, int] = {}

    async def tell(self, connections: Connections) -> None:
        """Set the gauges. Before there is a tenant there is no age of drills."""
        if time.monotonic() - self._asked > EVERY_S:
            async with connections.ops.connection() as ops:
                now = await database.now(ops)
                self._age_s = (await drill.age(ops, now))["age_s"]
                self._overdue = await key_ends.overdue(ops, now)
            self._asked = time.monotonic()
        if self._age_s is not None:
            DRILL_AGE.set(self._age_s + time.monotonic() - self._asked)
        for what, count in self._overdue.items():
            KEYS_OPEN.set(count, what=what)
