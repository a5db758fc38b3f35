"""Emptying a closed tenant: rows from the leaves of their foreign keys down, then every blob that no row names, with all versions.

Which tables there are is read from the catalogue, so that a table of a later migration is not forgotten; what the service may not
delete from (the audit log, the inbox, signed lists, the archive's segments) stays by that. Done twice: what a worker that had not heard of
the end yet wrote after the first time is found by the second, a lease later.

Each batch, of rows and of blobs, goes inside a transaction that keeps holds out and asks for them: one that was placed meanwhile
ends the job there, and its release queues another (`tasks/keeping/tenant_deletion.py`).
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from cluster import database, failpoints, places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.edge import purging
from cluster.objects import COLD
from cluster.outbox import Outgoing, emit
from content.canonical import rfc3339
from content.errors import ContentError, NotYet
from content.events import PlayPackageRemoved
from tasks import audit, jobs
from tasks.keeping import audit_archive, gc, holds, holds_job, tenant_deletion

BATCH, VERSIONS = 5000, 250
"""Rows, and versions of blobs. A batch is over before a hold that waits for it loses its patience (`cluster.database`)."""
KEPT = frozenset(("tenants", "signing_keys"))
"""Beside what the service may not delete from: the name and public keys; of `jobs` the deletion's own stay."""
PERSONAL = frozenset(
    ("learners", "device_challenges", "device_proofs", "idempotency_keys", "rate_budgets", "webhooks", "webhook_deliveries", "erasure_salts", "outbox")
)  # fmt: skip
"""What goes in any case, hold or not."""
OWN = frozenset(("outbox", "outbox_keys"))
"""Where the deletion itself writes, between its two rounds."""
NAMED = ("enrolments", "devices", "bundles")
FOLDERS = ("assets", "packages", "withdrawn", "bundles", "exports", "previews", "imports", "sites")
# Tables with a tenant from which this role may delete, with what each refers to.
TABLES = """
    select c.relname::text as name,
           array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
           array(select distinct f.confrelid::regclass::text from pg_constraint f
                 where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid) as parents
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r' and has_table_privilege(c.oid, 'DELETE')
      and exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped)
    order by 1
"""
ALL = "true"
ORPHANS = {
    "parts": "not exists (select 1 from seal_parts o where o.path = t.path)",
    "assets": "not exists (select 1 from version_assets o where o.digest = t.digest)",
    "renditions": ALL,
    "probes": ALL,
}
BY_COLUMN = (
    ("package_id", "not held(t.tenant, t.package_id)"),
    (
        "bundle_id",
        "not exists (select 1 from bundles b where b.bundle_id = t.bundle_id and held(b.tenant, b.package_id))",
    ),
    ("seal_id", "not exists (select 1 from seals s where s.seal_id = t.seal_id and held(s.tenant, s.package_id))"),
)
DONE = b"""
    update tenants set deleted_at = now(), settings = '{}', limits = '{}', policy = null, updated_at = now()
    where deleted_at is null
"""
log = structlog.get_logger()


class _Stopped(Exception):
    """A hold came."""


async def run(connections: Connections, begun: dict[str, Any]) -> None:
    """Delete what may go now. Raises NotYet as long as somebody may still write."""
    try:
        await _run(connections, begun)
    except _Stopped:
        await _stop(connections, begun["tenant"], begun["job_id"])


async def _run(connections: Connections, begun: dict[str, Any]) -> None:
    tenant, job = begun["tenant"], begun["job_id"]
    async with connections.db.tenant(tenant) as tx:
        position = ((await fetch_one(tx, "select position from jobs where job_id = %s", [job])) or {})["position"] or {}
        waits = await fetch_one(tx, "select count(*) as n from outbox where published_at is null")
    if waits and waits["n"]:
        raise NotYet("deletion-waits", "Events of the tenant wait to be sent.", "", True, 1.0)
    rows, late, partial = await _rows(connections, tenant)
    await asyncio.to_thread(failpoints.hit, "deletion.after_rows", connections.settings)
    blobs = await _blobs(connections, tenant, partial=partial)
    await asyncio.to_thread(failpoints.hit, "deletion.after_blobs", connections.settings)
    total = {"rows": position.get("rows", 0) + rows, "versions": position.get("versions", 0) + blobs}
    async with connections.db.tenant(tenant) as tx:
        await tx.execute(
            b"update jobs set position = jsonb_build_object('rows', %s::bigint, 'versions', %s::bigint) where job_id = %s",
            [total["rows"], total["versions"], job],
        )
        if not position:
            await _forget_at_the_edge(tx, tenant)
        await jobs.progress(
            tx, job, 0.5, f"{total['rows']} rows and {total['versions']} versions of blobs are gone", []
        )
    if not position or late:
        raise NotYet(
            "deletion-waits", "Whoever is still at work is waited for.", "", True, connections.settings.lease_s
        )
    await _end(connections, tenant, job, total, partial=partial)


