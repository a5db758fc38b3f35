"""An export: a published version becomes one zip, for a learning platform, a browser or a disk.

manifest → plan (pure) → zip, straight into the store → commit. Each rendition is read in segments and written as it comes,
so memory is bounded however large the course is. Of several attempts one finds its row still planned: it names its object,
and sends the event; what another one wrote no row names. Before: `tasks/exports.py`. After: the CDN serves it.
"""

from __future__ import annotations

import asyncio
import re
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from psycopg.types.json import Jsonb

from cluster import failpoints, places, player, telemetry
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.outbox import Outgoing, emit
from cluster.telemetry.metrics import JOBS
from cluster.uploads import Upload
from content.canonical import digest
from content.errors import ContentError
from content.exports import (
    EXPORTER_VERSION,
    ExportPlan,
    Options,
    Stored,
    caption_files,
    interfaces_in,
    plan_export,
    searched_files,
)
from content.exports.archive import write_zip
from content.packages import parse
from content.packages.manifest import COURSE, SCORM
from tasks import exports, jobs, site
from tasks.keeping import uses
from tasks.progress import Progress, Stages, job_cancelled

STAGES: Stages = {"plan": (0.0, 0.05), "write": (0.05, 0.97), "publish": (0.97, 1.0)}
SEGMENT = 1 << 20
RELEASE_ATTEMPTS = 30
"""With a minute between the later ones: half an hour for a worker of the release that was asked to come or to take it."""
ROW = """
    select e.export_id, e.package_id, e.version, e.format, e.options, e.published, e.exporter_version, e.player_version,
           e.state as export_state, e.job_id, e.size_bytes, e.digest, v.state, v.manifest_digest, p.revoked_at, p.course_id
    from exports e join package_versions v using (tenant, package_id, version) join packages p using (tenant, package_id)
    where e.export_id = %s
"""
READY = """
    update exports set state = 'ready', key = %s, file_name = %s, size_bytes = %s, digest = %s, passport = %s,
                       ready_at = now(), last_used = now()
    where export_id = %s and job_id = %s and state = 'planned' returning export_id
"""


async def run(connections: Connections, job: Mapping[str, Any]) -> None:
    """Make the export that a job names. Raises ContentError; what can be retried is `retryable`, and `JobCancelled` means
    that nothing came of it because the job is to end."""
    tenant, job_id, subject = job["tenant"], job["job_id"], job["subject"]
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(tx, ROW, [subject["export_id"]])
        if row is not None and row["export_state"] == "ready":
            await jobs.succeed(tx, job_id, result_of(row))
            return
    row = _wanted(row, job_id)
    async with Progress(connections, tenant, job_id, STAGES) as progress:
        with (
            JOBS.timed(kind="export", asked_by=job["asked_by"]),
            telemetry.span("export", tenant=tenant, job=job_id, attempt=job["attempt"]),
        ):
            try:
                counted = {**row, "attempt": job["attempt"]}
                await progress.unless_cancelled(_Export(connections, tenant, job_id, counted, progress).run())
            except ContentError as error:
                if stays_damaged(error.code, job["attempt"], connections.settings.job_max_attempts):
                    error.retryable = False
                if error.code == "object-missing":  # withdrawn since the row was read? then that is what happened
                    async with connections.db.tenant(tenant) as tx:
                        _wanted(await fetch_one(tx, ROW, [subject["export_id"]]), job_id)
                raise
    async with connections.db.tenant(tenant) as tx:
        await uses.write(tx, tenant, [("version", uses.version_subject(row["package_id"], row["version"]))])


