"""Pool content-builder: build jobs, one `jobs` row each, rendered as Ray tasks."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job

from actors.pool import describe
from actors.queue_pool import QueueReplica
from cluster import queue
from cluster.queue import Work
from tasks import build, jobs, workspace
from tasks.jobs import LONE_DEATHS, Retry

log = structlog.get_logger()


class Builder(QueueReplica):
    """Counts a start before the work begins, so that a job which kills its worker each time is found."""

    queue = queue.BUILD

    async def read_depth(self) -> float:
        async with self.connections.ops.connection() as connection:
            return float(await queue.depth(connection, self.queue))

    async def handle(self, job: Job, work: Work) -> None:
        db = self.connections.db
        async with db.tenant(work.tenant) as tx:
            begun = await jobs.begin(tx, work.subject)
        if begun is None:
            await asyncio.to_thread(workspace.forget, self.settings.workspace, work.subject)
            return
        deaths = begun["starts"] - 1
        if deaths > LONE_DEATHS:
            async with db.tenant(work.tenant) as tx:
                await build.give_up(tx, begun, {"code": "worker-died", "title": "The worker died each time it tried."})
            return
        try:
            async with self._room.enter(alone=deaths > 0):
                await build.run(self.connections, begun)
        except asyncio.CancelledError:
            async with db.tenant(work.tenant) as tx:
                await jobs.put_back(tx, work.subject, "the worker left; it starts again elsewhere")
            raise
        except Exception as error:
            log.warning("build failed", job=work.subject, attempt=begun["attempt"], **describe(error))
            decision = jobs.decide(error, begun["attempt"], self.settings.job_max_attempts)
            async with db.tenant(work.tenant) as tx:
                if isinstance(decision, Retry):
                    await jobs.put_back(tx, work.subject, decision.reason)
                else:
                    await build.give_up(tx, begun, decision.problem)
            if isinstance(decision, Retry):
                raise RetryRequested(timedelta(seconds=decision.delay_s), decision.reason) from error
