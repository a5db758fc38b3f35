"""Pool content-builder: builds and previews, rendered as Ray tasks."""

from __future__ import annotations

import asyncio
from typing import Any

from actors.job_pool import JobReplica
from cluster.database import Transaction
from cluster.queue import BUILD, PREVIEW
from tasks import build, preview, workspace

STALE_S = 3600.0
WORK = {BUILD: build, PREVIEW: preview}


class Builder(JobReplica):
    """Its jobs leave folders on the node, which are removed whatever becomes of the job."""

    queue = BUILD
    beside = (PREVIEW,)

    async def start(self) -> None:
        # What jobs left on this node that went on elsewhere; nobody else looks into a pod's scratch space.
        await asyncio.to_thread(workspace.sweep, self.settings.workspace, max(STALE_S, self.settings.lease_s))
        await super().start()

    async def work_at(self, begun: dict[str, Any]) -> None:
        await WORK[begun["kind"]].run(self.connections, begun)

    async def give_up(self, tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
        await WORK[begun["kind"]].give_up(tx, begun, problem)

    async def ended_elsewhere(self, job: str) -> None:
        await asyncio.to_thread(workspace.forget, self.settings.workspace, job)
