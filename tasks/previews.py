"""Previews as rows: asked for, failed, removed, ended by the clock. The work itself is `tasks/preview.py`.

A revision of a draft never changes, so the id of a preview is derived from it and from what shows it: whoever asks for the
same while it lives gets the same preview, for longer. One whose time is over, that failed or is being stopped is made anew by
a job of its own. Rows are locked in this order: the job, the preview.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from cluster import places, queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.queue import Work
from content.canonical import derive_id
from content.exports import EXPORTER_VERSION
from tasks import jobs
from tasks.keeping import holds

KIND = queue.PREVIEW

INSERT = """
    insert into previews (tenant, preview_id, draft_id, revision, exporter_version, player_version, job_id)
    values (%(tenant)s, %(preview_id)s, %(draft_id)s, %(revision)s, %(exporter_version)s, %(player_version)s, %(job_id)s)
    on conflict (tenant, preview_id) do nothing returning preview_id
"""
ANEW = b"""
    update previews set state = 'planned', job_id = %s, folder = null, draft_digest = null, report = null, problem = null,
                        created_at = now(), ended_at = null, expires_at = null
    where preview_id = %s
"""
FAIL = b"""
    update previews set state = 'failed', problem = %s, ended_at = now()
    where preview_id = %s and job_id = %s and state = 'planned'
"""
PLAN_AGAIN = """
    update previews set state = 'planned', problem = null, ended_at = null
    where preview_id = %s and job_id = %s and state = 'failed' returning preview_id
"""
OVER = """expires_at <= now() or (state = 'failed' and ended_at <= now() - make_interval(secs => %s))"""


@dataclass(frozen=True)
class Wanted:
    """What somebody asked for. `player_version` is of the player that this release has."""

    draft_id: str
    revision: int
    player_version: str

    def id(self, tenant: str) -> str:
        """The same for the same pages, in every process of this release."""
        return derive_id("prv", tenant, self.draft_id, self.revision, EXPORTER_VERSION, self.player_version)


async def ask(tx: Transaction, tenant: str, wanted: Wanted, ttl_s: int, waiting_max: int) -> tuple[str, bool]:
    """(id, whether a job was queued). One that is there lives for `ttl_s` from now on; a new one is refused where
    `waiting_max` of the tenant wait to be made (ContentError `too-many-waiting`)."""
    preview_id = wanted.id(tenant)
    job = jobs.job_id(tenant, KIND, preview_id, str(uuid.uuid4()))
    there = await _held(tx, preview_id)
    if there is None:
        await jobs.refuse_crowd(tx, "previews", waiting_max)
        row = {
            "tenant": tenant, "preview_id": preview_id, "draft_id": wanted.draft_id, "revision": wanted.revision,
            "exporter_version": EXPORTER_VERSION, "player_version": wanted.player_version, "job_id": job,
        }  # fmt: skip
        if await fetch_one(tx, INSERT, row) is not None:
            await _queue(tx, tenant, job, preview_id, wanted)
            return preview_id, True
        there = await _held(tx, preview_id)
        assert there is not None
    if there["lives"]:
        await tx.execute(
            b"update previews set expires_at = now() + make_interval(secs => %s) where preview_id = %s",
            [ttl_s, preview_id],
        )
        return preview_id, False
    if there["state"] == "planned" and there["job_state"] in ("queued", "running"):
        return preview_id, False
    await tx.execute(ANEW, [job, preview_id])
    await _queue(tx, tenant, job, preview_id, wanted)
    return preview_id, True


async def _held(tx: Transaction, preview_id: str) -> dict[str, Any] | None:
    """The preview with its job's state, the job's row locked."""
    return await fetch_one(
        tx,
        """select p.state, p.state = 'ready' and p.expires_at > now() as lives, j.state as job_state
           from previews p join jobs j on j.job_id = p.job_id where p.preview_id = %s for no key update of j""",
        [preview_id],
    )


async def _queue(tx: Transaction, tenant: str, job: str, preview_id: str, wanted: Wanted) -> None:
    subject = {"preview_id": preview_id, "draft_id": wanted.draft_id, "revision": wanted.revision}
    await jobs.create(tx, tenant, job, KIND, subject)
    await queue.enqueue(tx, KIND, [Work(tenant, job)])


async def fail(tx: Transaction, job: str, subject: Mapping[str, Any], problem: Mapping[str, Any]) -> None:
    """The preview says why it was not made, unless another job makes it by now."""
    await tx.execute(FAIL, [Jsonb(dict(problem)), subject["preview_id"], job])


async def plan_again(tx: Transaction, job: str, subject: Mapping[str, Any]) -> bool:
    """False if it was removed, or is made by another job."""
    return await fetch_one(tx, PLAN_AGAIN, [subject["preview_id"], job]) is not None


async def remove_files(connections: Connections, folder: str) -> None:
    """Remove what an attempt wrote; after the commit of its row's end. What is not removed here garbage collection finds."""
    keys = await asyncio.to_thread(lambda: [key for key, _ in connections.objects.keys(f"{folder}/")])
    await holds.remove(connections, folder.split("/")[1], None, keys)


async def end_old(connections: Connections) -> int:
    """Remove what nobody may see any more, row and files, tenant by tenant; says how many there were. Twice at once is harmless:
    of one that is made anew meanwhile the files lie elsewhere."""
    ttl_s = connections.settings.preview_ttl_s
    async with connections.ops.connection() as ops:
        tenants = await fetch_all(ops, f"select distinct tenant from previews where {OVER}", [ttl_s])
    ended = 0
    for each in tenants:
        async with connections.db.tenant(each["tenant"]) as tx:
            if await holds.held_whole(tx, each["tenant"]):
                continue
            gone = await fetch_all(tx, f"delete from previews where {OVER} returning folder", [ttl_s])
        ended += len(gone)
        for row in gone:
            if row["folder"] is not None:
                await remove_files(connections, row["folder"])
    return ended


def folder_of(tenant: str, preview_id: str, attempt: str) -> str:
    """Of one attempt's files, without `/` at its end."""
    return f"{places.previews(tenant, preview_id)}{attempt}"
