"""Pool content-exporter: exports, each written straight into the object store; nothing of them lies on the node. Beside them
what else is mostly waiting for the store: blobs brought back from cold storage, holds, erasures, deletions, and the nightly round.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from pgqueuer.models import Job

from actors.job_pool import JobReplica
from actors.pool import pause
from cluster.database import Transaction
from cluster.queue import DELETION, ERASURE, EXPORT, HOLD, RETENTION, THAW, Work, depth
from cluster.telemetry import describe
from content.errors import ContentError
from tasks import export
from tasks.keeping import cold_job, erasure_job, holds_job, retention, tenant_deletion_job

WORK = {
    EXPORT: export,
    THAW: cold_job,
    HOLD: holds_job,
    ERASURE: erasure_job,
    DELETION: tenant_deletion_job,
}
CALENDAR_S = 60.0
log = structlog.get_logger()


class Exporter(JobReplica):
    """An export is mostly waiting for the store, so a replica is at two of them at once; of each other kind it is at one."""

    queue = EXPORT
    beside = (THAW, HOLD, ERASURE, DELETION, RETENTION)

    async def start(self) -> None:
        self.apart = {THAW: 2, HOLD: 1, ERASURE: 1, DELETION: 1, RETENTION: 1}
        await super().start()
        self._tasks.append(asyncio.create_task(self._calendar()))

    async def _calendar(self) -> None:
        """Once a night one replica of all calls the others to the round of every tenant."""
        while not self.stopping.is_set():
            try:
                await retention.due(self.connections)
            except ContentError as error:
                log.warning("calendar put off", **describe(error))
            await pause(self.stopping, min(CALENDAR_S, self.settings.retention_period_s))

    async def handle(self, job: Job, work: Work) -> None:
        if job.entrypoint == RETENTION:
            await retention.work(self.connections, work)
            return
        await super().handle(job, work)

    async def read_depth(self) -> float:
        """Exports and what somebody waits for; a night's rounds make no replicas."""
        async with self.connections.ops.connection() as connection:
            named = (name for name in (self.queue, *self.beside) if name != RETENTION)
            return float(sum([await depth(connection, name) for name in named]))

    async def work_at(self, begun: dict[str, Any]) -> None:
        await WORK[begun["kind"]].run(self.connections, begun)

    async def give_up(self, tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
        await WORK[begun["kind"]].give_up(tx, begun, problem)
