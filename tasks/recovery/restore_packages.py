"""A version whose manifest or files are missing, made again as it was built: the same draft, originals and recipes.

That asks the neighbours, renders in a sandbox and needs Ray: so a restore leaves it to the builders (`call`, `run`), unless it is told
that it has all that. What comes out has to have the digest that the row names, and every bundle and signature vouches for. If it has not (the catalog
says something else by now, say), nothing is put under the old name: a new version is planned from the same revision.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cluster import places, queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.objects import Objects
from cluster.queue import Work
from content.canonical import digest
from content.drafts import Draft
from content.errors import ContentError
from content.packages import Embedded, Manifest
from tasks import jobs, workspace
from tasks.build import Build
from tasks.progress import Progress
from tasks.recovery import restore_seals
from tasks.recovery.restore_blobs import Outcome, copied, not_again

ROW = """
    select v.package_id, v.version, v.draft_id, v.revision, v.drafted_at, v.state, v.kind, v.manifest_digest, p.course_id,
           array(select a.digest from version_assets a where a.package_id = v.package_id and a.version = v.version) as assets
    from package_versions v join packages p using (tenant, package_id) where v.package_id = %s and v.version = %s
"""
# Renditions whose file is lost are made again; those that are there are used.
FORGET = b"delete from renditions where asset_digest = any(%s)"
NEWER = (
    "select 1 as x from package_versions where package_id = %s and version > %s and state in ('planned', 'published')"
)
# The version that is lost gives its revision free for the one that takes its place, and names no blob any more.
LEAVE = b"""
    update package_versions set draft_id = draft_id || '#lost-' || version, state = 'superseded', manifest_digest = null
    where package_id = %(package)s and version = %(version)s
"""
UNUSED = b"""
    with gone as (delete from version_assets where package_id = %(package)s and version = %(version)s returning digest)
    delete from assets a where a.digest = any(%(lost)s) and not exists (
        select 1 from version_assets v where v.digest = a.digest and (v.package_id, v.version) <> (%(package)s, %(version)s))
"""
NEXT = b"""
    insert into package_versions (tenant, package_id, version, draft_id, revision, drafted_at)
    values (%(tenant)s, %(package)s, %(next)s, %(draft)s, %(revision)s, %(drafted_at)s)
"""


LEFT_ENDS = b"""update restore_items set state = %s, reason = %s, bytes = bytes + %s
                where kind = 'version' and subject = %s and state = 'left'"""
LEFT_SEALS = b"update restore_items set state = %s where kind = 'seal' and starts_with(subject, %s) and state = 'left'"
AGAIN = "again"
"""What the subject of a build's job says that makes a version whole which was published before."""


class _Differs(ContentError):
    """What was made is not what the row names."""


class _Again(Build):
    """A build up to the manifest; in place of publishing it, it is compared and put back."""

    written = 0

    async def _publish(
        self,
        manifest: Manifest,
        draft: Draft,
        packages: Mapping[str, Embedded],
        listed_policy: str | None,
        report: dict[str, Any],
    ) -> None:
        row = self._row
        if manifest.digest != row["manifest_digest"]:
            raise _Differs(
                "manifest-differs", "Built again, its manifest is another.", "A new version takes its place."
            )
        await asyncio.to_thread(_put_manifest, self._connections.objects, self._tenant, row, manifest.to_bytes())


async def again(
    connections: Connections, source: Objects | None, tenant: str, subject: str, *, builds: bool
) -> Outcome:
    """Make `package/version` whole, by a build only if that may be. Raises what can be retried."""
    package_id, version = subject.rsplit("/", 1)
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(tx, ROW, [package_id, int(version)])
    if row is None:
        return Outcome("same")
    objects = connections.objects
    assets = {places.asset(tenant, name): name for name in row["assets"]}
    keys = [_manifest(tenant, row), *assets]
    left, written = await asyncio.to_thread(copied, objects, source, keys)
    if not left:
        return Outcome("copied", written)
    if row["kind"] != "course":
        return Outcome("lost", written, "An imported package is uploaded anew: its files come from nowhere else.")
    if not builds and row["state"] == "withdrawn":
        return Outcome("lost", written, "It is withdrawn: nobody is given it any more.")
    if not builds:
        return Outcome("left", written, "The builders make it again.")
    lost = [assets[key] for key in left if key in assets]
    async with connections.db.tenant(tenant) as tx:
        await tx.execute(FORGET, [lost])
    try:
        await _build(connections, tenant, row)
    except _Differs:
        return await _newer(connections, tenant, row, lost)
    except ContentError as error:
        return not_again(error)
    sizes = [await asyncio.to_thread(objects.size, key) for key in left]
    if None in sizes:
        return await _newer(connections, tenant, row, lost)
    return Outcome("same", written + sum(size or 0 for size in sizes))


