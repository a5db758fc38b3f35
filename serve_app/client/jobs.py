"""Calls about jobs, and waiting for one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from content.errors import ContentError
from serve_app.client.connection import Connection, Query
from serve_app.client.rows import Job, Queue

ENDED = ("succeeded", "failed", "cancelled")
FIRST_POLL_S, SLOWEST_POLL_S = 0.1, 2.0


class JobCalls(Connection):
    """Long work."""

    def jobs(self, **query: Query) -> Iterator[Job]:
        """Newest first; filters `state`, `kind`, `package_id`, `created_from`, `created_before`."""
        return self.items("/v1/jobs", **query)

    def job(self, job_id: str) -> Job:
        return self.get(f"/v1/jobs/{job_id}")

    def cancel_job(self, job_id: str) -> Job:
        """Cancelled at once where it waits; `cancelling` where it runs: `wait` for its end."""
        return self.request("DELETE", f"/v1/jobs/{job_id}").json()

    def retry_job(self, job_id: str) -> Job:
        """Have a failed or cancelled job tried again."""
        return self.post(f"/v1/jobs/{job_id}/retry")

    def queues(self) -> list[Queue]:
        """All queues, counted over all tenants (scope operator)."""
        return self.get("/v1/queues")["items"]

    def pause_queue(self, name: str) -> Queue:
        """Let workers take nothing new from it."""
        return self.post(f"/v1/queues/{name}/pause")

    def resume_queue(self, name: str) -> Queue:
        """Let it go on."""
        return self.post(f"/v1/queues/{name}/resume")

    def wait(self, job_id: str, on_progress: Callable[[Job], None] | None = None, *, deadline_s: float = 600.0) -> Job:
        """The job once it has succeeded; `on_progress` sees it each time it has changed.

        Raises ContentError with the code of the job's problem, `job-cancelled`, or `job-deadline` if it still runs.
        """
        end, pause_s, seen = time.monotonic() + deadline_s, FIRST_POLL_S, ""
        while True:
            job = self.job(job_id)
            if job["updated_at"] != seen:
                seen, pause_s = job["updated_at"], FIRST_POLL_S
                if on_progress is not None:
                    on_progress(job)
            if job["state"] in ENDED:
                return _ended(job)
            if time.monotonic() + pause_s > end:
                raise ContentError("job-deadline", f"The job {job_id} still runs.", "Wait longer.", True)
            self._sleep(pause_s)
            pause_s = min(SLOWEST_POLL_S, pause_s * 1.5)


def _ended(job: Job) -> Job:
    if job["state"] == "succeeded":
        return job
    if job["state"] == "cancelled":
        raise ContentError("job-cancelled", f"The job {job['job_id']} was cancelled.", "Start it again.")
    problem = job["problem"] or {}
    code, title = str(problem.get("code", "job-failed")), str(problem.get("title", "The job failed."))
    raise ContentError(code, title, str(problem.get("detail", "")))
