"""A preview: a draft becomes the pages that it would be played from, for a while and for who has the link.

The steps are those of a build and of an html export, but for what a publication is: the manifest is neither stored nor signed,
takes no number, and no event tells of it. Renditions are made and kept as a build does, so each makes only what the other one
has not. catalog-service and ai-gateway are not asked: a course may be unknown there until it is published, and assistants are
not in an export. Before: `tasks/previews.py`. After: the edge serves the files.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from cluster import failpoints, player, telemetry
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.neighbours import Neighbours
from cluster.telemetry.metrics import JOBS
from content.canonical import rfc3339
from content.errors import ContentError, InvalidInput
from content.exports import ExportPlan, Options, plan_export
from content.packages import Embedded, Source, build_manifest, build_problems
from content.quality import Report
from tasks import drafts, embeds, jobs, previews, quality, site, workspace
from tasks.media import Media
from tasks.progress import Progress, job_cancelled
from tasks.render import toolchain

ROW = """
    select preview_id, draft_id, revision, state, job_id, draft_digest, created_at from previews where preview_id = %s
"""
READY = """
    update previews set state = 'ready', folder = %s, draft_digest = %s, report = %s, ended_at = now(),
                        expires_at = now() + make_interval(secs => %s)
    where preview_id = %s and job_id = %s and state = 'planned' returning preview_id
