"""What somebody may ask of a job: end it, or try it again.

Cancelling is a race with the work, decided by the lock of the job's row: a build locks it before it publishes, so either
the request is seen and nothing is published, or the job has ended and the request is refused. A job that waits ends at
once; one that runs is `cancelling` until its worker has stopped (`tasks/progress.py` hears of it within a second), and
if that worker dies, the one that takes its queue entry over ends the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from pgqueuer.errors import RetryRequested

from cluster import queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.queue import Work
from content.errors import ContentError
from tasks import exports, jobs, previews, versions
from tasks.importing import imports
from tasks.job_states import ENDED, State

MADE = {queue.BUILD: versions, queue.EXPORT: exports, queue.PREVIEW: previews, queue.IMPORT: imports}
"""By kind of job: where it is written that what it makes has failed, or is wanted again. A job of another kind goes on where
it stopped."""
log = structlog.get_logger()


async def cancel(tx: Transaction, tenant: str, job: str) -> State | None:
    """The state after the request: cancelled or cancelling. None if there is no such job.

    Asking again changes nothing. Raises `job-ended` for one that succeeded or failed.
    """
    row = await _held(tx, job)
    if row is None:
        return None
    state = State(row["state"])
    if state is State.QUEUED:
        await queue.withdraw(tx, row["kind"], Work(tenant, job))
        await end_cancelled(tx, job, State.QUEUED)
        return State.CANCELLED
    if state is State.RUNNING:
        await tx.execute(
            b"update jobs set state = 'cancelling', message = 'stopping', updated_at = now() where job_id = %s", [job]
        )
        return State.CANCELLING
    if state in ENDED - {State.CANCELLED}:
        raise ContentError("job-ended", f"The job has ended: it {_ENDINGS[state]}.", "There is nothing to cancel.")
    return state


async def end_cancelled(tx: Transaction, job: str, before: State = State.CANCELLING) -> bool:
    """End a job that was asked to end and at which nobody works (any more), and what it was for. False if it was not."""
    row = await jobs.cancelled(tx, job, before)
    if row is not None:
        await fail_made(tx, row, jobs.CANCELLED)
    return row is not None


async def fail_made(tx: Transaction, job: Mapping[str, Any], problem: Mapping[str, Any]) -> None:
    """What a job was to make says why it is not there. `job` has `job_id`, `kind` and `subject`."""
    made = MADE.get(job["kind"])
    if made is not None:
        await made.fail(tx, job["job_id"], job["subject"], problem)


async def retry(tx: Transaction, tenant: str, job: str) -> bool:
    """Queue a job that failed or was cancelled anew, with its attempts counted from 0. False if there is no such job.

    Raises `job-not-retryable` for any other, and where what it was to make has been made otherwise.
    """
    row = await _held(tx, job)
    if row is None:
        return False
    state = State(row["state"])
    if state not in (State.FAILED, State.CANCELLED):
        raise ContentError(
            "job-not-retryable", f"The job is {state}.", "Only a job that failed or was cancelled can be tried again."
        )
    made = MADE.get(row["kind"])
    if made is not None and not await made.plan_again(tx, job, row["subject"]):
        raise ContentError("job-not-retryable", "What the job was to make is not wanted any more.", "Ask for it anew.")
    await jobs.create(tx, tenant, job, row["kind"], row["subject"])
    await queue.enqueue(tx, row["kind"], [Work(tenant, job)])
    return True


async def after_failure(connections: Connections, begun: dict[str, Any], error: ContentError) -> None:
    """Decide what becomes of a job whose attempt failed, and write it down: ended as it was asked, failed for good, or tried
    again. `begun` is what `jobs.begin` gave. Raises RetryRequested for the last."""
    tenant, job, attempt = begun["tenant"], begun["job_id"], begun["attempt"]
    decision = jobs.decide(error, attempt, connections.settings.job_max_attempts)
    async with connections.db.tenant(tenant) as tx:
        if await end_cancelled(tx, job):
            return
        if isinstance(decision, jobs.GiveUp):
            log.error("job failed", kind=begun["kind"], code=error.code, job=job)
            await jobs.fail(tx, job, attempt, decision.problem)
            return
        await jobs.put_back(tx, job, attempt, decision.reason, tried=decision.tried, keep=not decision.tried)
    raise RetryRequested(timedelta(seconds=decision.delay_s), decision.reason) from error


async def _held(tx: Transaction, job: str) -> dict[str, Any] | None:
    return await fetch_one(tx, "select kind, subject, state from jobs where job_id = %s for no key update", [job])


_ENDINGS = {State.SUCCEEDED: "succeeded", State.FAILED: "failed"}
