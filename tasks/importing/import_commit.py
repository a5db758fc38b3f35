"""How an import ends: the next version of its course, signed and published, or a refusal that its report explains.

The version's number stands in the signed manifest, so it is chosen first and looked at again under the package's lock: if
another import took it meanwhile, the manifest is made anew. Of two packages of a course the one whose upload was completed
later is the newer; an older one that comes late ends as superseded.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from psycopg.types.json import Jsonb

from cluster import database, failpoints, places, telemetry
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from content.canonical import derive_id, rfc3339
from content.errors import ContentError
from content.packages import Manifest
from content.scorm.findings import Finding, printable
from content.scorm.model import Course
from content.scorm.package import ImportSource, scorm_manifest
from content.scorm.report import Report
from content.signatures import sign_documents
from tasks import jobs, publishing
from tasks.importing import imports
from tasks.importing.import_files import Stored
from tasks.progress import Progress, job_cancelled
from tasks.signing import current_signer, require_current

ROUNDS = 20
UNFIT = ("package-too-many-files", "package-too-large", "course-built")
"""What `content.scorm.package`, or the course that a package belongs to, has against a package that can be read."""
NEXT = "select coalesce(max(version), 0) + 1 as version from package_versions where package_id = %s"
NEWER = """
    select 1 as x from package_versions v join imports i on i.import_id = v.import_id
    where v.package_id = %s and v.state = 'published' and i.completed_at > %s
"""
INSERT = b"""
    insert into package_versions (tenant, package_id, version, import_id, state, manifest_digest, manifest_bytes, total_bytes,
                                  languages, title, signature, signed_by, report, published_at)
    values (%s, %s, %s, %s, 'published', %s, %s, %s, %s, %s, %s, %s, %s, now())
"""
END = """
    update imports set state = %(state)s, report = %(report)s, edition = %(edition)s, title = %(title)s,
                       digest = coalesce(%(digest)s, digest), course_id = coalesce(%(course_id)s, course_id),
                       package_id = %(package_id)s, version = %(version)s, ended_at = now(), problem = null,
                       removed_at = case when %(state)s = 'refused' then null else now() end
    where import_id = %(import_id)s and job_id = %(job_id)s and state = 'importing' returning import_id
