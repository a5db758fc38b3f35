"""Work done in the test's own process with the connections of a worker (or another role), beside the replicas of the stack."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cluster.connections import Connections, Role
from tests.support.running import Running

T = TypeVar("T")


def with_connections(running: Running, work: Callable[[Connections], Awaitable[T]], role: Role = "worker") -> T:
    """What `work` gives; the connections are closed behind it."""

    async def run() -> T:
        connections = await Connections.open(running.settings, role)
        try:
            return await work(connections)
        finally:
            await connections.close()

    return asyncio.run(run())