"""
NO_VERSION = 1
"""Of the manifest: the course has none, and nothing that is kept names it."""


async def run(connections: Connections, job: Mapping[str, Any]) -> None:
    """Make the preview that a job names. Raises ContentError; what can be retried is `retryable`, and `JobCancelled` means
    that nothing came of it because the job is to end."""
    tenant, job_id, preview_id = job["tenant"], job["job_id"], job["subject"]["preview_id"]
    async with connections.db.tenant(tenant) as tx:
        row = _wanted(await fetch_one(tx, ROW, [preview_id]), job_id)
        if row["state"] == "ready":
            await jobs.succeed(tx, job_id, _result(preview_id, row["draft_digest"]))
            return
    with workspace.attempt(connections.settings.workspace, job_id, job["attempt"]) as folder:
        async with Progress(connections, tenant, job_id) as progress:
            with JOBS.timed(kind="preview", asked_by=job["asked_by"]), telemetry.span("preview", tenant=tenant, job=job_id, attempt=job["attempt"]):  # fmt: skip
                work = _Preview(connections, tenant, job_id, row, str(folder), progress)
                await progress.unless_cancelled(work.run())


async def give_up(tx: Transaction, job: Mapping[str, Any], problem: dict[str, Any]) -> None:
    """A preview has failed for good, and says so."""
    if await jobs.fail(tx, job["job_id"], job["attempt"], problem):
        await previews.fail(tx, job["job_id"], job["subject"], problem)


class _Preview:
    """One attempt; its steps are its methods, in their order."""

    def __init__(
        self,
        connections: Connections,
        tenant: str,
        job: str,
        row: Mapping[str, Any],
        folder: str,
        progress: Progress,
    ) -> None:
        self._connections, self._tenant, self._job = connections, tenant, job
        self._row, self._folder, self._progress = row, folder, progress
        self._neighbours = Neighbours(connections.settings)
        self._stopped = threading.Event()

    async def run(self) -> None:
        try:
            self._progress.tell("draft", 0.2, "reading the draft")
            with telemetry.span("draft"):
                read = await drafts.read(self._neighbours, self._tenant, self._row["draft_id"], self._row["revision"])
                packages = await embeds.resolve(self._connections, self._tenant, read.draft)
            plan, report = await self._plan(read, packages)
            folder = previews.folder_of(self._tenant, self._row["preview_id"], uuid.uuid4().hex)
            with telemetry.span("publish"):
                await self._unless_stopped(folder, plan)
                await asyncio.to_thread(failpoints.hit, "preview.after_upload", self._connections.settings)
                await self._publish(folder, read.digest, report)
        finally:
            self._neighbours.close()

    async def _plan(
        self, read: drafts.ReadDraft, packages: Mapping[str, Embedded]
    ) -> tuple[ExportPlan, dict[str, Any]]:
        """The files, and what the author should know."""
        tools = await asyncio.to_thread(toolchain)
        with telemetry.span("assets"):
            media = Media(self._connections, self._tenant, self._neighbours, self._folder, tools, self._progress)
            made = await media.assets(read.draft)
        manifest = build_manifest(
            tenant=self._tenant,
            # Under an id of its own, so that what a browser keeps of it is never taken for a learner's.
            package_id=self._row["preview_id"],
            version=NO_VERSION,
            draft=read.draft,
            source=Source(
                course_id=read.draft.course_id or self._row["draft_id"],
                draft_id=self._row["draft_id"],
                revision=self._row["revision"],
                digest=read.digest,
                published_at=rfc3339(self._row["created_at"]),
            ),
            assets=made.assets,
            listing={},
            assistant=None,
            toolchain=tools,
            packages=packages,
        )
        found = build_problems(read.report, {}, made.problems)
        judged = await quality.judge(self._connections, read.draft, manifest, found, made.probes)
        self._progress.tell("publish", 0.05, "making the pages")
        plan = await asyncio.to_thread(lambda: plan_export(manifest, Options("html"), player.load(), preview=True))
        kept = {
            "problems": [problem.as_dict() for problem in (*found, *plan.findings)],
            "reused": media.reused,
            "made": media.made,
            "quality": judged.as_dict(),
            "refused": await self._refused(judged),
        }
        return plan, kept

    async def _refused(self, judged: Report) -> list[dict[str, Any]]:
        """The findings for which a build of this draft would fail."""
        try:
            await quality.require_publishable(self._connections, self._tenant, judged)
        except InvalidInput as error:
            return [problem.as_dict() for problem in error.problems]
        return []

    async def _unless_stopped(self, folder: str, plan: ExportPlan) -> None:
        """Write the files, by a thread. It is told to stop when this task is, and is then waited for."""
        objects = self._connections.objects
        writing = asyncio.ensure_future(
            asyncio.to_thread(site.publish, objects, self._tenant, folder, plan.entries, self._writing)
        )
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            self._stopped.set()
            await asyncio.gather(writing, return_exceptions=True)
            raise

    def _writing(self, share: float) -> None:
        if self._stopped.is_set():
            raise job_cancelled()
        self._progress.tell("publish", 0.1 + share * 0.8, "writing the files")

    async def _publish(self, folder: str, draft_digest: str, report: dict[str, Any]) -> None:
        """Of several attempts, one is shown; what another one wrote no row names."""
        preview_id, ttl_s = self._row["preview_id"], self._connections.settings.preview_ttl_s
        async with self._connections.db.tenant(self._tenant) as tx:
            # From here on it cannot be cancelled; a request that came before is obeyed.
            if await jobs.cancel_requested(tx, self._job, hold=True):
                raise job_cancelled()
            made = [folder, draft_digest, Jsonb(report), ttl_s, preview_id, self._job]
            if await fetch_one(tx, READY, made) is None:
                _wanted(await fetch_one(tx, ROW, [preview_id]), self._job)
            await jobs.succeed(tx, self._job, _result(preview_id, draft_digest))


def _result(preview_id: str, draft_digest: str) -> dict[str, Any]:
    """What a job that succeeded says came of it."""
    return {"preview_id": preview_id, "draft_digest": draft_digest}


def _wanted(row: Mapping[str, Any] | None, job: str) -> Mapping[str, Any]:
    """The row, if it waits for this job (or has what it was to make). Raises ContentError."""
    if row is None or row["job_id"] != job:
        raise ContentError(
            "preview-not-wanted", "This preview was removed, or is made by another job.", "Ask for it anew."
        )
    return row
