"""Imports as rows: uploads in quarantine, and what became of them. The work itself is `tasks/importing/import_scorm.py`.

The file goes from the uploader to the object store by addresses that name one piece each; this service sees none of its bytes
before its job reads them. It stays in quarantine until it was accepted, or for `import_keep_s`. The time at which an upload was
completed decides which of two packages of a course is the newer one. Rows are locked in this order: the job, the package, the
import.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from cluster import places, queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.objects import MEDIA_TYPE, Objects, Piece
from cluster.outbox import Outgoing, emit
from cluster.presigned import checksum_of
from cluster.queue import Work
from content.canonical import derive_id
from content.errors import ContentError
from tasks import jobs
from tasks.keeping import holds

KIND = queue.IMPORT
FINISHED = "content.import.finished.v1"
COURSE, SCORM = "course", "scorm"

INSERT = b"""
    insert into imports (tenant, import_id, file_name, size_bytes, piece_bytes, digest, course_id, upload_id)
    values (%(tenant)s, %(import_id)s, %(file_name)s, %(size_bytes)s, %(piece_bytes)s, %(digest)s, %(course_id)s, %(upload_id)s)
"""
COMPLETED = """
    update imports set state = 'importing', job_id = %s, completed_at = clock_timestamp(), digest = coalesce(%s, digest)
    where import_id = %s and state = 'uploading' returning import_id
"""
FAIL = """
    update imports set state = 'failed', problem = %s, ended_at = now()
    where import_id = %s and job_id = %s and state = 'importing' returning tenant, file_name, course_id
"""
PLAN_AGAIN = """
    update imports set state = 'importing', problem = null, ended_at = null, cuts = 0
    where import_id = %s and job_id = %s and state = 'failed' and removed_at is null returning import_id
"""
OLD = """removed_at is null and state <> 'importing' and created_at < now() - make_interval(secs => %s)"""
EXPIRE = f"""
    update imports set removed_at = now(), state = case state when 'uploading' then 'failed' else state end,
                       ended_at = coalesce(ended_at, now()),
                       problem = case state when 'uploading' then %s else problem end
    where {OLD} returning import_id, upload_id
