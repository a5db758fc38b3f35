"""An import: a package of another tool becomes a version, or is refused with a report that says why.

upload in quarantine → importer (a sandbox in a cluster without credentials) → its outputs, each read once and checked again →
files into the store → manifest → sign → commit. Nothing that the importer wrote is believed: the zip passes the strictest
reader, report and course are parsed by code with limits, the digests are our own. A refused package is an answer: its job has
succeeded. What breaks the importer or its sandbox each time is refused after `import_tries`. Before: `tasks/importing/imports.py`.
After: as after a build.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from cluster import failpoints, importer, places, telemetry
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.importer import ImporterCut, Order
from cluster.telemetry import describe
from cluster.telemetry.metrics import JOBS
from content.errors import ContentError
from content.scorm.archive import CanonicalFile, read_canonical
from content.scorm.findings import Finding
from content.scorm.model import Course, parse_course
from content.scorm.package import StoredFile
from content.scorm.report import MAX_COURSE_BYTES, MAX_REPORT_BYTES, Report, parse_report, refused
from tasks import jobs, workspace
from tasks.importing import import_files, imports
from tasks.importing.import_commit import Commit, Read, result_of
from tasks.importing.reading_packages import agree, limits_of
from tasks.progress import Progress, Stages, job_cancelled
from tasks.seats import Seats

STAGES: Stages = {"read": (0.0, 0.6), "check": (0.6, 0.75), "store": (0.75, 0.95), "publish": (0.95, 1.0)}
SHARES = {"fetch": (0.05, 0.35), "read": (0.35, 0.8), "send": (0.8, 1.0)}
"""Of the stage `read`, by what the importer says."""
WORDS = {"fetch": "fetching the package", "read": "reading it in the sandbox", "send": "handing it over"}
PIECE = 256 << 20
OVERHEAD = 128 << 20
"""Of a canonical zip: its names and numbers, at most."""
UNREADABLE = "package-unreadable"
ROW = """
    select import_id, file_name, size_bytes, digest, course_id, state, job_id, cuts, completed_at, package_id, version, report
    from imports where import_id = %s
"""
log = structlog.get_logger()


async def run(connections: Connections, job: Mapping[str, Any], seats: Seats) -> None:
    """Import the package that a job names. Raises ContentError; what can be retried is `retryable`, and `JobCancelled` means
    that nothing came of it because the job is to end."""
    tenant, job_id, subject = job["tenant"], job["job_id"], job["subject"]
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(tx, ROW, [subject["import_id"]])
        if row is not None and row["state"] in ("accepted", "superseded", "refused"):
            await jobs.succeed(tx, job_id, result_of(row))
            return
    if row is None or row["state"] != "importing" or row["job_id"] != job_id:
        raise ContentError("import-not-wanted", "This import was given up.", "Upload the package anew.")
    with workspace.attempt(connections.settings.workspace, job_id, job["attempt"]) as folder:
        async with Progress(connections, tenant, job_id, STAGES) as progress:
            with (
                JOBS.timed(kind="import", asked_by=job["asked_by"]),
                telemetry.span("import", tenant=tenant, job=job_id, attempt=job["attempt"]),
            ):
                attempt = _Import(connections, tenant, {**row, "attempt": job["attempt"]}, folder, progress, seats)
                await progress.unless_cancelled(attempt.run())
    with suppress(ContentError):  # the row says that it is gone; garbage collection finds what stays
        async with connections.db.tenant(tenant) as tx:
            ended = await fetch_one(tx, "select removed_at from imports where import_id = %s", [subject["import_id"]])
        if ended is not None and ended["removed_at"] is not None:
            await imports.remove_files(connections, tenant, subject["import_id"])


async def give_up(tx: Transaction, job: Mapping[str, Any], problem: dict[str, Any]) -> None:
    """An import has failed for good, and says so."""
    if await jobs.fail(tx, job["job_id"], job["attempt"], problem):
        await imports.fail(tx, job["job_id"], job["subject"], problem)


@dataclass(frozen=True)
class _Outputs:
    """Where the importer writes, in this attempt alone. `upload` is of the zip's multipart upload."""

    folder: str
    upload: str

    @property
    def zip(self) -> str:
        return f"{self.folder}package.zip"

    @property
    def report(self) -> str:
        return f"{self.folder}report.json"

    @property
    def course(self) -> str:
        return f"{self.folder}course.json"


