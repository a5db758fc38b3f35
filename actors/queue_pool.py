"""A pool that takes its work from PgQueuer (builder, exporter and bundler).

The queue's loop runs on asyncpg: PgQueuer's psycopg driver listens and queries on one connection, so every query would
wait for the listener (9 jobs/s where asyncpg did 593). A lost Postgres ends the loop, and the replica is replaced.
The handler catches everything itself: what a failure means is decided by `tasks.jobs.decide`, not by the queue.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job

from actors.pool import Replica
from actors.room import Room
from cluster import queue, telemetry
from cluster.queue import Work
from cluster.telemetry import SpanKind, describe
from cluster.telemetry.metrics import QUEUE_AGE, QUEUE_PAUSED
from content.errors import ObjectCold
from tasks.keeping import cold

log = structlog.get_logger()


class QueueReplica(Replica):
    """One worker on one queue, and on the small ones `beside` it, working on up to `concurrency` entries at once. Of the queues
    in `apart`, whose work is mostly waiting, it works on so many entries besides."""

    queue: str
    beside: tuple[str, ...] = ()
    concurrency = 2

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._room = Room()
        self._running: dict[asyncio.Task[None], str] = {}
        self.apart: dict[str, int] = {}

    async def start(self) -> None:
        """Connect to the queue first: only a replica that can work counts as running."""
        self._database = await asyncpg.connect(self.settings.postgres_worker.get_secret_value(), timeout=10)
        # Without its listener this replica takes nothing new: what it holds is given up, so that it is replaced now and
        # not when an hour's work is done. Its entries go stale and are taken over.
        self._database.add_termination_listener(lambda _: [task.cancel() for task in list(self._running)])
        driver = AsyncpgDriver(self._database)
        queries = queue.PausableQueries(driver)
        queries.full = self._full
        self._pgq = PgQueuer(driver, queries=queries)
        for name in (self.queue, *self.beside):
            self._pgq.entrypoint(name, on_failure="hold", accepts_context=False)(self._take)
        await super().start()

    async def work(self) -> None:
        try:
            await self._pgq.qm.run(
                batch_size=1,
                max_concurrent_tasks=max(2, self.concurrency) + sum(self.apart.values()),
                dequeue_timeout=timedelta(seconds=2),
                heartbeat_timeout=timedelta(seconds=self.settings.lease_s),
                shutdown_on_listener_failure=True,
                log_aggregation_interval=timedelta(seconds=60),
            )
        finally:
            await self._database.close(timeout=5)
        if not self.stopping.is_set():
            raise ConnectionError("the queue's listener was lost")

    async def _take(self, job: Job) -> None:
        """One entry. The work runs in a task of its own, so that a drain can cancel it and still give it back."""
        inner = asyncio.create_task(self._traced(job, Work.parse(job.payload)))
        self._running[inner] = job.entrypoint
        try:
            await inner
        except asyncio.CancelledError:
            if inner.cancelled():
                raise RetryRequested(timedelta(0), "the worker left") from None
            inner.cancel()
            raise
        except RetryRequested:
            raise
        except ObjectCold as error:
            await cold.want(self.connections, Work.parse(job.payload).tenant, error)
            raise RetryRequested(timedelta(seconds=self.settings.cold_poll_s), str(error)[:300]) from error
        except Exception as error:
            log.exception("work failed", **describe(error))
            raise RetryRequested(timedelta(seconds=5), str(error)[:300]) from error
        finally:
            self._running.pop(inner, None)

    def _full(self, name: str) -> bool:
        """Whether this replica works on as many entries of that kind as it may."""
        running = list(self._running.values())
        if name in self.apart:
            return running.count(name) >= self.apart[name]
        return sum(each not in self.apart for each in running) >= max(2, self.concurrency)

    async def _traced(self, job: Job, work: Work) -> None:
        """The entry as a part of the trace of who put it into the queue."""
        about: dict[str, Any] = {"tenant": work.tenant, "job": work.subject}
        with (
            telemetry.bound(**about),
            telemetry.span(f"take {job.entrypoint}", parent=work.traceparent, kind=SpanKind.CONSUMER, **about),
        ):
            await self.handle(job, work)

    async def tell(self) -> None:
        await super().tell()
        async with self.connections.ops.connection() as connection:
            for name in (self.queue, *self.beside):
                QUEUE_AGE.set(await queue.oldest_s(connection, name), queue=name)
                QUEUE_PAUSED.set(await queue.paused(connection, name), queue=name)

    async def moving(self) -> bool:
        """Stalled is a replica that works on nothing while something waits. (Work itself has limits of its own.)"""
        if self._running:
            return True
        async with self.connections.ops.connection() as connection:
            return not any([await queue.overdue(connection, name) for name in (self.queue, *self.beside)])

    @abstractmethod
    async def handle(self, job: Job, work: Work) -> None:
        """Do one entry. Returning ends it; RetryRequested puts it back; anything else is an unexpected failure."""

    async def drain(self) -> None:
        self._pgq.qm.shutdown.set()
        await asyncio.wait(self._tasks[:1], timeout=self.settings.drain_s)
        for inner in list(self._running):
            inner.cancel()
        await asyncio.wait(self._tasks[:1], timeout=5)
