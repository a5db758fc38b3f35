"""Exports as rows: asked for, failed, taken back, removed. The work itself is `tasks/export.py`.

An export's id is derived from all that its bytes follow from, so whoever asks for the same gets the same job and the same
file. The row names the job that makes it now; one that failed is queued anew, and one that is being stopped gets a
successor, so that nothing that went wrong before stands in the way. Rows are locked in this order: the job, the package
version, the export.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from cluster import database, places, queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.outbox import Outgoing, emit
from cluster.queue import Work
from content.canonical import canonical, derive_id, rfc3339
from content.errors import ContentError
from content.events import PlayPackageRemoved
from content.exports import EXPORTER_VERSION
from content.exports.imported.formats import require_possible
from content.exports.options import Options
from content.packages.manifest import SCORM
from tasks import jobs
from tasks.keeping import holds

KIND = queue.EXPORT
FINISHED = "content.export.finished.v1"

INSERT = """
    insert into exports (tenant, export_id, package_id, version, format, options, published, exporter_version,
                         player_version, job_id)
    values (%(tenant)s, %(export_id)s, %(package_id)s, %(version)s, %(format)s, %(options)s, %(published)s,
            %(exporter_version)s, %(player_version)s, %(job_id)s)
    on conflict (tenant, export_id) do nothing returning export_id
"""
# Waits for a withdrawal that is under way, and has the next one see what was inserted.
VERSION = """
    select v.state, v.languages, p.revoked_at, p.kind, i.edition from package_versions v
    join packages p using (tenant, package_id) left join imports i using (tenant, import_id)
    where v.package_id = %s and v.version = %s for share of v
"""
# One that was taken back stays so, but who waits for its job is told.
FAIL = """
    update exports set state = case state when 'planned' then 'failed' else state end, problem = %s
    where export_id = %s and job_id = %s and state in ('planned', 'withdrawn')
    returning tenant, package_id, version, format
"""
PLAN_AGAIN = """
    update exports set state = 'planned', problem = null where export_id = %s and job_id = %s and state = 'failed'
    returning export_id
