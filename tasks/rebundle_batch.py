"""One batch of a rebundle: the next rows by their key → a new seal → licences, one signature call → commit.

The commit moves each bundle from the old seal and licence to the new ones, beside which they have stood until then, together
with its event and the job's counts. What no bundle names any more goes with it. Before: `tasks/rebundle_job.py`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from cluster import failpoints
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from cluster.telemetry.metrics import BUNDLES, SEALED
from content.bundles.licence import Licence
from tasks import bundle, claims, seals
from tasks.batches import batch_limit
from tasks.contents import read_contents
from tasks.keeping import holds
from tasks.licences import issue
from tasks.planning import Group
from tasks.rebundle import MATCHING, Selection
from tasks.resigning import LIVE
from tasks.signing import require_signers

KEY = "b.package_id, b.version, b.profile, b.policy, b.bundle_id"
NEXT = f"""
    select {KEY}, b.enrollment_id, b.learner_id, b.device_id, b.seal_id, d.encryption_jwk, e.starts_at, e.ends_at,
           (select max(issue) + 1 from licences n where n.bundle_id = b.bundle_id) as issue,
           (select not_after from licences n where n.bundle_id = b.bundle_id order by issue desc limit 1) as not_after
    {MATCHING}
      and (%(after)s::text is null
           or ({KEY}) > (%(after)s, %(after_version)s, %(after_profile)s, %(after_policy)s, %(after_bundle)s))
    order by {KEY} limit %(limit)s
"""
# Locked first and read in another statement: what a renewal committed while the lock was waited for must be seen.
LOCK_BUNDLES = b"select bundle_id from bundles where bundle_id = any(%s) order by bundle_id for no key update"
HELD = f"""
    select b.bundle_id, (select max(issue) from licences n where n.bundle_id = b.bundle_id) as issue
    from bundles b where b.bundle_id = any(%(ids)s) and b.ready_at < %(before)s and {LIVE}
"""
LOCK_SEALS = b"select seal_id from seals where seal_id = any(%s) order by seal_id for update"
# A seal whose own part another one goes on using stays: its index alone vouches for every byte of that part.
UNUSED = """
    delete from seal_parts sp where sp.seal_id = any(%s) and not exists (select 1 from bundles b where b.seal_id = sp.seal_id)
      and not exists (select 1 from seal_parts own join seal_parts o on o.path = own.path and o.seal_id <> own.seal_id
                      where own.seal_id = sp.seal_id and split_part(own.path, '/', 1) = own.seal_id)
    returning sp.path
"""
PARTS = b"delete from parts p where p.path = any(%s) and not exists (select 1 from seal_parts o where o.path = p.path)"
SEALS = b"""
    delete from seals s where s.seal_id = any(%s) and not exists (select 1 from bundles b where b.seal_id = s.seal_id)
      and not exists (select 1 from seal_parts sp where sp.seal_id = s.seal_id)