class _Import:
    """One attempt; its steps are its methods, in their order."""

    def __init__(
        self,
        connections: Connections,
        tenant: str,
        row: Mapping[str, Any],
        folder: Path,
        progress: Progress,
        seats: Seats,
    ) -> None:
        self._connections, self._tenant, self._row = connections, tenant, row
        self._folder, self._progress, self._seats = folder, progress, seats
        self._settings, self._objects = connections.settings, connections.objects
        self._limits = limits_of(connections.settings)
        self._uploaded = places.uploaded(tenant, row["import_id"])
        self._stopped = threading.Event()

    async def run(self) -> None:
        commit = Commit(self._connections, self._tenant, self._row, self._progress)
        try:
            outputs = await asyncio.to_thread(self._open)
            try:
                report = await self._read_report(outputs)
                if not report.accepted:
                    await commit.refuse(report)
                    return
                # What takes room here is what was packed, not how small it was packed.
                unpacked = report.sizes.unpacked_bytes if report.sizes is not None else 0
                async with self._seats.take(max(self._row["size_bytes"], unpacked)):
                    read = await self._accept(outputs, report)
                await commit.publish(read)
            finally:
                await asyncio.shield(asyncio.to_thread(self._sweep, outputs))
        except asyncio.CancelledError:
            self._stopped.set()
            raise

    def _open(self) -> _Outputs:
        stat = self._objects.stat(self._uploaded)
        if stat is None or stat.size_bytes != self._row["size_bytes"]:
            raise ContentError("upload-missing", "The uploaded file is not there any more.", "Upload it anew.")
        folder = f"{places.imports(self._tenant, self._row['import_id'])}{uuid.uuid4()}/"
        return _Outputs(folder, self._objects.begin(f"{folder}package.zip", checksums=False))

    def _order(self, outputs: _Outputs) -> Order:
        limits, size, inside = self._limits, self._row["size_bytes"], self._connections.inside
        most = min(limits.unpacked_bytes, max(limits.ratio_package_from_bytes, int(size * limits.ratio))) + OVERHEAD
        ttl_s = self._settings.importer_url_ttl_s
        pieces = range(1, -(-most // PIECE) + 1)
        package = tuple(inside.open_piece(outputs.zip, outputs.upload, number, ttl_s) for number in pieces)
        return Order(
            source=inside.get(self._uploaded, ttl_s),
            size_bytes=size,
            report=inside.put(outputs.report, ttl_s),
            course=inside.put(outputs.course, ttl_s),
            package=package,
            piece_bytes=PIECE,
        )

    async def _read_report(self, outputs: _Outputs) -> Report:
        """Have the importer do its work, and take its report. A package that broke it too often gets one of ours."""
        self._progress.tell("read", 0.0, "waiting for the importer")
        order = await asyncio.to_thread(self._order, outputs)
        await asyncio.to_thread(failpoints.hit, "import.before_order", self._settings)
        try:
            with telemetry.span("read"):
                broke = await importer.send(self._settings, order, self._told)
        except ImporterCut:
            told = "Whatever was to read this package broke down each time. Have the tool that made it publish it anew."
            return await self._broken(refused(Finding(UNREADABLE, "", told)))
        await asyncio.to_thread(failpoints.hit, "import.after_read", self._settings)
        try:
            report = await asyncio.to_thread(lambda: parse_report(self._small(outputs.report, MAX_REPORT_BYTES)))
        except ContentError as error:
            if error.code != "report-unreadable":
                raise
            raise _not_ours(error.message) from error
        return await self._broken(report) if broke and not report.accepted else report

    def _told(self, stage: str, share: float) -> None:
        first, last = SHARES[stage]
        self._progress.tell("read", first + (last - first) * share, WORDS[stage])

    async def _broken(self, report: Report) -> Report:
        """Count that this package broke its sandbox, or the importer. That may have had another reason, so it is tried again; at
        last `report` stands. Raises ContentError `importer-cut` (retryable) before that."""
        async with self._connections.db.tenant(self._tenant) as tx:
            row = await fetch_one(
                tx, "update imports set cuts = cuts + 1 where import_id = %s returning cuts", [self._row["import_id"]]
            )
        if row is not None and row["cuts"] < self._settings.import_tries:
            raise ImporterCut("importer-cut", "What was to read the package broke down.", "It is tried again.", True)
        return report

    async def _accept(self, outputs: _Outputs, report: Report) -> Read:
        """Everything that was written of the package, checked, and its files in the store."""
        path = self._folder / "package.zip"
        self._progress.tell("check", 0.0, "checking what was read")
        with telemetry.span("check"):
            try:
                course = await asyncio.to_thread(self._course, outputs, report)
            except (ValidationError, ContentError) as error:
                raise error if getattr(error, "retryable", False) else _not_ours("its course cannot be read") from error
            await asyncio.to_thread(self._fetch, outputs, path)
            files = await asyncio.to_thread(self._canonical, path, report)
            digest = await asyncio.to_thread(
                import_files.digest_of,
                self._objects,
                self._uploaded,
                self._upload_stat(),
                self._go_on("check", 0.3, 0.6),
            )
            if self._row["digest"] not in (None, digest):
                told = f"The file that came is {digest}, not the one that was said."
                raise ContentError("upload-digest", told, "Upload it anew.")
            found = await asyncio.to_thread(self._digests, path, files)
        self._progress.tell("store", 0.0, "storing its files")
        with telemetry.span("store"):
            new = await import_files.missing(self._connections, self._tenant, found, files)
            go_on = self._go_on("store", 0.0, 1.0)
            await asyncio.to_thread(import_files.store, self._objects, self._tenant, path, new, found, go_on)
            await asyncio.to_thread(failpoints.hit, "import.after_upload", self._settings)
            await import_files.note(self._connections, self._tenant, new, found)
        distinct = len({each.digest for each in found.values()})
        return Read(course, report, digest, import_files.Stored(found, len(new), distinct - len(new)))

    def _course(self, outputs: _Outputs, report: Report) -> Course:
        """In a thread: a large one takes seconds to read."""
        course = parse_course(self._small(outputs.course, MAX_COURSE_BYTES))
        agree(report, course)
        return course

    def _upload_stat(self) -> Any:
        stat = self._objects.stat(self._uploaded)
        if stat is None:
            raise ContentError("upload-missing", "The uploaded file is not there any more.", "Upload it anew.")
        return stat

    def _fetch(self, outputs: _Outputs, path: Path) -> None:
        pieces = self._objects.pieces(outputs.zip, outputs.upload)
        most = self._limits.unpacked_bytes + OVERHEAD
        if not pieces or sum(each.size_bytes for each in pieces) > most:
            raise _not_ours("its zip is missing or too large")
        self._objects.finish(
            outputs.zip, outputs.upload, [{"PartNumber": each.number, "ETag": each.etag} for each in pieces]
        )
        stat = self._objects.stat(outputs.zip)
        if stat is None or stat.size_bytes > most:
            raise _not_ours("its zip is missing or too large")
        if stat.size_bytes > self._settings.workspace_max_bytes:
            raise workspace.full(self._settings.workspace_max_bytes, self._row["file_name"])
        import_files.fetch(self._objects, outputs.zip, stat, path, self._go_on("check", 0.0, 0.3))

    def _canonical(self, path: Path, report: Report) -> tuple[CanonicalFile, ...]:
        with path.open("rb") as file:
            try:
                files = read_canonical(file, self._limits)
            except ContentError as error:
                raise _not_ours(error.message) from error
        sizes = report.sizes
        if sizes is None or (sizes.files, sizes.unpacked_bytes) != (len(files), sum(each.size_bytes for each in files)):
            raise _not_ours("its report and its files do not agree")
        return files

    def _digests(self, path: Path, files: Sequence[CanonicalFile]) -> dict[str, StoredFile]:
        try:
            return import_files.digests(path, files, self._go_on("check", 0.6, 1.0))
        except ContentError as error:
            raise _not_ours(error.message) if error.code == "canonical-zip" else error from error

    def _small(self, key: str, most: int) -> bytes:
        """A small object, the version of it that is there now, whole."""
        stat = self._objects.stat(key)
        if stat is None or stat.size_bytes > most:
            raise _not_ours("a document of it is missing or too large")
        return b"".join(self._objects.pinned(key, stat))

    def _go_on(self, stage: str, first: float, last: float) -> Callable[[float], None]:
        """Tells shares of a part of a stage, from a thread; raises there as soon as the job is to end."""

        def told(share: float) -> None:
            if self._stopped.is_set():
                raise job_cancelled()
            self._progress.tell(stage, first + (last - first) * share, WORDS_OF[stage])

        return told

    def _sweep(self, outputs: _Outputs) -> None:
        """Remove what the importer wrote in this attempt; it is copied or refused by now, or will be made anew."""
        try:
            with suppress(ContentError):
                self._objects.abort(outputs.zip, outputs.upload)
            self._objects.delete([outputs.zip, outputs.report, outputs.course])
        except ContentError as error:  # garbage collection finds it
            log.warning("outputs of the importer stay", **describe(error))


WORDS_OF = {"check": "checking what was read", "store": "storing its files"}


def _not_ours(why: str) -> ContentError:
    """What the importer wrote is not what its code writes: it is broken, or it was taken over."""
    log.error("the importer's outputs were refused", why=why)
    told = f"What the importer wrote of this package is not accepted: {why}."
    return ContentError("importer-output", told, "Tell whoever runs this service.")