async def call(tx: Transaction, tenant: str) -> int:
    """Call the builders to the versions that were left to them; returns how many."""
    rows = await fetch_all(tx, "select subject from restore_items where kind = 'version' and state = 'left' order by 1")
    for row in rows:
        package, version = row["subject"].rsplit("/", 1)
        job = jobs.job_id(tenant, queue.BUILD, package, int(version), AGAIN)
        if await jobs.create(
            tx, tenant, job, queue.BUILD, {"package_id": package, "version": int(version), AGAIN: True}
        ):
            await queue.enqueue(tx, queue.BUILD, [Work(tenant, job)], lane="bulk")
    return len(rows)


async def run(connections: Connections, job: Mapping[str, Any]) -> None:
    """A builder's part: make the version of a job whole, and have bundles made anew of seals that had waited for it. Raises
    ContentError; what can be retried is `retryable`."""
    tenant, about = job["tenant"], job["subject"]
    subject = f"{about['package_id']}/{about['version']}"
    async with Progress(connections, tenant, job["job_id"]) as progress:
        found = await progress.unless_cancelled(again(connections, None, tenant, subject, builds=True))
    async with connections.db.tenant(tenant) as tx:
        await _end(tx, tenant, subject, found)
        await jobs.succeed(tx, job["job_id"], {**about, "became": found.state, "reason": found.reason})


async def give_up(tx: Transaction, job: Mapping[str, Any], problem: dict[str, Any]) -> None:
    if await jobs.fail(tx, job["job_id"], job["attempt"], problem):
        about = job["subject"]
        await _end(tx, job["tenant"], f"{about['package_id']}/{about['version']}", Outcome("lost", 0, problem["title"]))


async def _end(tx: Transaction, tenant: str, subject: str, found: Outcome) -> None:
    """Note what became of a version that was left, and with it of its seals."""
    whole = found.state in ("same", "copied")
    await tx.execute(LEFT_ENDS, [found.state, found.reason[:1000], found.bytes, subject])
    seals = await tx.execute(LEFT_SEALS, ["anew" if whole else "lost", f"{subject}/"])
    if whole and seals.rowcount:
        await restore_seals.anew(tx, tenant, f"{subject}/")


async def _build(connections: Connections, tenant: str, row: dict[str, Any]) -> None:
    name = f"restore-{row['package_id']}-{row['version']}"
    with workspace.attempt(connections.settings.workspace, name, 1) as folder:
        progress = Progress(connections, tenant, name)  # of no job: told to nobody
        await _Again(connections, tenant, name, row, str(folder), progress).run()


def _manifest(tenant: str, row: dict[str, Any]) -> str:
    place = places.withdrawn if row["state"] == "withdrawn" else places.manifest
    return place(tenant, row["package_id"], row["version"], row["manifest_digest"])


def _put_manifest(objects: Objects, tenant: str, row: dict[str, Any], body: bytes) -> None:
    assert digest(body) == row["manifest_digest"]
    key = _manifest(tenant, row)
    if objects.size(key) is None:
        objects.put(key, body, "application/json")


async def _newer(connections: Connections, tenant: str, row: dict[str, Any], lost: list[str]) -> Outcome:
    """Never another digest under an old name: the same revision as a new version, unless a newer one is there anyway."""
    reason = "Built again, it is not what it was."
    package = row["package_id"]
    async with connections.db.tenant(tenant) as tx:
        await tx.execute(b"select 1 from packages where package_id = %s for update", [package])
        newer = await fetch_one(tx, NEWER, [package, row["version"]])
        values = {"tenant": tenant, "package": package, "version": row["version"], "lost": lost, **row}
        await tx.execute(LEAVE, values)
        await tx.execute(UNUSED, values)
        if row["state"] == "withdrawn" or newer:
            return Outcome("lost", 0, reason + ("" if newer is None else " A newer version is there."))
        newest = await fetch_one(
            tx, "select max(version) + 1 as next from package_versions where package_id = %s", [package]
        )
        assert newest is not None
        subject = {"package_id": package, "version": newest["next"]}
        await tx.execute(NEXT, {**values, "next": newest["next"], "draft": row["draft_id"]})
        job = jobs.job_id(tenant, "build", package, newest["next"])
        if await jobs.create(tx, tenant, job, "build", subject):
            await queue.enqueue(tx, queue.BUILD, [Work(tenant, job)])
    return Outcome("anew", 0, f"{reason} Version {newest['next']} takes its place.")
