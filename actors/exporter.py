"""Pool content-exporter: exports, each written straight into the object store; nothing of them lies on the node."""

from __future__ import annotations

from typing import Any

from actors.job_pool import JobReplica
from cluster import queue
from cluster.database import Transaction
from tasks import export


class Exporter(JobReplica):
    """An export is mostly waiting for the store, so a replica is at two of them at once."""

    queue = queue.EXPORT

    async def work_at(self, begun: dict[str, Any]) -> None:
        await export.run(self.connections, begun)

    async def give_up(self, tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
        await export.give_up(tx, begun, problem)
