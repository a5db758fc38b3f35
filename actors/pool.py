"""What all pools share: a loop in a Serve replica, its depth for the autoscaler, its health, and leaving in good order.

A pool is a Serve deployment without a route. Its replica connects at its first health check (before which Serve does
not count it as running), works until it is told to leave, and is replaced when its loop ended or stopped making
progress. Leaving: stop fetching, finish what is held for `drain_s`, then give the rest back unblamed. Plain classes:
`serve_app/bound` binds them, tests run them without Ray.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod

import structlog

from cluster import telemetry
from cluster.connections import Connections, Role
from cluster.ending import end
from cluster.settings import Settings
from cluster.telemetry.metrics import POOL_DEPTH
from content.errors import ContentError

WATCH_S = 2.0
STALLED_S = 60.0
log = structlog.get_logger()


class Replica(ABC):
    """One worker of a pool. Subclasses say how it works, how deep its queue is, and how it stops."""

    role: Role = "worker"

    def __init__(self, name: str) -> None:
        self.name, self.settings = name, Settings.load()
        self.depth = 0.0
        self._beats: dict[str, float] = {}
        self.stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Connect and begin to work."""
        telemetry.begin(self.name, self.settings)
        self.connections = await Connections.open(self.settings, self.role)
        self._tasks = [asyncio.create_task(self.work()), asyncio.create_task(self._watch())]

    @abstractmethod
    async def work(self) -> None:
        """Work until `stopping` is set; ending before that is a failure, and the replica is replaced."""

    @abstractmethod
    async def read_depth(self) -> float:
        """What waits and what runs in this pool, over all tenants."""

    def beat(self, loop: str) -> None:
        """This loop made progress, had nothing to do, or waits for a part that is away."""
        self._beats[loop] = time.monotonic()

    async def moving(self) -> bool:
        """Whether work that waits is being taken; asked every few seconds, with the depth just read."""
        return True

    async def tell(self) -> None:
        """Set the numbers of this replica; called every few seconds, or they vanish."""
        POOL_DEPTH.set(self.depth, pool=self.name)
        self.connections.tell()

    async def _watch(self) -> None:
        while not self.stopping.is_set():
            try:
                self.depth = await self.read_depth()
                await self.tell()
                if await self.moving():
                    self.beat("work")
            except ContentError as error:
                log.warning("depth unknown", pool=self.name, code=error.code)
            await pause(self.stopping, WATCH_S)

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Serve asks for this and hands it to the pool's policy."""
        return {"depth": float(self.depth)}

    async def check_health(self) -> None:
        """Raises when this replica ought to be replaced. Serve asks once before it counts a replica as running."""
        if self.stopping.is_set():
            return
        if not self._tasks:
            await self.start()
        for task in self._tasks:
            if task.done():
                error = task.exception() if not task.cancelled() else None
                raise RuntimeError(f"{self.name}: its loop ended: {error!r}")
        for loop, beat in self._beats.items():
            if time.monotonic() - beat > STALLED_S:
                raise RuntimeError(f"{self.name}: no progress of {loop} for {STALLED_S:.0f} s")

    async def stop(self) -> None:
        """Leave in good order: finish for `drain_s`, then give back what is left."""
        self.stopping.set()
        await self.drain()
        await end(*self._tasks)
        await self.connections.close()

    async def drain(self) -> None:
        """Wait for the loop to end; subclasses give back what does not."""
        await asyncio.wait(self._tasks, timeout=self.settings.drain_s)

    async def __del__(self) -> None:  # Serve awaits it when a replica leaves
        if self._tasks and not self.stopping.is_set():
            await self.stop()


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Sleep, but wake at once when told to leave."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