"""


@dataclass(frozen=True)
class Wanted:
    """What somebody asked for. `player_version` is what `cluster.player.release` says of the player that is here."""

    package_id: str
    version: int
    options: Options
    player_version: str
    published: bool = False

    def id(self, tenant: str) -> str:
        """The same for the same file, in every process of this release."""
        made_by = EXPORTER_VERSION, self.player_version, int(self.published)
        options = canonical(self.options.document()).decode()
        return derive_id("exp", tenant, self.package_id, self.version, self.options.format, options, *made_by)


async def ask(tx: Transaction, tenant: str, wanted: Wanted, waiting_max: int) -> tuple[str, bool]:
    """(id, whether a job was queued). A new one is refused where `waiting_max` of the tenant wait to be made. Raises
    ContentError `not-found`, `version-not-published`, `version-withdrawn`, `export-option`, `too-many-waiting`."""
    export_id = wanted.id(tenant)
    there = await _held(tx, export_id)
    await _require_exportable(tx, wanted)
    job = jobs.job_id(tenant, KIND, export_id, str(uuid.uuid4()))
    row = {
        "tenant": tenant, "export_id": export_id, "package_id": wanted.package_id, "version": wanted.version,
        "format": wanted.options.format, "options": Jsonb(wanted.options.document()), "published": wanted.published,
        "exporter_version": EXPORTER_VERSION, "player_version": wanted.player_version, "job_id": job,
    }  # fmt: skip
    if there is None:
        await jobs.refuse_crowd(tx, "exports", waiting_max)
    if there is None and await fetch_one(tx, INSERT, row) is not None:
        await _queue(tx, tenant, job, export_id, wanted)
        return export_id, True
    there = there or await _held(tx, export_id)
    assert there is not None
    if there["state"] == "ready":
        await tx.execute(b"update exports set last_used = now() where export_id = %s", [export_id])
        return export_id, False
    if there["state"] == "planned" and there["job_state"] in ("queued", "running"):
        return export_id, False
    if there["job_state"] != "cancelling":
        job = there["job_id"]
    await tx.execute(
        b"update exports set state = 'planned', problem = null, job_id = %s where export_id = %s", [job, export_id]
    )
    await _queue(tx, tenant, job, export_id, wanted)
    return export_id, True


async def _held(tx: Transaction, export_id: str) -> dict[str, Any] | None:
    """The export with its job's state, the job's row locked."""
    return await fetch_one(
        tx,
        """select e.state, e.job_id, j.state as job_state from exports e join jobs j on j.job_id = e.job_id
           where e.export_id = %s for no key update of j""",
        [export_id],
    )


async def _require_exportable(tx: Transaction, wanted: Wanted) -> None:
    row = await fetch_one(tx, VERSION, [wanted.package_id, wanted.version])
    if row is None:
        raise ContentError("not-found", "There is no such version.", "Check the id and the number.")
    refuse_unpublished(wanted.version, row)
    if row["kind"] == SCORM:
        # What the files tell is known once they are read: by the job.
        require_possible(row["edition"], wanted.options)
        return
    unknown = sorted(set(wanted.options.languages) - set(row["languages"]))
    if unknown:
        there = ", ".join(row["languages"])
        raise ContentError("export-option", f"The course is not there in {', '.join(unknown)}.", f"It has {there}.")


def refuse_unpublished(version: int, row: Mapping[str, Any]) -> None:
    """Raises ContentError `version-withdrawn` or `version-not-published` unless the version may be handed out. `row` has its
    `state`, and `revoked_at` of its package."""
    if row["state"] == "withdrawn":
        raise ContentError("version-withdrawn", f"Version {version} was withdrawn.", "Take a newer one.")
    if row["revoked_at"] is not None:
        raise ContentError("version-withdrawn", "The package was taken back.", "Take another course.")
    if row["state"] != "published":
        told = f"Version {version} is {row['state']}."
        raise ContentError("version-not-published", told, "Choose a published version.")


async def _queue(tx: Transaction, tenant: str, job: str, export_id: str, wanted: Wanted) -> None:
    subject = {"export_id": export_id, "package_id": wanted.package_id, "version": wanted.version, "format": wanted.options.format}  # fmt: skip
    await jobs.create(tx, tenant, job, KIND, subject)
    await queue.enqueue(tx, KIND, [Work(tenant, job)])


async def fail(tx: Transaction, job: str, subject: Mapping[str, Any], problem: Mapping[str, Any]) -> None:
    """The export says why it was not made, unless another job makes it by now; whoever waits is told."""
    row = await fetch_one(tx, FAIL, [Jsonb(dict(problem)), subject["export_id"], job])
    if row is not None:
        data = {
            "tenant_id": row["tenant"], "job_id": job, "export_id": subject["export_id"], "result": "failed",
            "package_id": row["package_id"], "version": row["version"], "format": row["format"], "problem": dict(problem),
        }  # fmt: skip
        await emit(tx, row["tenant"], [Outgoing(FINISHED, job, data)])


async def plan_again(tx: Transaction, job: str, subject: Mapping[str, Any]) -> bool:
    """False if it was removed, taken back, or is made by another job."""
    return await fetch_one(tx, PLAN_AGAIN, [subject["export_id"], job]) is not None


async def withdraw(tx: Transaction, package_id: str, version: int, now: datetime) -> None:
    """Take back all exports of a version; the caller holds its row. A job that is at one ends by what it finds here."""
    await tx.execute(
        b"""update exports set state = 'withdrawn', withdrawn_at = %s where package_id = %s and version = %s
            and state <> 'withdrawn'""",
        [now, package_id, version],
    )


async def remove(tx: Transaction, tenant: str, export_id: str) -> str | None:
    """Remove the row, and have the edge forget its file; gives the file's key, if it had one. Its job must have ended, or be about
    to."""
    row = await fetch_one(
        tx, "delete from exports where export_id = %s returning key, package_id, version", [export_id]
    )
    if row is None or row["key"] is None:
        return None
    folder = places.exports(tenant, row["package_id"], row["version"], export_id)
    data = {
        "tenant_id": tenant, "folders": [folder], "reason": "export-removed", "removed_at": rfc3339(await database.now(tx)),
    }  # fmt: skip
    await emit(tx, tenant, [Outgoing(PlayPackageRemoved.TYPE, tenant, data)])
    return row["key"]


async def remove_files(connections: Connections, tenant: str, package_id: str, version: int) -> None:
    """Remove all that was exported of a version from the store; after the commit of its end. What is not removed here garbage
    collection finds."""
    await _remove_below(connections, tenant, package_id, places.exports(tenant, package_id, version))


async def remove_attempt(connections: Connections, key: str) -> None:
    """Remove what one attempt wrote, of which `key` is the file; after the commit of its row's end. Whoever makes the same
    export anew meanwhile writes elsewhere."""
    _, tenant, package_id, *_ = key.split("/")
    await _remove_below(connections, tenant, package_id, f"{places.attempt_of(key)}/")


async def _remove_below(connections: Connections, tenant: str, package_id: str, prefix: str) -> None:
    keys = await asyncio.to_thread(lambda: [key for key, _ in connections.objects.keys(prefix)])
    await holds.remove(connections, tenant, package_id, keys)