"""
EXPIRED = {
    "code": "import-expired",
    "title": "The upload was never completed, and what was there of it has been removed.",
    "detail": "Upload the file again.",
}


@dataclass(frozen=True)
class Upload:
    """A file that somebody wants to upload."""

    file_name: str
    size_bytes: int
    piece_bytes: int
    digest: str | None
    course_id: str | None

    @property
    def pieces(self) -> int:
        """How many there are; the last one may be smaller."""
        return -(-self.size_bytes // self.piece_bytes)

    def piece_size(self, number: int) -> int:
        """Bytes of piece `number`. Raises ContentError `import-pieces` where there is none."""
        if not 1 <= number <= self.pieces:
            told = f"The file has {self.pieces} pieces of {self.piece_bytes:,} bytes; there is no piece {number}."
            raise ContentError("import-pieces", told, "Number them from 1.")
        return min(self.piece_bytes, self.size_bytes - (number - 1) * self.piece_bytes)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Upload:
        return cls(*(row[name] for name in ("file_name", "size_bytes", "piece_bytes", "digest", "course_id")))


async def begin(tx: Transaction, objects: Objects, tenant: str, wanted: Upload, waiting_max: int) -> str:
    """The id of a new import, whose pieces may be uploaded from now on. Raises ContentError `too-many-waiting`,
    `course-built`."""
    await jobs.refuse_crowd(tx, "imports", waiting_max, "uploading", "importing")
    if wanted.course_id is not None:
        await require_kind(tx, wanted.course_id, SCORM)
    import_id = derive_id("imp", tenant, str(uuid.uuid4()))
    upload_id = await asyncio.to_thread(objects.begin, places.uploaded(tenant, import_id), MEDIA_TYPE)
    row = {name: getattr(wanted, name) for name in ("file_name", "size_bytes", "piece_bytes", "digest", "course_id")}
    await tx.execute(INSERT, {"tenant": tenant, "import_id": import_id, "upload_id": upload_id, **row})
    return import_id


async def require_kind(tx: Transaction, course_id: str, kind: str) -> None:
    """Raises ContentError `course-built` or `course-imported` where the course's package is of the other kind: it is made from
    drafts or imported for good, so that neither ever overwrites the other."""
    row = await fetch_one(tx, "select kind from packages where course_id = %s", [course_id])
    if row is None or row["kind"] == kind:
        return
    if row["kind"] == COURSE:
        told = f"The course “{course_id}” is built from drafts."
        raise ContentError("course-built", told, "Import the package into a course of its own.")
    told = f"The course “{course_id}” was imported."
    raise ContentError("course-imported", told, "Publish the draft under another course_id.")


async def announce(tx: Transaction, tenant: str, import_id: str, digests: Mapping[int, str]) -> None:
    """Remember what each of these pieces holds, as it is said; the addresses for them are bound to it."""
    async with tx.cursor() as cursor:
        await cursor.executemany(
            b"""insert into import_pieces (tenant, import_id, number, digest) values (%s, %s, %s, %s)
                on conflict (tenant, import_id, number) do update set digest = excluded.digest""",
            [(tenant, import_id, number, found) for number, found in sorted(digests.items())],
        )


async def announced(tx: Transaction, import_id: str) -> dict[int, str]:
    """What was said of each piece last."""
    rows = await fetch_all(tx, "select number, digest from import_pieces where import_id = %s", [import_id])
    return {row["number"]: row["digest"] for row in rows}


def assemble(objects: Objects, key: str, upload_id: str, wanted: Upload, digests: Mapping[int, str]) -> None:
    """Make the pieces one object, if they are all there. Doing it again changes nothing. Blocks.

    Raises ContentError `upload-incomplete`, which names what is missing.
    """
    there = objects.pieces(key, upload_id)
    if there is None:  # ended: by us a moment ago, or by the clock
        stat = objects.stat(key)
        if stat is None or stat.size_bytes != wanted.size_bytes:
            raise ContentError("upload-incomplete", "The upload is not there any more.", "Upload the file anew.")
        return
    _require_all(there, wanted, digests)
    pieces = [
        {"PartNumber": each.number, "ETag": each.etag, "ChecksumSHA256": checksum_of(digests[each.number])}
        for each in there
    ]
    try:
        objects.finish(key, upload_id, pieces)
    except ContentError as error:
        if error.code == "object-missing":  # another request was faster
            assemble(objects, key, upload_id, wanted, digests)
            return
        raise


def _require_all(there: Sequence[Piece], wanted: Upload, digests: Mapping[int, str]) -> None:
    sizes = {each.number: each.size_bytes for each in there}
    missing = [
        number
        for number in range(1, wanted.pieces + 1)
        if sizes.get(number) != wanted.piece_size(number) or number not in digests
    ]
    if missing:
        named = ", ".join(map(str, missing[:20])) + (" …" if len(missing) > 20 else "")
        told = f"Of {wanted.pieces} pieces {len(missing)} are missing: {named}."
        raise ContentError("upload-incomplete", told, "Upload them, then complete the upload again.")


async def hand_in(tx: Transaction, tenant: str, import_id: str, digest: str | None = None) -> bool:
    """Queue the job of an import whose file is there, and is to have this digest. False if it was queued before."""
    job = jobs.job_id(tenant, KIND, import_id)
    if await fetch_one(tx, COMPLETED, [job, digest, import_id]) is None:
        return False
    await jobs.create(tx, tenant, job, KIND, {"import_id": import_id})
    await queue.enqueue(tx, KIND, [Work(tenant, job)])
    return True


async def tell(tx: Transaction, tenant: str, job: str, subject: Mapping[str, Any], result: str, **more: Any) -> None:
    """The event that an import has ended."""
    import_id = subject["import_id"]
    data = {"tenant_id": tenant, "job_id": job, "import_id": import_id, "result": result, "location": f"/v1/imports/{import_id}"}  # fmt: skip
    await emit(tx, tenant, [Outgoing(FINISHED, job, {**data, **more})])


async def fail(tx: Transaction, job: str, subject: Mapping[str, Any], problem: Mapping[str, Any]) -> None:
    """The import says why nothing came of it; whoever waits is told."""
    row = await fetch_one(tx, FAIL, [Jsonb(dict(problem)), subject["import_id"], job])
    if row is not None:
        named = {"file_name": row["file_name"], "course_id": row["course_id"]}
        await tell(tx, row["tenant"], job, subject, "failed", problem=dict(problem), **named)


async def plan_again(tx: Transaction, job: str, subject: Mapping[str, Any]) -> bool:
    """False if it was removed, has ended otherwise, or its file is gone."""
    return await fetch_one(tx, PLAN_AGAIN, [subject["import_id"], job]) is not None


async def remove(tx: Transaction, import_id: str) -> None:
    """Remove the row. Its job must have ended, or be about to; no version may have come of it."""
    await tx.execute(b"delete from imports where import_id = %s", [import_id])


async def remove_files(connections: Connections, tenant: str, import_id: str, upload_id: str | None = None) -> None:
    """Remove all that lies in quarantine of an import, and give up what is still being uploaded; after the commit that says so.
    What is not removed here garbage collection finds."""
    prefix = places.imports(tenant, import_id)
    keys = await asyncio.to_thread(lambda: [key for key, _ in connections.objects.keys(prefix)])
    await holds.remove(connections, tenant, None, keys)
    if upload_id is not None:
        await asyncio.to_thread(_abort, connections.objects, places.uploaded(tenant, import_id), upload_id)


def _abort(objects: Objects, key: str, upload_id: str) -> None:
    try:
        objects.abort(key, upload_id)
    except ContentError as error:
        if error.code != "object-missing":
            raise


async def end_old(connections: Connections) -> int:
    """Remove the files that were in quarantine for too long, tenant by tenant; says how many. What their reports say stays."""
    keep_s = connections.settings.import_keep_s
    async with connections.ops.connection() as ops:
        tenants = await fetch_all(ops, f"select distinct tenant from imports where {OLD}", [keep_s])
    ended = 0
    for each in tenants:
        async with connections.db.tenant(each["tenant"]) as tx:
            if await holds.held_whole(tx, each["tenant"]):
                continue
            gone = await fetch_all(tx, EXPIRE, [Jsonb(EXPIRED), keep_s])
        ended += len(gone)
        for row in gone:
            await remove_files(connections, each["tenant"], row["import_id"], row["upload_id"])
    return ended
