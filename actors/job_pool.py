"""A pool whose entries are one `jobs` row each (builder, exporter): begun, done, and whatever goes wrong decided.

A start is counted before the work begins, so that a job which kills its worker each time is found.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from datetime import timedelta
from typing import Any

import structlog
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job

from actors.queue_pool import QueueReplica
from cluster import failpoints, queue
from cluster.database import Transaction
from cluster.queue import Work
from cluster.telemetry import describe
from content.errors import NotYet, ObjectCold
from tasks import jobs, steering
from tasks.jobs import LONE_DEATHS, Retry
from tasks.keeping import cold
from tasks.keeping.cold import Unit

log = structlog.get_logger()


class JobReplica(QueueReplica):
    """Subclasses say what the work is and what it means that it has failed for good."""

    @abstractmethod
    async def work_at(self, begun: dict[str, Any]) -> None:
        """One attempt at a job that has begun (`jobs.begin`)."""

    @abstractmethod
    async def give_up(self, tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
        """End the job and what it was to make as failed."""

    async def ended_elsewhere(self, job: str) -> None:
        """The job of an entry has ended already; its worker may have died before it cleaned up."""

    async def read_depth(self) -> float:
        async with self.connections.ops.connection() as connection:
            return float(sum([await queue.depth(connection, name) for name in (self.queue, *self.beside)]))

    async def handle(self, job: Job, work: Work) -> None:
        db = self.connections.db
        async with db.tenant(work.tenant) as tx:
            alone = await jobs.suspected(tx, work.subject)
        # Counted inside the room: who waits there while a neighbour kills the worker has not begun.
        async with self._room.enter(alone=alone):
            async with db.tenant(work.tenant) as tx:
                begun = await jobs.begin(tx, work.subject)
                if begun is None:  # say its worker died while it was to end it
                    await self._ended_as_asked(tx, work.subject, job.id)
            if begun is None:
                await self.ended_elsewhere(work.subject)
                return
            if begun["starts"] - 1 > LONE_DEATHS:
                async with db.tenant(work.tenant) as tx:
                    await self.give_up(tx, begun, jobs.WORKER_DIED)
                return
            await self._attempt(work.tenant, begun, job.id)

    async def _attempt(self, tenant: str, begun: dict[str, Any], entry: int) -> None:
        db, job, attempt = self.connections.db, begun["job_id"], begun["attempt"]
        try:
            await self.work_at(begun)
        except asyncio.CancelledError:
            async with db.tenant(tenant) as tx:
                if not await self._ended_as_asked(tx, job, entry):
                    await jobs.put_back(tx, job, attempt, "the worker left; it starts again elsewhere", tried=False)
            raise
        except Exception as error:  # every failure is decided here
            await asyncio.to_thread(failpoints.hit, f"{self.queue}.after_stop", self.settings)
            if not isinstance(error, NotYet):
                log.warning("job failed", kind=begun["kind"], job=job, attempt=attempt, **describe(error))
            if isinstance(error, ObjectCold):
                await cold.want(self.connections, tenant, error, _unit(begun["subject"]))
            limits = self.settings
            decision = jobs.decide(error, attempt, limits.job_max_attempts, cold_wait_s=limits.cold_poll_s)
            async with db.tenant(tenant) as tx:
                if await self._ended_as_asked(tx, job, entry):
                    return
                if isinstance(decision, Retry):
                    waited = not decision.tried
                    again = await jobs.put_back(tx, job, attempt, decision.reason, tried=decision.tried, keep=waited)
                else:
                    again = False
                    await self.give_up(tx, begun, decision.problem)
            if isinstance(decision, Retry) and again:
                raise RetryRequested(timedelta(seconds=decision.delay_s), decision.reason) from error

    async def _ended_as_asked(self, tx: Transaction, job: str, entry: int) -> bool:
        """End the job if it was cancelled, whatever else happened; its key is free at once for a retry."""
        ended = await steering.end_cancelled(tx, job)
        if ended:
            await queue.release(tx, entry)
        return ended


def _unit(subject: dict[str, Any]) -> Unit | None:
    """The version that a job is about, which is brought back as a whole."""
    package_id, version = subject.get("package_id"), subject.get("version")
    return Unit.version(package_id, version) if package_id and version else None
