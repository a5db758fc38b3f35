"""Pool content-bundler: drain jobs, each serving a batch of planned bundles of one group."""

from __future__ import annotations

from pgqueuer.models import Job

from actors.queue_pool import QueueReplica
from cluster import queue
from cluster.queue import Work
from tasks import bundle


class Bundler(QueueReplica):
    """The rows say what is to be done; the queue entry only calls a worker to them."""

    queue = queue.BUNDLE

    async def read_depth(self) -> float:
        """Bundles, not jobs: rows that wait and rows that are being served."""
        async with self.connections.ops.connection() as connection:
            return float(await bundle.depth(connection))

    async def handle(self, job: Job, work: Work) -> None:
        await bundle.drain(self.connections, work, job.id)
