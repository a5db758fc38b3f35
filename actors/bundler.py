"""Pool content-bundler: drain jobs, each serving a batch of planned bundles of one group; and whatever else needs the keys:
lists and keys in time, licences that are renewed or signed again, webhooks.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from pgqueuer.models import Job

from actors.pool import pause
from actors.queue_pool import QueueReplica
from cluster import queue
from cluster.queue import LICENCE, REBUNDLE, ROTATION, Work
from cluster.telemetry import describe
from content.errors import ContentError
from tasks import bundle, claims, lists, planning, rebundle_job, revocations, rotation_job
from tasks.courier import Courier, sweep
from tasks.keeping import scrub
from tasks.key_numbers import KeyNumbers

RENEW_S, WEBHOOKS_S, REVOCATIONS_S = 3600.0, 1.0, 0.5
log = structlog.get_logger()


class Bundler(QueueReplica):
    """The rows say what is to be done; the queue entry only calls a worker to them."""

    queue = queue.BUNDLE
    beside = (ROTATION, LICENCE, REBUNDLE)

    async def start(self) -> None:
        self._keys_told = KeyNumbers()
        await super().start()
        loops = (self._upkeep(), self._tell_webhooks(), self._list_revocations(), self._scrub())
        self._tasks += [asyncio.create_task(loop) for loop in loops]

    async def tell(self) -> None:
        await super().tell()
        await self._keys_told.tell(self.connections)

    async def _upkeep(self) -> None:
        """Workers called to what was forgotten, and fresh trust and revocation lists: this pool may use the keys."""
        renewed = 0.0
        while not self.stopping.is_set():
            try:
                await planning.call_forgotten(self.connections)
                async with self.connections.db.connection() as connection:
                    for name in (queue.BUNDLE, REBUNDLE):
                        await queue.hurry(connection, name, self.settings.bulk_patience_s)
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

    async def _list_revocations(self) -> None:
        """What was taken back is in a signed list within a second, whoever took it back."""
        while not self.stopping.is_set():
            try:
                await revocations.publish_waiting(self.connections)
            except ContentError as error:
                log.warning("revocations put off", **describe(error))
            await pause(self.stopping, REVOCATIONS_S)

    async def _scrub(self) -> None:
        """A share of what is stored is read and compared, all day long."""
        while not self.stopping.is_set():
            await pause(self.stopping, scrub.pause_s(self.settings))
            if self.stopping.is_set():
                return
            try:
                await scrub.share(self.connections)
            except ContentError as error:
                log.warning("scrubbing put off", **describe(error))

    async def read_depth(self) -> float:
        """Bundles, not jobs: rows that wait and rows that are being served."""
        async with self.connections.ops.connection() as connection:
            return float(await claims.depth(connection))

    async def handle(self, job: Job, work: Work) -> None:
        if job.entrypoint == ROTATION:
            await rotation_job.run(self.connections, work)
            return
        if job.entrypoint == LICENCE:
            await rotation_job.renew(self.connections, work, job.id)
            return
        if job.entrypoint == REBUNDLE:
            async with self._room.enter(alone=True):
                await rebundle_job.run(self.connections, work, job.id)
            return
        # One batch at a time: what a batch does to its worker is then blamed on its own rows alone.
        async with self._room.enter(alone=True):
            await bundle.drain(self.connections, work, job.id)
