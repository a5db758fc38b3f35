"""The long half of an erasure: what was made for the person, and what told of them outside of Postgres.

bundles (rows, then blobs, with all their versions) → messages on the streams → the object that says who the pseudonym was. What to
remove is in the job's `position` before its row is gone, so a job that was killed goes on where it stopped. What a hold covers
stays, also if it came when the rows had gone and the blobs had not: each is noted with its package, for which each batch asks. Then
the erasure is `held`, and the hold's release queues the job again. Messages are looked through once more after every relay
that may have read a row before the erasure has either sent it or lost its lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from cluster import failpoints, places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.erasing import NAMING, Erasing
from cluster.objects import COLD
from content.errors import NotYet
from tasks import audit, jobs
from tasks.about_learner import about
from tasks.keeping import erasure, holds

BATCH, MESSAGES = 100, 2000
AT_ONCE = 20
"""Blobs that are removed while a hold waits."""
# Bundles of the person that no hold covers; the devices' rows stay until the last of their bundles is gone.
FREE = """
    select bundle_id, package_id, seal_id from bundles b where b.learner_id = %(pseudonym)s and not held(b.tenant, b.package_id)
    order by bundle_id limit %(limit)s for update
"""
OWN_SEALS = """
    select s.seal_id, s.package_id, s.index_path from seals s where s.scope = any(%(devices)s) and not held(s.tenant, s.package_id)
       and not exists (select 1 from bundles b where b.seal_id = s.seal_id) order by s.seal_id limit %(limit)s for update
"""
PATHS = """
    delete from parts p where p.path = any(%s) and not exists (select 1 from seal_parts o where o.path = p.path) returning path
"""
EMPTY = b"""
    delete from devices d where d.learner_id = %(pseudonym)s and d.erased_at is not null
       and not exists (select 1 from bundles b where b.device_id = d.device_id)
