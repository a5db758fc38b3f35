"""The nightly round of a tenant: what nobody has used for ninety days becomes cold, and whatever else has its day.

A version is used when its manifest is read, a bundle of it is planned, made or fetched, or it is exported; a seal when a bundle of it is fetched;
an export when its address is asked for. Blobs are cold when all that names them is: an asset of two versions stays hot for the
newer one. Small ones stay hot, since cold storage counts more for each than they cost here. Nothing is deleted: what is held goes cold like anything else,
with its lock.

One replica in the region is called by the clock (`due`) and queues a round for every tenant; each is one entry, and killed at
any line it is done again from the rows: `cooling` says what was under way.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass

import structlog

from cluster import failpoints, places, queue
from cluster.cold_store import PATIENT, ColdStore
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.queue import Work
from tasks.keeping import audit_archive, erasure, gc, holds, holds_job, tenant_deletion

NIGHTLY = "nightly"
"""Subject of an entry of the queue `retention`: a tenant's round."""
NOBODY, COLLECT = "-", "gc"
"""The entry that is no tenant's: garbage collection over all of them."""
BATCH = 200
DUE = """
    update queues set called_at = now() where name = 'retention'
    and (called_at is null or called_at < now() - make_interval(secs => %s)) returning name
"""
# Blobs that all those who name them have not used since the border. `hot` are the names that were.
UNUSED = f"""
    with hot_versions as (
        select v.package_id, v.version from package_versions v
        left join uses u on u.kind = 'version' and u.subject = v.package_id || '/' || v.version
        where greatest(u.last_used, v.published_at, v.created_at) >= %(border)s),
    hot_seals as (
        select s.seal_id from seals s left join uses u on u.kind = 'seal' and u.subject = s.seal_id
        where s.state <> 'ready' or greatest(u.last_used, s.ready_at, s.created_at) >= %(border)s),
    blobs as (
        select {places.asset_sql("a")} as key, a.size_bytes from assets a
        where a.created_at < %(border)s and not exists (
            select 1 from version_assets va join hot_versions h using (package_id, version) where va.digest = a.digest)
        union all
        select {places.manifest_sql("v")}, v.manifest_bytes from package_versions v
        where v.manifest_digest is not null and (v.package_id, v.version) not in (select package_id, version from hot_versions)
        union all
        select {places.bundle_sql("s", "index_path")}, s.index_size from seals s
        where s.index_path is not null and s.seal_id not in (select seal_id from hot_seals)
        union all
        select {places.bundle_sql("p")}, p.size_bytes from parts p
        where exists (select 1 from seal_parts sp where sp.path = p.path)
          and not exists (select 1 from seal_parts sp join hot_seals h using (seal_id) where sp.path = p.path)
        union all
        select e.key, e.size_bytes from exports e left join uses u on u.kind = 'export' and u.subject = e.export_id
        where e.state = 'ready' and not e.published and greatest(u.last_used, e.last_used, e.ready_at) < %(border)s)
    insert into cold_objects (tenant, key, size_bytes, storage_class)
    select %(tenant)s, b.key, b.size_bytes, %(class)s from blobs b
    where b.size_bytes >= %(least)s and not exists (select 1 from cold_objects c where c.key = b.key)
    order by b.key limit %(limit)s on conflict do nothing returning key
"""
log = structlog.get_logger()


@dataclass(frozen=True)
class Round:
    """What a tenant's round did."""

    cooled: int
    gone: int
    locked: int
    archived: int
    resumed: int


async def due(connections: Connections) -> bool:
    """Queue a round for every tenant if it is time, and say whether it was: of all replicas that ask, one."""
    async with connections.ops.connection() as ops:
        tenants = await fetch_all(ops, "select tenant from tenants where deleted_at is null order by tenant")
    rounds = [Work(row["tenant"], NIGHTLY) for row in tenants]
    async with connections.db.connection() as connection, connection.transaction():
        if await fetch_one(connection, DUE, [connections.settings.retention_period_s]) is None:
            return False
        await queue.enqueue(connection, queue.RETENTION, [*rounds, Work(NOBODY, COLLECT)])
    return True


async def work(connections: Connections, entry: Work) -> None:
    """Whatever an entry of the queue `retention` calls to."""
    if entry.subject == COLLECT:
        report = await gc.collect(connections)
        log.info("garbage collected", **{**report.as_dict(), "missing": len(report.missing)})
        if report.missing:
            log.error("blobs are missing", missing=len(report.missing), first=report.missing[0])
        return
    await run(connections, entry.tenant)


async def run(connections: Connections, tenant: str) -> Round:
    """One tenant's round."""
    cooled, gone = await cool(connections, tenant)
    locked = await holds_job.lock_new(connections, tenant)
    archived = await audit_archive.archive(connections, tenant)
    async with connections.db.tenant(tenant) as tx:
        # Where the job of a release failed, nobody has gone on with what the hold had stopped.
        resumed = await erasure.resume(tx, tenant)
        if not await holds.held(tx, tenant):
            await tenant_deletion.resume(tx, tenant)
        await erasure.forget(tx, connections.settings.erasure_memory_days)
    done = Round(cooled, gone, locked, archived, resumed)
    log.info("retention done", tenant=tenant, **asdict(done))
    return done


async def cool(connections: Connections, tenant: str) -> tuple[int, int]:
    """Make cold what nobody used; (how many blobs, how many rows had none)."""
    store = ColdStore(connections.objects, connections.settings)
    if not store.on:
        return 0, 0
    cooled = gone = 0
    while True:
        async with connections.db.tenant(tenant) as tx:
            await _choose(tx, connections, tenant, store.storage_class)
            rows = await fetch_all(tx, "select key from cold_objects where state = 'cooling' order by key limit %s", [BATCH])  # fmt: skip
        if not rows:
            return cooled, gone
        for row in rows:
            await asyncio.to_thread(failpoints.hit, "retention.before_move", connections.settings)
            match await _cool(connections, tenant, store, row["key"]):
                case True:
                    cooled += 1
                case False:
                    gone += 1
                case None:
                    pass


async def _cool(connections: Connections, tenant: str, store: ColdStore, key: str) -> bool | None:
    """Whether there was such a blob; None where somebody wants it back by now. Its row is locked while it moves, so that whoever
    asks for it waits, and has it brought back from where it then is."""
    async with connections.db.tenant(tenant) as tx:
        await tx.execute(PATIENT)
        row = await fetch_one(
            tx, "select 1 as x from cold_objects where key = %s and state = 'cooling' for update", [key]
        )
        if row is None:
            return None
        there = await asyncio.to_thread(store.cool, key)
        await asyncio.to_thread(failpoints.hit, "retention.after_move", connections.settings)
        if there:
            await tx.execute(b"update cold_objects set state = 'cold', since = now() where key = %s", [key])
        else:
            await tx.execute(b"delete from cold_objects where key = %s", [key])
        return there


async def _choose(tx: Transaction, connections: Connections, tenant: str, storage_class: str) -> None:
    settings = connections.settings
    border = await fetch_one(tx, "select now() - make_interval(secs => %s) as at", [settings.hot_days * 86_400])
    assert border is not None
    await tx.execute(
        UNUSED.encode(),
        {
            "tenant": tenant, "border": border["at"], "class": storage_class, "least": settings.cold_min_bytes,
            "limit": BATCH,
        },
    )  # fmt: skip
