"""A build: the draft and its originals become a PlayPackage.

fetch the draft → validate → look at each original → make the renditions that are not there yet (Ray tasks) → manifest →
quality report → sign → commit. Renditions are committed as they come, so a retry begins where the last attempt was
killed. After: the version is published, its event is in the outbox, and everybody enrolled has a bundle planned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from cluster import database, failpoints, places, telemetry
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.neighbours import Neighbours
from cluster.telemetry.metrics import JOBS
from content.canonical import rfc3339
from content.drafts import Draft
from content.errors import ContentError
from content.packages import Embedded, Manifest, Source, build_manifest, build_problems
from content.signatures import sign_documents
from tasks import drafts, embeds, jobs, publishing, quality, versions, workspace
from tasks.media import Media
from tasks.progress import Progress, job_cancelled
from tasks.render import toolchain
from tasks.signing import current_signer, require_current

log = structlog.get_logger()


async def run(connections: Connections, job: Mapping[str, Any]) -> None:
    """Build the version that a job names. Raises ContentError; what can be retried is `retryable`, and `JobCancelled`
    means that nothing came of it because the job is to end."""
    tenant, subject = job["tenant"], job["subject"]
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx,
            """select v.package_id, v.version, v.draft_id, v.revision, v.drafted_at, v.state, p.course_id
               from package_versions v join packages p using (tenant, package_id)
               where v.package_id = %s and v.version = %s""",
            [subject["package_id"], subject["version"]],
        )
    if row is None or row["state"] != "planned":
        async with connections.db.tenant(tenant) as tx:
            await jobs.succeed(tx, job["job_id"], dict(subject))
        return
    with workspace.attempt(connections.settings.workspace, job["job_id"], job["attempt"]) as folder:
        async with Progress(connections, tenant, job["job_id"]) as progress:
            with (
                JOBS.timed(kind="build", asked_by=job["asked_by"]),
                telemetry.span("build", tenant=tenant, job=job["job_id"], attempt=job["attempt"]),
            ):
                build = Build(connections, tenant, job["job_id"], row, str(folder), progress)
                await progress.unless_cancelled(build.run())


class Build:
    """One attempt at one version; its steps are its methods, in their order."""

    def __init__(
        self, connections: Connections, tenant: str, job: str, row: dict[str, Any], folder: str, progress: Progress
    ) -> None:
        self._connections, self._tenant, self._job = connections, tenant, job
        self._row, self._folder, self._progress = row, folder, progress
        self._neighbours = Neighbours(connections.settings)

    async def run(self) -> None:
        try:
            self._progress.tell("draft", 0.2, "reading the draft")
            with telemetry.span("draft"):
                read = await drafts.read(self._neighbours, self._tenant, self._row["draft_id"], self._row["revision"])
                draft = read.draft
                packages = await embeds.resolve(self._connections, self._tenant, draft)
            listing = await asyncio.to_thread(self._neighbours.listing, self._tenant, self._row["course_id"])
            assistant = await self._assistant(draft)
            tools = await asyncio.to_thread(toolchain)
            with telemetry.span("assets"):
                media = Media(self._connections, self._tenant, self._neighbours, self._folder, tools, self._progress)
                made = await media.assets(draft)
            source = Source(
                course_id=self._row["course_id"],
                draft_id=self._row["draft_id"],
                revision=self._row["revision"],
                digest=read.digest,
                published_at=rfc3339(self._row["drafted_at"]),
            )
            manifest = build_manifest(
                tenant=self._tenant,
                package_id=self._row["package_id"],
                version=self._row["version"],
                draft=draft,
                source=source,
                assets=made.assets,
                listing=listing,
                assistant=assistant,
                toolchain=tools,
                packages=packages,
            )
            found = build_problems(read.report, assistant, made.problems)
            with telemetry.span("quality"):
                judged = await quality.judge(self._connections, draft, manifest, found, made.probes)
                await quality.require_publishable(self._connections, self._tenant, judged)
            self._progress.tell("publish", 0.4, "signing")
            with telemetry.span("publish"):
                kept = {
                    "problems": [problem.as_dict() for problem in found],
                    "reused": media.reused,
                    "made": media.made,
                    "quality": judged.as_dict(),
                }
                await self._publish(manifest, draft, packages, listing.get("policy"), kept)
        finally:
            self._neighbours.close()

    async def _assistant(self, draft: Draft) -> Mapping[str, Any] | None:
        """Settings from ai-gateway; without it the build goes on and the report says so."""
        wanted = [block for unit in draft.units for block in unit.blocks if block.type == "assistant"]
        if not wanted:
            return None
        request = {"course_id": self._row["course_id"], "blocks": [block.model_dump(mode="json") for block in wanted]}
        try:
            return await asyncio.to_thread(self._neighbours.assistant, self._tenant, request)
        except ContentError as error:
            log.warning("built without the assistant", code=error.code, job=self._job)
            return None

    async def _publish(
        self,
        manifest: Manifest,
        draft: Draft,
        packages: Mapping[str, Embedded],
        listed_policy: str | None,
        report: dict[str, Any],
    ) -> None:
        """Store, sign and commit: of several attempts, one inserts the result and sends the event."""
        body = manifest.to_bytes()
        package_id, version = manifest.package_id, manifest.version
        key = places.manifest(self._tenant, package_id, version, manifest.digest)
        await asyncio.to_thread(self._connections.objects.put, key, body, "application/json")
        async with self._connections.db.tenant(self._tenant) as tx:
            now = await database.now(tx)
            signer = await current_signer(tx, self._connections.keys, now)
        (signature,) = await asyncio.to_thread(sign_documents, [body], signer, iss=self._tenant, iat=now)
        sandboxed = self._connections.settings.sandbox != "none"
        report = {**report, "sandboxed": sandboxed}
        async with self._connections.db.tenant(self._tenant) as tx:
            # From here on the build cannot be cancelled; a request that came before is obeyed.
            if await jobs.cancel_requested(tx, self._job, hold=True):
                raise job_cancelled()
            # Versions of a package are published one at a time: a slow old one must not be told of after a newer one.
            await tx.execute(b"select 1 from packages where package_id = %s for no key update", [package_id])
            if await self._overtaken(tx, report):
                await jobs.succeed(tx, self._job, {"package_id": package_id, "version": version, "superseded": True})
                return
            await require_current(tx, signer.kid)
            await embeds.require_published(tx, packages)
            new = await fetch_one(
                tx,
                """update package_versions set state = 'published', manifest_digest = %s, manifest_bytes = %s,
                          total_bytes = %s, languages = %s, title = %s, signature = %s, signed_by = %s, report = %s,
                          published_at = now()
                   where package_id = %s and version = %s and state = 'planned' returning version""",
                [
                    manifest.digest,
                    len(body),
                    manifest.size_bytes,
                    list(manifest.languages),
                    Jsonb(dict(draft.title)),
                    Jsonb(signature),
                    signer.kid,
                    Jsonb(report),
                    package_id,
                    version,
                ],
            )
            if new is not None:
                await tx.execute(
                    b"update packages set listed_policy = %s where package_id = %s", [listed_policy, package_id]
                )
                await publishing.record(tx, manifest, self._row["course_id"])
            await jobs.succeed(tx, self._job, {"package_id": package_id, "version": version, "digest": manifest.digest})
        await asyncio.to_thread(failpoints.hit, "build.after_commit", self._connections.settings)

    async def _overtaken(self, tx: Transaction, report: dict[str, Any]) -> bool:
        """Whether a newer version was published meanwhile; this one then ends as superseded, without an event."""
        row = await fetch_one(
            tx,
            """update package_versions v set state = 'superseded', report = %s
               where v.package_id = %s and v.version = %s and v.state = 'planned' and exists (
                     select 1 from package_versions n
                     where n.package_id = v.package_id and n.version > v.version and n.state = 'published')
               returning v.version""",
            [Jsonb(report), self._row["package_id"], self._row["version"]],
        )
        return row is not None


async def give_up(tx: Transaction, job: Mapping[str, Any], problem: dict[str, Any]) -> None:
    """A build has failed for good: the version says so, and the package keeps the version before."""
    if not await jobs.fail(tx, job["job_id"], job["attempt"], problem):
        return
    await versions.fail(tx, job["job_id"], job["subject"], problem)