"""
OF_BUNDLES = ("renewals", "licence_events", "licences", "bundles")
OF_DEVICES = ("device_plans", "device_proofs", "device_sequences")
Noted = tuple[str | None, str]
"""A package and the key of a blob that is to go."""
log = structlog.get_logger()


async def run(connections: Connections, begun: dict[str, Any]) -> None:
    """Do what is left of an erasure. Raises NotYet while messages may still be on their way."""
    tenant, erasure_id = begun["tenant"], begun["subject"]["erasure_id"]
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(tx, "select pseudonym, digest, state from erasures where erasure_id = %s", [erasure_id])
        salt = await fetch_one(tx, "select salt from erasure_salts")
        job = await fetch_one(tx, "select position from jobs where job_id = %s", [begun["job_id"]])
    if row is None:
        raise AssertionError("an erasure has a row")
    left = await _blobs(connections, tenant, begun["job_id"], (job or {}).get("position") or {})
    while await _bundles(connections, tenant, begun["job_id"], row["pseudonym"], left):
        async with connections.db.tenant(tenant) as tx:
            job = await fetch_one(tx, "select position from jobs where job_id = %s", [begun["job_id"]])
        left = await _blobs(connections, tenant, begun["job_id"], (job or {}).get("position") or {})
    await _devices(connections, tenant, row["pseudonym"])
    # Under a name that nobody has: there, who the pseudonym was is kept apart from all that is kept for good.
    await asyncio.to_thread(connections.objects.erase, places.identity(tenant, row["pseudonym"]))
    removed = 0
    if salt is not None and row["digest"] is not None and row["state"] == "erasing":
        removed = await _messages(connections, begun, erasure_id, salt["salt"], row["digest"])
    await asyncio.to_thread(failpoints.hit, "erasure.before_end", connections.settings)
    await _end(connections, begun, erasure_id, row["pseudonym"], removed, len(left))


async def give_up(tx: Transaction, begun: dict[str, Any], problem: dict[str, Any]) -> None:
    """The name is gone in any case; the nightly round queues what is left again."""
    await jobs.fail(tx, begun["job_id"], begun["attempt"], problem)


async def _bundles(connections: Connections, tenant: str, job: str, pseudonym: str, left: list[Noted]) -> int:
    """Delete the rows of a batch of bundles, and note what lies in the store of them, beside what is `left` of others. Returns how
    many rows there were."""
    async with connections.db.tenant(tenant) as tx:
        await holds.lock(tx, tenant)
        free = await fetch_all(tx, FREE, {"pseudonym": pseudonym, "limit": BATCH})
        ids = [row["bundle_id"] for row in free]
        for table in OF_BUNDLES:
            await tx.execute(f"delete from {table} where bundle_id = any(%s)".encode(), [ids])
        devices = await fetch_all(
            tx, "select device_id from devices where learner_id = %s order by device_id for update", [pseudonym]
        )
        known = [row["device_id"] for row in devices]
        await tx.execute(erasure.KEYS, {"devices": known})  # what an attempt that was late had made
        seals = await fetch_all(tx, OWN_SEALS, {"devices": known, "limit": BATCH})
        names = [row["seal_id"] for row in seals]
        package_of = {row["seal_id"]: row["package_id"] for row in seals}
        parts = await fetch_all(tx, "delete from seal_parts where seal_id = any(%s) returning path, seal_id", [names])
        owner = {row["path"]: package_of[row["seal_id"]] for row in parts}
        owner |= {row["index_path"]: row["package_id"] for row in seals if row["index_path"]}
        paths = await fetch_all(tx, PATHS, [sorted({row["path"] for row in parts})])
        await tx.execute(b"delete from seals where seal_id = any(%s)", [names])
        await tx.execute(b"delete from uses where kind = 'seal' and subject = any(%s)", [names])
        gone = [row["index_path"] for row in seals if row["index_path"]] + [row["path"] for row in paths]
        noted = [(owner[path], places.bundles(tenant) + path) for path in sorted(set(gone))]
        await tx.execute(b"delete from cold_objects where key = any(%s)", [[key for _, key in noted]])
        if noted:
            await tx.execute(b"update jobs set position = %s where job_id = %s", [_position([*left, *noted]), job])
    await asyncio.to_thread(failpoints.hit, "erasure.after_rows", connections.settings)
    return len(ids) + len(names)


async def _blobs(connections: Connections, tenant: str, job: str, position: dict[str, Any]) -> list[Noted]:
    """Remove what was noted and no hold covers, with all its versions, and forget the note. Returns what is left."""
    keys: list[str] = position.get("keys", [])
    # Notes of a release before this one have no packages: any hold at all keeps these.
    noted: list[Noted] = list(zip(position.get("packages") or [None] * len(keys), keys, strict=True))
    if not noted:
        return []
    left: list[Noted] = []
    for package_id in {package_id for package_id, _ in noted}:
        own = [each for each in noted if each[0] == package_id]
        for start in range(0, len(own), AT_ONCE):
            async with connections.db.tenant(tenant) as tx:
                if await holds.held(tx, tenant, package_id):
                    left += own[start:]
                    break
                await asyncio.to_thread(_erase, connections, [key for _, key in own[start : start + AT_ONCE]])
    await asyncio.to_thread(failpoints.hit, "erasure.after_blobs", connections.settings)
    async with connections.db.tenant(tenant) as tx:
        await tx.execute(b"update jobs set position = %s where job_id = %s", [_position(left), job])
    return left


def _position(noted: list[Noted]) -> Jsonb | None:
    return Jsonb({"keys": [key for _, key in noted], "packages": [package for package, _ in noted]}) if noted else None


def _erase(connections: Connections, keys: Sequence[str]) -> None:
    objects = connections.objects
    for key in keys:
        for place in (key, COLD + key):
            for page in objects.versions(place):
                objects.remove([each for each in page if each.key == place], unlock=True)


async def _devices(connections: Connections, tenant: str, pseudonym: str) -> None:
    async with connections.db.tenant(tenant) as tx:
        rows = await fetch_all(
            tx, "select device_id from devices where learner_id = %s order by device_id for update", [pseudonym]
        )
        free = await fetch_all(
            tx,
            """select device_id from devices d where device_id = any(%s)
               and not exists (select 1 from bundles b where b.device_id = d.device_id)""",
            [[row["device_id"] for row in rows]],
        )
        for table in OF_DEVICES:
            await tx.execute(
                f"delete from {table} where device_id = any(%s)".encode(), [[row["device_id"] for row in free]]
            )
        await tx.execute(EMPTY, {"pseudonym": pseudonym})
        await tx.execute(
            b"""delete from enrolments e where e.learner_id = %s
                and not exists (select 1 from bundles b where b.enrollment_id = e.enrollment_id)""",
            [pseudonym],
        )


async def _messages(connections: Connections, begun: dict[str, Any], erasure_id: str, salt: str, digest: str) -> int:
    """Remove the messages that name the person; raises NotYet if some may still come."""
    async with connections.db.tenant(begun["tenant"]) as tx:
        row = await fetch_one(
            tx,
            "select extract(epoch from now() - requested_at)::float8 as age_s from erasures where erasure_id = %s",
            [erasure_id],
        )
    late_s = 2 * connections.settings.lease_s - (row["age_s"] if row else 0.0)
    removed = 0
    async with Erasing.connect(connections.settings) as streams:
        for stream in NAMING:
            until, at = await streams.end(stream), 0
            if until is None:
                log.warning("stream left to its owner", stream=stream)
                continue
            while at < until:
                gone, at = await streams.remove(
                    stream, about(begun["tenant"], salt, digest), after=at, until=until, most=MESSAGES
                )
                removed += gone
    if late_s > 0:
        raise NotYet("erasure-waits", "What was being sent is waited for.", "", True, late_s + 0.1)
    return removed


async def _end(
    connections: Connections, begun: dict[str, Any], erasure_id: str, pseudonym: str, removed: int, blobs: int
) -> None:
    tenant = begun["tenant"]
    async with connections.db.tenant(tenant) as tx:
        await holds.lock(tx, tenant)
        left = await fetch_one(tx, "select count(*) as n from bundles where learner_id = %s", [pseudonym])
        bundles = left["n"] if left else 0
        held = bundles > 0 or blobs > 0
        row = await fetch_one(
            tx,
            """update erasures set state = %s, done_at = case when %s then null else now() end,
                      counts = counts || %s where erasure_id = %s and state <> 'done' returning counts, requested_at, now() as at""",
            ["held" if held else "done", held, Jsonb({"held_bundles": bundles, "held_blobs": blobs}), erasure_id],
        )
        if row is not None:
            details = {"erasure_id": erasure_id, "pseudonym": pseudonym, **row["counts"]}
            action = "learner.erasure-held" if held else "learner.erased"
            await audit.append(tx, tenant, "content-service", action, details, row["at"])
        result = {"erasure_id": erasure_id, "held_bundles": bundles, "held_blobs": blobs, "messages": removed}
        await jobs.succeed(tx, begun["job_id"], result)
