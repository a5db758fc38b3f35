"""Jobs as the API shows them: one row each, mirrored from what the queue does.

States and their transitions are in `tasks/job_states.py`. Statements name the states they
start from, so what comes late changes nothing. `starts` counts how often work began without an ending that we saw: a
job that kills its worker each time is found by it. A decision about a failure is a value (`Retry`, `GiveUp`), made by a
pure function. What users ask of a job (cancel, retry) is in `tasks/steering.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from psycopg.types.json import Jsonb

from cluster import telemetry
from cluster.database import Transaction, fetch_one
from cluster.deliveries import JOB_FINISHED, Owed, owe
from cluster.neighbours import NeighbourError
from content.canonical import derive_id
from content.errors import ContentError, InvalidInput, NotYet, ObjectCold
from tasks.job_states import State

LONE_DEATHS = 3
"""Deaths of a job running alone on a replica after which it is given up (one more may have had another cause)."""


OUTAGE_ATTEMPTS = 200
"""With a minute between the later ones: more than three hours of a neighbour's or the store's absence."""
CANCELLED = {
    "code": "job-cancelled",
    "title": "The job was cancelled.",
    "detail": "Retry it if it is wanted after all.",
}
WORKER_DIED = {"code": "worker-died", "title": "The worker died each time it tried.", "detail": ""}


@dataclass(frozen=True)
class Retry:
    """Try again after so many seconds. `tried` is False where the job only waits: then it counts as no attempt."""

    delay_s: float
    reason: str
    tried: bool = True


@dataclass(frozen=True)
class GiveUp:
    """The job has failed for good."""

    problem: dict[str, Any]


COLD_WAIT_S = 60.0
"""Between two looks whether a blob has been restored from cold storage, which takes hours there."""


def decide(error: Exception, attempt: int, max_attempts: int, *, cold_wait_s: float = COLD_WAIT_S) -> Retry | GiveUp:
    """What to do after attempt number `attempt` (from 1) failed with `error`: backoff 1, 2, 4 … 60 s, or as long as a
    neighbour asked for.

    `max_attempts` is for what nobody expected; a part that is away (`retryable`) is waited for, hours if need be, and
    what is being restored from cold storage for as long as it takes.
    """
    if isinstance(error, NotYet):
        return Retry(error.wait_s, str(error), tried=False)
    if isinstance(error, ObjectCold):
        return Retry(cold_wait_s, str(error), tried=False)
    expected = isinstance(error, ContentError)
    most = (OUTAGE_ATTEMPTS if error.retryable else 0) if expected else max_attempts
    if attempt < most:
        asked_s = error.retry_after_s if isinstance(error, NeighbourError) else 0.0
        return Retry(max(asked_s, min(60.0, 2.0 ** min(attempt - 1, 6))), str(error))
    return GiveUp(problem_of(error))


def problem_of(error: Exception) -> dict[str, Any]:
    """An error as the members of a problem detail (RFC 9457); what is not ours shows no inside."""
    if not isinstance(error, ContentError):
        return {"code": "internal", "title": "Something in the service failed.", "detail": type(error).__name__}
    problem: dict[str, Any] = {"code": error.code, "title": error.message, "detail": error.remedy}
    if isinstance(error, InvalidInput):
        problem["problems"] = [entry.as_dict() for entry in error.problems]
    return problem


async def refuse_crowd(
    tx: Transaction, what: Literal["exports", "previews", "imports"], most: int, *states: str
) -> None:
    """Raises ContentError `too-many-waiting` where `most` of the tenant wait to be made (are in one of `states`). Who asks at
    the same moment as others may go beyond it: it keeps a queue short, and need not be exact."""
    waiting = f"select 1 from {what} where state = any(%s) limit %s"
    row = await fetch_one(
        tx, f"select count(*) as found from ({waiting}) waiting", [list(states or ("planned",)), most]
    )
    if row is not None and row["found"] >= most:
        told = f"{most} {what} wait to be made already."
        raise ContentError("too-many-waiting", told, "Ask again when some of them are made.", True)


def job_id(tenant: str, kind: str, *subject: str | int) -> str:
    """The id of the job for a subject: asking twice gives the same job."""
    return derive_id("job", tenant, kind, *subject)


async def create(tx: Transaction, tenant: str, job: str, kind: str, subject: dict[str, Any]) -> bool:
    """Insert a queued job; a job that ended badly is queued anew. False if it is under way or done already."""
    row = await fetch_one(
        tx,
        """insert into jobs (tenant, job_id, kind, subject, traceparent, asked_by) values (%s, %s, %s, %s, %s, %s)
           on conflict (tenant, job_id) do update
              set state = 'queued', problem = null, result = null, progress = 0, message = '', stages = '[]',
                  attempt = 0, starts = 0, updated_at = now(), traceparent = excluded.traceparent,
                  asked_by = excluded.asked_by
              where jobs.state in ('failed', 'cancelled')
           returning job_id""",
        [tenant, job, kind, Jsonb(subject), telemetry.traceparent(), telemetry.track()],
    )
    return row is not None


async def suspected(tx: Transaction, job: str) -> bool:
    """Whether an earlier start of this job has no ending that we saw."""
    row = await fetch_one(tx, "select starts from jobs where job_id = %s", [job])
    return row is not None and row["starts"] > 0


async def begin(tx: Transaction, job: str) -> dict[str, Any] | None:
    """Count a start before the work begins. None if the job has ended, or is to end (a late or doubled queue entry)."""
    return await fetch_one(
        tx,
        """update jobs set state = 'running', attempt = attempt + 1, starts = starts + 1, updated_at = now()
           where job_id = %s and state in ('queued', 'running')
           returning job_id, tenant, kind, subject, attempt, starts, traceparent, asked_by""",
        [job],
    )


async def progress(tx: Transaction, job: str, share: float, message: str, stages: list[dict[str, Any]]) -> None:
    """Tell how far a running job is: 0 to 1, never going back within an attempt."""
    await tx.execute(
        b"""update jobs set progress = least(1, greatest(progress, %s)), message = %s, stages = %s, updated_at = now()
            where job_id = %s and state = 'running'""",
        [share, message, Jsonb(stages), job],
    )


async def cancel_requested(tx: Transaction, job: str, *, hold: bool = False) -> bool:
    """Whether the job is to end. With `hold` its row is locked: who asks from now on waits for this transaction."""
    lock = " for no key update" if hold else ""
    row = await fetch_one(tx, f"select state from jobs where job_id = %s{lock}", [job])
    return row is not None and row["state"] in (State.CANCELLING, State.CANCELLED)


async def succeed(tx: Transaction, job: str, result: dict[str, Any]) -> None:
    row = await fetch_one(
        tx,
        """update jobs set state = 'succeeded', progress = 1, message = 'done', result = %s, problem = null,
                           stages = (select coalesce(jsonb_agg(jsonb_set(stage - 'assets', '{progress}', '1') order by n), '[]')
                                     from jsonb_array_elements(stages) with ordinality as told (stage, n)),
                           starts = 0, updated_at = now()
           where job_id = %s and state in ('queued', 'running') returning tenant, job_id, kind, subject, result, problem""",
        [Jsonb(result), job],
    )
    await _told(tx, row, State.SUCCEEDED)


async def put_back(
    tx: Transaction, job: str, attempt: int, reason: str, *, tried: bool = True, keep: bool = False
) -> bool:
    """Back to the queue; the start is given back, since its ending was seen, and if the worker only left or waits (`tried`
    False) the attempt too; with `keep` its progress stays. False for a late attempt: another one is running, and its queue entry is not ours."""
    row = await fetch_one(
        tx,
        """update jobs set state = 'queued', starts = 0, attempt = attempt - %(back)s, message = %(message)s, stages = '[]',
                           progress = case when %(keep)s then progress else 0 end, updated_at = now()
           where job_id = %(job)s and attempt = %(attempt)s and state = 'running' returning job_id""",
        {"back": 0 if tried else 1, "message": reason[:500], "job": job, "attempt": attempt, "keep": keep},
    )
    return row is not None


async def fail(tx: Transaction, job: str, attempt: int, problem: dict[str, Any]) -> bool:
    """End a job for good; False if this attempt is not the running one any more."""
    row = await fetch_one(
        tx,
        """update jobs set state = 'failed', problem = %s, message = 'failed', starts = 0, updated_at = now()
           where job_id = %s and attempt = %s and state in ('queued', 'running')
           returning tenant, job_id, kind, subject, result, problem""",
        [Jsonb(problem), job, attempt],
    )
    await _told(tx, row, State.FAILED)
    return row is not None


async def cancelled(tx: Transaction, job: str, before: State) -> dict[str, Any] | None:
    """End a job that was queued, or cancelling and its worker has stopped. None if it is not in the state `before`."""
    row = await fetch_one(
        tx,
        """update jobs set state = 'cancelled', problem = %s, message = 'cancelled', starts = 0, updated_at = now()
           where job_id = %s and state = %s returning tenant, job_id, kind, subject, result, problem""",
        [Jsonb(CANCELLED), job, before],
    )
    await _told(tx, row, State.CANCELLED)
    return row


async def _told(tx: Transaction, row: dict[str, Any] | None, state: State) -> None:
    """Webhooks hear of every end, once: it is written with the change itself."""
    if row is not None:
        data = {"tenant_id": row["tenant"], "job_id": row["job_id"], "kind": row["kind"], "subject": row["subject"]}
        data |= {"state": str(state), "result": row["result"], "problem": row["problem"]}
        await owe(tx, row["tenant"], [Owed(JOB_FINISHED, str(uuid4()), data)])