def result_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a job that succeeded says came of it."""
    return {name: row[name] for name in ("export_id", "size_bytes", "digest")}


def stays_damaged(code: str, attempt: int, max_attempts: int) -> bool:
    """Whether bytes came wrong so often that they are so in the store, and not on their way to us."""
    return code in ("asset-damaged", "object-truncated") and attempt >= max_attempts


def refuse_foreign(plan: ExportPlan, kind: str) -> None:
    """Raises ContentError `export-option` for a course that embeds packages of others: the origin on which a tenant's courses are
    shown is no place for what others wrote."""
    if kind == COURSE and any(entry.foreign for entry in plan.entries):
        told = "The course embeds a package that others made, so it is not published as a site."
        raise ContentError("export-option", told, "Leave out “publish”, or publish the package's own export.")


def file_name(course_id: str, version: int, format_name: str) -> str:
    """How a download is saved: letters, digits, `.`, `_` and `-`, so that every browser and disk takes it."""
    course = re.sub(r"[^A-Za-z0-9._-]+", "-", course_id).strip("-.")[:60] or "course"
    return f"{course}-v{version}-{format_name}.zip"


async def give_up(tx: Transaction, job: Mapping[str, Any], problem: dict[str, Any]) -> None:
    """An export has failed for good, and says so."""
    if await jobs.fail(tx, job["job_id"], job["attempt"], problem):
        await exports.fail(tx, job["job_id"], job["subject"], problem)


@dataclass(frozen=True)
class _Written:
    key: str
    name: str
    digest: str
    size_bytes: int


class _Export:
    """One attempt; its steps are its methods, in their order."""

    def __init__(
        self, connections: Connections, tenant: str, job: str, row: Mapping[str, Any], progress: Progress
    ) -> None:
        self._connections, self._tenant, self._job = connections, tenant, job
        self._row, self._progress = row, progress
        self._stopped = threading.Event()
        self._kind = COURSE

    async def run(self) -> None:
        self._progress.tell("plan", 0.2, "reading the course")
        with telemetry.span("plan"):
            plan = await asyncio.to_thread(self._plan)
        with telemetry.span("write"):
            written = await self._unless_stopped(plan)
        await asyncio.to_thread(failpoints.hit, "export.after_upload", self._connections.settings)
        self._progress.tell("publish", 0.95, "written")
        await self._publish(plan, written)
        await asyncio.to_thread(failpoints.hit, "export.after_commit", self._connections.settings)

    def _plan(self) -> ExportPlan:
        row, ours = self._row, player.load()
        release = player.release(ours, EXPORTER_VERSION, row["format"])
        if (row["exporter_version"], row["player_version"]) != (EXPORTER_VERSION, release):
            # While a release is rolled out. Its id says what it is made with, so a worker of the right release must take it.
            told = "The exporter that took this is of another release than the one that was asked."
            raise ContentError("export-release", told, "Ask for it again.", self._row["attempt"] < RELEASE_ATTEMPTS)
        key = places.manifest(self._tenant, row["package_id"], row["version"], row["manifest_digest"])
        body = self._connections.objects.get(key)
        if digest(body) != row["manifest_digest"]:
            raise ContentError("manifest-changed", "The stored manifest is not the one that was signed.")
        options = Options(**{**row["options"], "languages": tuple(row["options"]["languages"])})
        manifest = parse(body)
        self._kind = manifest.kind
        captions = {each.digest: b"".join(self._segments(each)) for each in caption_files(manifest, options)}
        measured = player.measured(ours.version, EXPORTER_VERSION).get(options.format)
        interfaces = {api for each in searched_files(manifest, options) for api in interfaces_in(self._segments(each))}
        plan = plan_export(manifest, options, ours, measured, captions=captions, interfaces=interfaces)
        if row["published"]:
            refuse_foreign(plan, manifest.kind)
        return plan

    async def _unless_stopped(self, plan: ExportPlan) -> _Written:
        """The zip, written by a thread. It is told to stop when this task is, and is then waited for."""
        writing = asyncio.ensure_future(asyncio.to_thread(self._write, plan))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            self._stopped.set()
            await asyncio.gather(writing, return_exceptions=True)
            raise

    def _write(self, plan: ExportPlan) -> _Written:
        row, attempt = self._row, uuid.uuid4().hex
        name = file_name(row["course_id"], row["version"], row["format"])
        folder = places.exports(self._tenant, row["package_id"], row["version"], row["export_id"])
        key = f"{folder}{attempt}/{name}"
        with Upload(self._connections.objects, key, "application/zip", file_name=name) as out:

            def read(stored: Stored) -> Iterator[bytes]:
                for piece in self._segments(stored):
                    self._progress.tell("write", out.written / max(1, plan.size_bytes), "writing the zip")
                    yield piece

            sha = write_zip(plan.entries, read, cast("BinaryIO", out))
            failpoints.hit("export.mid_write", self._connections.settings)
            out.finish()
        if row["published"]:
            self._site(f"{folder}{attempt}", plan)
        return _Written(key, name, sha, out.written)

    def _site(self, folder: str, plan: ExportPlan) -> None:
        # What others wrote is served on an origin of its own, and lies where nothing else is served from.
        place = places.IMPORTED_SITE if self._kind == SCORM else places.SITE
        site.publish(self._connections.objects, self._tenant, folder, plan.entries, self._publishing, place)

    def _segments(self, stored: Stored) -> Iterator[bytes]:
        whole, rest = divmod(stored.size_bytes, SEGMENT)
        sizes = [SEGMENT] * whole + [rest] * bool(rest)
        for piece in self._connections.objects.read(places.asset(self._tenant, stored.digest), sizes):
            self._go_on()
            yield piece

    def _publishing(self, share: float) -> None:
        self._go_on()
        self._progress.tell("publish", share * 0.9, "publishing the site")

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise job_cancelled()

    async def _publish(self, plan: ExportPlan, written: _Written) -> None:
        """Of several attempts, one inserts the result and sends the event."""
        row = self._row
        async with self._connections.db.tenant(self._tenant) as tx:
            # From here on it cannot be cancelled; a request that came before is obeyed.
            if await jobs.cancel_requested(tx, self._job, hold=True):
                raise job_cancelled()
            version = await fetch_one(tx, exports.VERSION, [row["package_id"], row["version"]])
            assert version is not None
            exports.refuse_unpublished(row["version"], version)
            result = {"export_id": row["export_id"], "size_bytes": written.size_bytes, "digest": written.digest}
            made = [written.key, written.name, written.size_bytes, written.digest, Jsonb(dict(plan.passport))]
            if await fetch_one(tx, READY, [*made, row["export_id"], self._job]) is None:
                there = await fetch_one(tx, ROW, [row["export_id"]])
                result = result_of(_wanted(there, self._job))
            else:
                data = {
                    "tenant_id": self._tenant, "job_id": self._job, "export_id": row["export_id"], "result": "ready",
                    "package_id": row["package_id"], "version": row["version"], "format": row["format"],
                    "location": f"/v1/exports/{row['export_id']}", "size": written.size_bytes, "digest": written.digest,
                }  # fmt: skip
                await emit(tx, self._tenant, [Outgoing(exports.FINISHED, self._job, data)])
            await jobs.succeed(tx, self._job, result)


def _wanted(row: Mapping[str, Any] | None, job: str) -> Mapping[str, Any]:
    """The row, if it waits for this job (or has what it was to make). Raises ContentError."""
    if row is None or row["job_id"] != job:
        raise ContentError(
            "export-not-wanted", "This export was removed, or is made by another job.", "Ask for it anew."
        )
    exports.refuse_unpublished(row["version"], row)
    return row