"""
COUNTED = b"update jobs set result = %s, updated_at = now() where job_id = %s and state in ('running', 'cancelling')"
log = structlog.get_logger()


@dataclass(frozen=True)
class Served:
    """Where a batch ended: the key of its last row, None if there was none; and what the job has done so far."""

    position: list[Any] | None
    counts: dict[str, int]


async def serve(
    connections: Connections,
    tenant: str,
    job: dict[str, Any],
    selection: Selection,
    after: list[Any] | None,
    counts: dict[str, int],
) -> Served:
    """Make the next batch anew, behind the key `after`. Raises what the store or the key service raises, and why a package
    cannot be read."""
    settings, attempt = connections.settings, secrets.token_hex(8)
    async with connections.db.tenant(tenant) as tx:
        found = await fetch_all(tx, NEXT, {**parameters_of(selection), **_after(after), "limit": settings.bundle_batch})
    if not found:
        return Served(None, counts)
    group = _group(found[0], job["job_id"])
    contents = await read_contents(connections, tenant, group)
    limit = batch_limit(settings, group.policy, contents.size)
    rows = [row for row in found if _group(row, job["job_id"]) == group][:limit]
    position = [rows[-1][name.removeprefix("b.")] for name in KEY.split(", ")]
    rows = list({row["device_id"]: row for row in reversed(rows)}.values())  # a device's second bundle comes later
    async with connections.db.tenant(tenant) as tx:
        sequences = await claims.allocate(tx, group, [row["device_id"] for row in rows])
    rows = [{**row, "traceparent": job["traceparent"]} for row in rows if row["device_id"] in sequences]
    if not rows:
        return Served(position, counts)
    async with bundle.renewed(connections, tenant, attempt):
        await asyncio.to_thread(failpoints.hit, "rebundle.before_seal", settings)
        async with connections.db.tenant(tenant) as tx:
            known = await seals.ready(tx, group, {seals.scope_of(group, row["device_id"]) for row in rows})
        sealed = await bundle.sealed_for(connections, tenant, group, contents, rows, attempt)
        there = {scope: seal for scope, seal in sealed.all.items() if scope not in sealed.made}
        keys = await seals.keys_of(connections, tenant, group, there)
        keys |= {scope: each.keys for scope, each in sealed.made.items()}
        licences = await issue(connections, tenant, group, contents, rows, sequences, sealed.all, keys)
        await asyncio.to_thread(failpoints.hit, "rebundle.before_commit", settings)
        # A shared seal is committed by whoever made it, the seals of devices with their bundles.
        shared = {scope for scope in sealed.all if scope not in known and scope not in sealed.made}
        counts = await _commit(
            connections,
            tenant,
            group,
            attempt,
            rows,
            sequences,
            sealed,
            licences,
            selection,
            job["job_id"],
            counts,
            shared,
        )
    log.info("batch made anew", job=job["job_id"], package=group.package_id, attempt=attempt, **counts)
    return Served(position, counts)


async def _commit(
    connections: Connections,
    tenant: str,
    group: Group,
    attempt: str,
    rows: Sequence[dict[str, Any]],
    sequences: dict[str, tuple[int, int, int]],
    sealed: bundle.Seals,
    licences: Sequence[tuple[Licence, dict[str, Any]]],
    selection: Selection,
    job: str,
    counts: dict[str, int],
    fresh: set[str],
) -> dict[str, int]:
    """Seals, licences, events and the job's counts in one transaction; the new counts. `fresh` are scopes whose seal is
    committed already and not counted yet. What changed meanwhile (taken back, licence renewed, overtaken) is left as it is; the next look finds what is still wanted."""
    async with connections.db.tenant(tenant) as tx:
        await require_signers(tx, [signature for _, signature in licences])
        ids = [row["bundle_id"] for row in rows]
        await tx.execute(LOCK_BUNDLES, [ids])
        held = await fetch_all(tx, HELD, {"ids": ids, "before": selection.before})
        issues = {row["bundle_id"]: row["issue"] + 1 for row in held}
        mine = {row["device_id"]: row for row in rows if issues.get(row["bundle_id"]) == row["issue"]}
        done, _ = await claims.commit_sequences(tx, group, {device: sequences[device][2] for device in mine})
        kept = await seals.commit(
            tx, tenant, group, {scope: sealed.made[scope] for scope in sealed.made if scope in done}, attempt
        )
        done -= {device for device in done if device in sealed.made and device not in kept}
        moved = [
            (row, licence, signature)
            for row, (licence, signature) in zip(rows, licences, strict=True)
            if row["device_id"] in done
        ]
        await bundle.deliver(tx, tenant, group, sealed, moved)
        await _remove_unused(tx, sorted({mine[device]["seal_id"] for device in done}))
        fresh = fresh | kept
        more = {
            "bundles": len(moved),
            "payloads": len(fresh),
            "bytes": sum(sealed.all[scope].total_bytes for scope in fresh),
            "signature_calls": 1,
        }
        counts = {name: value + more.get(name, 0) for name, value in counts.items()}
        await tx.execute(COUNTED, [Jsonb(counts), job])
    BUNDLES.add(len(moved), result="anew")
    SEALED.add(sum(sealed.made[scope].seal.total_bytes for scope in kept))
    return counts


async def _remove_unused(tx: Transaction, old: list[str]) -> None:
    """Seals that no bundle names any more, and parts that no seal does; their blobs go with the next `gc`. Locked first, so that
    who is just about to name one has done so, or finds it gone. What is under legal hold stays."""
    await tx.execute(LOCK_SEALS, [old])
    old = await _free(tx, old)
    paths = [row["path"] for row in await fetch_all(tx, UNUSED, [old])]
    await tx.execute(PARTS, [paths])
    await tx.execute(SEALS, [old])


async def _free(tx: Transaction, old: list[str]) -> list[str]:
    rows = await fetch_all(tx, "select tenant, seal_id, package_id from seals where seal_id = any(%s)", [old])
    packages = {(row["tenant"], row["package_id"]) for row in rows}
    kept = {package for tenant, package in packages if await holds.held(tx, tenant, package)}
    return [row["seal_id"] for row in rows if row["package_id"] not in kept]


def _group(row: dict[str, Any], making: str) -> Group:
    return Group(row["package_id"], row["version"], row["profile"], "bulk", row["policy"], making)


def parameters_of(selection: Selection) -> dict[str, Any]:
    assert selection.before is not None
    return selection.parameters(selection.before)


def _after(position: list[Any] | None) -> dict[str, Any]:
    names = ("after", "after_version", "after_profile", "after_policy", "after_bundle")
    return dict(zip(names, position or [None] * len(names), strict=True))