async def give_up(tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
    """The tenant stays closed; whoever asks again gets another job."""
    await jobs.fail(tx, begun["job_id"], begun["attempt"], problem)


async def tables(tx: Transaction) -> list[tuple[str, frozenset[str]]]:
    """(name, columns) of what is emptied, in an order in which no row is deleted that another one refers to."""
    rows = {row["name"]: row for row in await fetch_all(tx, TABLES) if row["name"] not in KEPT}
    ordered: list[tuple[str, frozenset[str]]] = []
    while rows:
        referred = {parent for row in rows.values() for parent in row["parents"]}
        free = sorted(name for name in rows if name not in referred)
        if not free:
            raise AssertionError(f"tables refer to each other in a ring: {sorted(rows)}")
        ordered += [(name, frozenset(rows.pop(name)["columns"])) for name in free]
    return ordered


async def _forget_at_the_edge(tx: Transaction, tenant: str) -> None:
    """What a CDN has of the tenant was signed for an hour at most, and is kept for a day. The event goes out before the deletion ends,
    since that waits for the outbox."""
    data = {
        "tenant_id": tenant, "folders": purging.folders_of(tenant), "reason": "tenant-deleted",
        "removed_at": rfc3339(await database.now(tx)),
    }  # fmt: skip
    await emit(tx, tenant, [Outgoing(PlayPackageRemoved.TYPE, tenant, data)])


async def _rows(connections: Connections, tenant: str) -> tuple[int, int, bool]:
    """(how many rows went, how many of these somebody has written, whether a hold keeps some)."""
    deleted, late, partial = 0, 0, False
    async with connections.db.tenant(tenant) as tx:
        order = await tables(tx)
    for name, columns in order:
        while True:
            async with connections.db.tenant(tenant) as tx:
                await _go_on(tx, tenant)
                partial = await holds.held(tx, tenant)
                if partial:
                    for table in NAMED:
                        await tx.execute(
                            f"update {table} set learner_id = pseudonym_of(tenant, learner_id) where learner_id <> pseudonym_of(tenant, learner_id)".encode()
                        )
                where = condition(name, columns, partial=partial)
                if where is None:
                    break
                statement = (
                    f"delete from {name} where ctid = any(array(select t.ctid from {name} t where {where} limit %s))"
                )
                count = (await tx.execute(statement.encode(), [BATCH])).rowcount
            deleted += count
            late += count if name not in OWN else 0
            if count < BATCH:
                break
    return deleted, late, partial


def condition(name: str, columns: frozenset[str], *, partial: bool) -> str | None:
    """Which rows of a table go; None: none of them. Under a hold on a package what belongs to it stays, and what belongs to none."""
    if name == "jobs":
        return "t.kind <> 'deletion'" + (" and not held(t.tenant, t.package_id)" if partial else "")
    if not partial or name in PERSONAL:
        return ALL
    if name in ORPHANS:
        return ORPHANS[name]
    return next((condition for column, condition in BY_COLUMN if column in columns), None)


async def _go_on(tx: Transaction, tenant: str) -> None:
    if await tenant_deletion.stopped(tx, tenant):
        raise _Stopped


async def _blobs(connections: Connections, tenant: str, *, partial: bool) -> int:
    """Erase every blob of the tenant that no row names and no hold covers; how many versions there were."""
    objects, named, kept = connections.objects, frozenset[str](), frozenset[str]()
    if partial:
        named, kept = await gc.named(connections), await holds_job.still_held(connections, tenant)
        if kept is None:  # all of it; no deletion begins under such a hold
            raise _Stopped
    fronts = ("",) if partial else ("", COLD, places.HELD)
    prefixes = [f"{front}{kind}/{tenant}/" for front in fronts for kind in FOLDERS] + [places.identity(tenant, "")]
    erased = 0
    for prefix in prefixes:
        pages = objects.versions(prefix, VERSIONS)
        while page := await asyncio.to_thread(next, pages, None):
            free = [each for each in page if each.key not in named and each.key not in kept]
            async with connections.db.tenant(tenant) as tx:
                await _go_on(tx, tenant)
                erased += await asyncio.to_thread(objects.remove, free, unlock=True)
            await asyncio.to_thread(failpoints.hit, "deletion.mid_blobs", connections.settings)
    return erased


async def _end(connections: Connections, tenant: str, job: str, total: dict[str, int], *, partial: bool) -> None:
    if not partial:
        await _disable_keys(connections, tenant)
    async with connections.db.tenant(tenant) as tx:
        if await holds.held(tx, tenant):
            await _held(tx, tenant, job, total)
            return
        if partial:  # what a hold kept is free by now, and its release found this job at work
            raise NotYet("deletion-waits", "A hold was released meanwhile.", "", True, 0.0)
        await tx.execute(DONE)
        await audit.append(tx, tenant, "content-service", "tenant.deleted", dict(total), await database.now(tx))
        await jobs.succeed(tx, job, {**total, "held": False})
    await audit_archive.archive(connections, tenant)


async def _stop(connections: Connections, tenant: str, job: str) -> None:
    """End the job where it is. The hold may be released by now: then it goes on."""
    async with connections.db.tenant(tenant) as tx:
        if not await tenant_deletion.stopped(tx, tenant):
            raise NotYet("deletion-waits", "A hold was released meanwhile.", "", True, 0.0)
        row = await fetch_one(tx, "select position from jobs where job_id = %s", [job])
        await _held(tx, tenant, job, (row and row["position"]) or {"rows": 0, "versions": 0})


async def _held(tx: Transaction, tenant: str, job: str, total: dict[str, int]) -> None:
    await audit.append(tx, tenant, "content-service", "tenant.deletion-held", dict(total), await database.now(tx))
    await jobs.succeed(tx, job, {**total, "held": True})


async def _disable_keys(connections: Connections, tenant: str) -> None:
    """What was signed is verified by the public halves that stay; nothing is signed any more. The keys themselves are an
    operator's to delete."""
    async with connections.db.tenant(tenant) as tx:
        keys = await fetch_all(tx, "select key_name, kid from signing_keys order by kid")
    for row in keys:
        try:
            await asyncio.to_thread(connections.keys.disable, row["key_name"], row["kid"])
        except ContentError as error:
            if error.retryable:
                raise
            log.warning("key not disabled", tenant=tenant, kid=row["kid"], code=error.code)
