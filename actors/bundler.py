"""Pool content-bundler: drain jobs, each serving a batch of planned bundles of one group."""

from __future__ import annotations

import asyncio
import time

import structlog
from pgqueuer.models import Job

from actors.pool import pause
from actors.queue_pool import QueueReplica
from cluster import queue
from cluster.queue import Work
from cluster.telemetry import describe
from content.errors import ContentError
from tasks import bundle, claims, lists, planning
from tasks.courier import Courier, sweep

RENEW_S, WEBHOOKS_S = 3600.0, 1.0
log = structlog.get_logger()


class Bundler(QueueReplica):
    """The rows say what is to be done; the queue entry only calls a worker to them."""

    queue = queue.BUNDLE

    async def start(self) -> None:
        await super().start()
        self._tasks += [asyncio.create_task(self._upkeep()), asyncio.create_task(self._tell_webhooks())]

    async def _upkeep(self) -> None:
        """Workers called to what was forgotten, and fresh trust and revocation lists: this pool may use the keys."""
        renewed = 0.0
        while not self.stopping.is_set():
            try:
                await planning.call_forgotten(self.connections)
                async with self.connections.db.connection() as connection:
                    await queue.hurry(connection, queue.BUNDLE, self.settings.bulk_patience_s)
                if time.monotonic() - renewed > RENEW_S or not renewed:
                    await lists.renew_all(self.connections)
                    renewed = time.monotonic()
            except ContentError as error:
                log.warning("upkeep put off", **describe(error))
            await pause(self.stopping, self.settings.lease_s)

    async def _tell_webhooks(self) -> None:
        """Webhooks are told from here, since their secrets are unwrapped by the keys."""
        courier, swept = Courier(self.connections), 0.0
        try:
            while not self.stopping.is_set():
                try:
                    begun = await courier.step()
                    if time.monotonic() - swept > RENEW_S or not swept:
                        await sweep(self.connections)
                        swept = time.monotonic()
                except ContentError as error:
                    log.warning("webhooks put off", **describe(error))
                    begun = 0
                await pause(self.stopping, 0.1 if begun else WEBHOOKS_S)
        finally:
            await courier.stop(self.settings.webhook_timeout_s if self.stopping.is_set() else 0.0)

    async def read_depth(self) -> float:
        """Bundles, not jobs: rows that wait and rows that are being served."""
        async with self.connections.ops.connection() as connection:
            return float(await claims.depth(connection))

    async def handle(self, job: Job, work: Work) -> None:
        # One batch at a time: what a batch does to its worker is then blamed on its own rows alone.
        async with self._room.enter(alone=True):
            await bundle.drain(self.connections, work, job.id)
