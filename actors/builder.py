"""Pool content-builder: build jobs, rendered as Ray tasks."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.job_pool import JobReplica
from cluster import queue
from cluster.database import Transaction
from tasks import build, workspace

STALE_S = 3600.0


class Builder(JobReplica):
    """Its jobs leave folders on the node, which are removed whatever becomes of the job."""

    queue = queue.BUILD

    async def start(self) -> None:
        # What jobs left on this node that went on elsewhere; nobody else looks into a pod's scratch space.
        await asyncio.to_thread(workspace.sweep, self.settings.workspace, max(STALE_S, self.settings.lease_s))
        await super().start()

    async def work_at(self, begun: dict[str, Any]) -> None:
        await build.run(self.connections, begun)

    async def give_up(self, tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
        await build.give_up(tx, begun, problem)

    async def ended_elsewhere(self, job: str) -> None:
        await asyncio.to_thread(workspace.forget, self.settings.workspace, job)