"""


@dataclass(frozen=True)
class Read:
    """A package that can be taken: what it is, our own digest of the upload, and its files in the store."""

    course: Course
    report: Report
    digest: str
    stored: Stored


class Commit:
    """The end of one attempt. Of several attempts one finds the import still under way."""

    def __init__(self, connections: Connections, tenant: str, row: Mapping[str, Any], progress: Progress) -> None:
        self._connections, self._tenant, self._row, self._progress = connections, tenant, row, progress

    async def refuse(self, report: Report) -> None:
        """The report says why nothing came of it."""
        async with self._connections.db.tenant(self._tenant) as tx:
            await self._hold(tx)
            if not await self._ended_before(tx):
                await self._end(tx, "refused", report)
        await asyncio.to_thread(failpoints.hit, "import.after_commit", self._connections.settings)

    async def publish(self, read: Read) -> None:
        """Store, sign and commit the next version; a package that cannot be one is refused."""
        self._progress.tell("publish", 0.2, "signing")
        course_id = self._row["course_id"] or course_of(read.course)
        with telemetry.span("publish"):
            for _ in range(ROUNDS):
                try:
                    if await self._try(read, course_id):
                        await asyncio.to_thread(failpoints.hit, "import.after_commit", self._connections.settings)
                        return
                except ContentError as error:
                    if error.code not in UNFIT:
                        raise
                    found = Finding(error.code, "", printable(f"{error.message} {error.remedy}"))
                    await self.refuse(replace(read.report, accepted=False, errors=(found,)))
                    return
        raise ContentError("import-overtaken", "Other imports of the course came first each time.", "Try again.", True)

    async def _try(self, read: Read, course_id: str) -> bool:
        """False if somebody else took the version's number meanwhile."""
        package_id = derive_id("pkg", self._tenant, course_id)
        async with self._connections.db.tenant(self._tenant) as tx:
            await imports.require_kind(tx, course_id, imports.SCORM)
            row = await fetch_one(tx, NEXT, [package_id])
            assert row is not None
            now = await database.now(tx)
            signer = await current_signer(tx, self._connections.keys, now)
        manifest = await asyncio.to_thread(self._manifest, read, course_id, package_id, row["version"])
        body = manifest.to_bytes()
        key = places.manifest(self._tenant, package_id, manifest.version, manifest.digest)
        await asyncio.to_thread(self._connections.objects.put, key, body, "application/json")
        (signature,) = await asyncio.to_thread(sign_documents, [body], signer, iss=self._tenant, iat=now)
        async with self._connections.db.tenant(self._tenant) as tx:
            await self._hold(tx)
            await tx.execute(
                b"insert into packages (tenant, package_id, course_id, kind) values (%s, %s, %s, %s) on conflict do nothing",
                [self._tenant, package_id, course_id, imports.SCORM],
            )
            # Versions of a package are published one at a time.
            await tx.execute(b"select 1 from packages where package_id = %s for no key update", [package_id])
            await imports.require_kind(tx, course_id, imports.SCORM)
            if await self._ended_before(tx):
                return True
            ended = {"digest": read.digest, "course_id": course_id, "package_id": package_id}
            if await fetch_one(tx, NEWER, [package_id, self._row["completed_at"]]) is not None:
                await self._end(tx, "superseded", read.report, **ended)
                return True
            if await fetch_one(tx, NEXT, [package_id]) != row:
                return False
            await require_current(tx, signer.kid)
            report = _kept(read, self._row["import_id"])
            await tx.execute(
                INSERT,
                [
                    self._tenant, package_id, manifest.version, self._row["import_id"], manifest.digest, len(body),
                    manifest.size_bytes, list(manifest.languages), Jsonb(manifest.document["metadata"]["title"]),
                    Jsonb(signature), signer.kid, Jsonb(report),
                ],
            )  # fmt: skip
            await publishing.record(tx, manifest, course_id)
            await self._end(tx, "accepted", read.report, version=manifest.version, **ended)
        return True

    def _manifest(self, read: Read, course_id: str, package_id: str, version: int) -> Manifest:
        row = self._row
        source = ImportSource(
            course_id=course_id,
            import_id=row["import_id"],
            digest=read.digest,
            size_bytes=row["size_bytes"],
            file_name=row["file_name"],
            # Of the upload, so that another attempt writes the same manifest.
            imported_at=rfc3339(row["completed_at"]),
        )
        return scorm_manifest(
            tenant=self._tenant, package_id=package_id, version=version, source=source, course=read.course,
            report=read.report, files=read.stored.files,
        )  # fmt: skip

    async def _hold(self, tx: Transaction) -> None:
        """From here on it cannot be cancelled; a request that came before is obeyed."""
        if await jobs.cancel_requested(tx, self._row["job_id"], hold=True):
            raise job_cancelled()

    async def _ended_before(self, tx: Transaction) -> bool:
        """Whether another attempt was first. From here on this one is: the import's row is held. Raises ContentError
        `import-not-wanted` where it was given up, or failed."""
        there = await fetch_one(
            tx,
            "select state, package_id, version, course_id, report, import_id, job_id from imports"
            " where import_id = %s for no key update",
            [self._row["import_id"]],
        )
        if there is not None and there["state"] == "importing" and there["job_id"] == self._row["job_id"]:
            return False
        if there is None or there["report"] is None:
            raise ContentError(
                "import-not-wanted", "This import was given up, or has failed.", "Upload the package anew."
            )
        await jobs.succeed(tx, self._row["job_id"], result_of(there))
        return True

    async def _end(self, tx: Transaction, state: str, report: Report, **more: Any) -> None:
        """The import's end, its event, and its job's, if no other attempt was first."""
        row, document = self._row, report.document()
        nothing = dict.fromkeys(("digest", "course_id", "package_id", "version"))
        kept = {
            **nothing, "state": state, "report": Jsonb(document), "edition": report.edition, "title": report.title or None,
            "import_id": row["import_id"], "job_id": row["job_id"], **more,
        }  # fmt: skip
        if state != "accepted":
            kept["version"] = None
        subject = {"import_id": row["import_id"]}
        if await fetch_one(tx, END, kept) is not None:
            told = {
                "file_name": row["file_name"], "course_id": more.get("course_id") or row["course_id"],
                "package_id": more.get("package_id"), "version": more.get("version"), "edition": report.edition,
                "warnings": len(report.warnings), "errors": [each.code for each in report.errors[:100]],
            }  # fmt: skip
            await imports.tell(tx, self._tenant, row["job_id"], subject, state, **told)
        there = await fetch_one(
            tx,
            "select import_id, state, package_id, version, course_id, report from imports where import_id = %s",
            [row["import_id"]],
        )
        if there is None:
            raise ContentError("import-not-wanted", "This import was given up.", "Upload the package anew.")
        await jobs.succeed(tx, row["job_id"], result_of(there))


def result_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a job that succeeded says came of it. Where `accepted` is false the report says why."""
    report = row["report"]
    result = {
        "import_id": row["import_id"],
        "accepted": row["state"] != "refused",
        "state": row["state"],
        "warnings": len(report["warnings"]),
        "errors": [each["code"] for each in report["errors"][:100]],
    }
    if row["version"] is not None:
        result |= {"package_id": row["package_id"], "version": row["version"], "course_id": row["course_id"]}
    return result


def course_of(course: Course) -> str:
    """The course that a package belongs to where nobody says: its title, readable, and a hash of its identifier and title.

    Both, since some tools give every course the same identifier until somebody changes it, and a title alone is no name. So a
    new zip of the same course is its next version, and one of another title is another course.
    """
    named = hashlib.sha256(f"{course.identifier}\0{course.title}".encode()).hexdigest()[:10]
    plain = unicodedata.normalize("NFKD", course.title or course.identifier).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "course"
    return f"{slug}-{named}"


def _kept(read: Read, import_id: str) -> dict[str, Any]:
    """What the version's own report says; the whole one is the import's."""
    problems = [{**each.as_dict(), "severity": "warning"} for each in read.report.warnings]
    return {
        "problems": problems,
        "made": read.stored.made,
        "reused": read.stored.reused,
        "import_id": import_id,
        "sandboxed": read.report.sandbox not in ("", "none"),
    }
