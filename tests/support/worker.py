"""A second worker of the bundler's pool, in this process, for the time of one batch.

The stack of the tests runs one replica of each pool, and a replica serves one batch at a time. While it is held at a
failpoint, what another replica would do meanwhile is done here by the same task on the same parts.
"""

from __future__ import annotations

import asyncio

from cluster.connections import Connections
from cluster.queue import Work
from tasks import bundle
from tasks.planning import Group
from tests.support.running import Running

NO_ENTRY = 0
"""No entry of the queue has this number; the replica's own entry is not touched."""


def drain_here(running: Running, tenant: str, package_id: str, version: int, profile: str = "phone") -> None:
    """Serve one batch of the group."""
    asyncio.run(_drain(running, Work(tenant, Group(package_id, version, profile, "interactive").subject(0))))


async def _drain(running: Running, work: Work) -> None:
    connections = await Connections.open(running.settings, "worker", size=3)
    try:
        await bundle.drain(connections, work, NO_ENTRY)
    finally:
        await connections.close()
