"""Signing again what a key had signed that is revoked or leaves, and licences that are to last longer.

A batch is one transaction: the rows are locked, each licence is written anew with the next issue number, all of them are
signed by one call, and events tell the neighbours. Content keys, sequence and index stay, so a device fetches a licence
and no payload. What is left to do is told by the rows, so a killed worker's successor goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from cluster import database, places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.outbox import emit
from content.bundles.licence import Licence
from content.canonical import digest
from content.errors import ContentError
from content.signatures import sign_documents
from tasks import issued
from tasks.signed_lists import newest_version
from tasks.signing import current_signer, require_current

LIVE = """
    b.state = 'ready' and b.returned_at is null
    and exists (select 1 from enrolments e where e.enrollment_id = b.enrollment_id and e.state = 'active')
    and exists (select 1 from devices d where d.device_id = b.device_id and d.state = 'active')
    and not exists (select 1 from revocations r where (r.kind, r.subject) in
        (('bundle', b.bundle_id), ('package', b.package_id), ('version', b.package_id || '/' || b.version)))
"""
"""Of bundles b: somebody may still open it."""
# Locked first and read in another statement, so that what others committed while the lock was waited for is seen.
LOCK = b"select bundle_id from bundles where bundle_id = any(%s) order by bundle_id for no key update"
FACTS = f"""
    select b.bundle_id, b.enrollment_id, b.learner_id, b.device_id, b.policy, b.seal_id, {LIVE} as live,
           l.issue, l.document, l.not_after
    from bundles b
    join lateral (select issue, document, not_after from licences l where l.bundle_id = b.bundle_id
                  order by issue desc limit 1) l on true
    where b.bundle_id = any(%s) order by b.bundle_id
"""
SIGNED_BY = f"""
    select b.bundle_id from bundles b
    where b.bundle_id > %(after)s and {LIVE}
      and exists (select 1 from licences l where l.bundle_id = b.bundle_id and l.kid = %(kid)s and l.not_after > %(now)s
                  and not exists (select 1 from licences m where m.bundle_id = b.bundle_id and m.issue > l.issue))
    order by b.bundle_id limit %(limit)s
"""
COUNT = f"""
    select count(*) as n from bundles b join licences l on l.bundle_id = b.bundle_id
    where l.kid = %(kid)s and l.not_after > %(now)s and {LIVE}
      and not exists (select 1 from licences m where m.bundle_id = l.bundle_id and m.issue > l.issue)
"""
RENEWALS = "select bundle_id from renewals order by requested_at, bundle_id limit %s"
STILL_WANTED = "select bundle_id, not_after from renewals where bundle_id = any(%s)"
BLOBS = """
    select s.seal_id, json_build_object('path', s.index_path, 'size', s.index_size, 'digest', s.index_digest) as index,
           (select json_agg(json_build_object('path', p.path, 'size', p.size_bytes, 'digest', p.digest) order by sp.number)
            from seal_parts sp join parts p on p.path = sp.path where sp.seal_id = s.seal_id) as parts
    from seals s where s.seal_id = any(%s)
"""
MANIFESTS = """
    select package_id, version, manifest_digest, signed_by from package_versions
    where state = 'published' and signed_by = any(%s) order by package_id, version limit %s
"""
SIGNED = b"""
    update package_versions set signature = coalesce(%s, signature), signed_by = %s
    where package_id = %s and version = %s and manifest_digest = %s
"""
log = structlog.get_logger()
MANIFEST_BATCH = 50


async def count(tx: Transaction, kid: str, now: datetime) -> int:
    """Licences in force that this key signed."""
    row = await fetch_one(tx, COUNT, {"kid": kid, "now": now})
    return int(row["n"]) if row else 0


async def of_key(connections: Connections, tenant: str, kid: str, after: str) -> tuple[int, str | None]:
    """Sign the next batch of licences that this key had signed, by bundle id behind `after`.

    Returns how many, and where to go on (None: that was the last). Raises `keys-unavailable`, `key-rotated`.
    """
    limit = connections.settings.licence_batch
    async with connections.db.tenant(tenant) as tx:
        now = await database.now(tx)
        rows = await fetch_all(tx, SIGNED_BY, {"after": after, "kid": kid, "now": now, "limit": limit})
        done = await _issue(connections, tx, tenant, {row["bundle_id"]: None for row in rows}, now)
    return done, rows[-1]["bundle_id"] if len(rows) == limit else None


async def renewals(connections: Connections, tenant: str) -> int:
    """Issue the next batch of renewed licences; returns how many were asked for (0: nothing waits)."""
    async with connections.db.tenant(tenant) as tx:
        now = await database.now(tx)
        found = [row["bundle_id"] for row in await fetch_all(tx, RENEWALS, [connections.settings.licence_batch])]
        # Bundles are locked before their renewals, as everywhere; another worker may have served them meanwhile.
        await tx.execute(LOCK, [sorted(found)])
        rows = await fetch_all(tx, STILL_WANTED, [found])
        await _issue(connections, tx, tenant, {row["bundle_id"]: row["not_after"] for row in rows}, now)
        await tx.execute(b"delete from renewals where bundle_id = any(%s)", [[row["bundle_id"] for row in rows]])
    return len(found)


async def in_next_epoch(connections: Connections, tenant: str, bundle_ids: Sequence[str]) -> int:
    """Issue these licences again under the tenant's epoch of sequences, where theirs is an earlier one: the number that they have
    may have been given twice. Returns how many."""
    done, limit = 0, connections.settings.licence_batch
    for start in range(0, len(bundle_ids), limit):
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(tx, "select sequence_epoch from tenants")
            ends = dict.fromkeys(bundle_ids[start : start + limit])
            now = await database.now(tx)
            done += await _issue(connections, tx, tenant, ends, now, row["sequence_epoch"] if row else None)
    return done


async def _issue(
    connections: Connections,
    tx: Transaction,
    tenant: str,
    ends: dict[str, datetime | None],
    now: datetime,
    epoch: int | None = None,
) -> int:
    """Write and sign the next issue of each bundle's licence; what nobody may open any more is left out, and with an `epoch` what
    is numbered in it already."""
    await tx.execute(LOCK, [sorted(ends)])
    facts = await fetch_all(tx, FACTS, [sorted(ends)])
    held = [(row, old) for row in facts if row["live"] and (old := _readable(tenant, row)) is not None]
    if epoch is not None:
        held = [(row, old) for row, old in held if old.sequence.epoch < epoch]
    if not held:
        return 0
    now = now.replace(microsecond=0)
    least = await newest_version(tx)
    signer = await current_signer(tx, connections.keys, now)
    grace_s = connections.settings.offline_grace_s

    def sign() -> tuple[list[Licence], list[dict[str, Any]]]:
        licences = [
            replace(
                old,
                issue=row["issue"] + 1,
                sequence=old.sequence if epoch is None else old.sequence._replace(epoch=epoch),
                issued_at=now,
                not_after=max(old.not_before, ends[old.bundle_id] or old.not_after),
                offline_grace_s=grace_s,
                min_revocations=least,
            )
            for row, old in held
        ]
        documents = [licence.to_bytes() for licence in licences]
        signatures = sign_documents(documents, signer, iss=tenant, iat=now)
        return licences, [issued.row(*each) for each in zip(licences, documents, signatures, strict=True)]

    licences, kept = await asyncio.to_thread(sign)
    await require_current(tx, signer.kid)
    async with tx.cursor() as cursor:
        await cursor.executemany(issued.INSERT, kept)
    rows = [row for row, _ in held]
    blobs = {row["seal_id"]: row for row in await fetch_all(tx, BLOBS, [sorted({row["seal_id"] for row in rows})])}
    await emit(
        tx,
        tenant,
        [
            issued.event(licence, row, blobs[row["seal_id"]]["index"], blobs[row["seal_id"]]["parts"])
            for row, licence in zip(rows, licences, strict=True)
        ],
    )
    return len(rows)


def _readable(tenant: str, row: dict[str, Any]) -> Licence | None:
    """One stored licence that cannot be read must not stop the others of its batch."""
    try:
        return Licence.parse(row["document"].encode())
    except ContentError as error:
        log.error("stored licence cannot be read", tenant=tenant, bundle=row["bundle_id"], code=error.code)
        return None


async def manifests(connections: Connections, tenant: str, kids: Sequence[str]) -> int:
    """Sign the next manifests that one of these keys had signed; returns how many (0: none is left)."""
    async with connections.db.tenant(tenant) as tx:
        return await _manifests(tx, connections, tenant, kids, await database.now(tx))


async def manifests_of_retired(tx: Transaction, connections: Connections, tenant: str, now: datetime) -> int:
    """The same for keys that are retired, before they leave the trust list."""
    rows = await fetch_all(
        tx, "select kid from signing_keys where purpose = 'signing' and status = 'retired' and dropped_at is null"
    )
    return await _manifests(tx, connections, tenant, [row["kid"] for row in rows], now) if rows else 0


async def _manifests(tx: Transaction, connections: Connections, tenant: str, kids: Sequence[str], now: datetime) -> int:
    rows = await fetch_all(tx, MANIFESTS, [list(kids), MANIFEST_BATCH])
    if not rows:
        return 0
    now = now.replace(microsecond=0)
    signer = await current_signer(tx, connections.keys, now)

    def sign() -> list[dict[str, Any] | None]:
        bodies = [_body(connections, tenant, row) for row in rows]
        signed = iter(sign_documents([body for body in bodies if body is not None], signer, iss=tenant, iat=now))
        return [next(signed) if body is not None else None for body in bodies]

    signatures = await asyncio.to_thread(sign)
    await require_current(tx, signer.kid)
    for row, signature in zip(rows, signatures, strict=True):
        # One whose blob is lost or changed keeps its old signature, but is not looked at again by this key.
        await tx.execute(
            SIGNED,
            [
                Jsonb(signature) if signature else None,
                signer.kid,
                row["package_id"],
                row["version"],
                row["manifest_digest"],
            ],
        )
    return len(rows)


def _body(connections: Connections, tenant: str, row: dict[str, Any]) -> bytes | None:
    try:
        key = places.manifest(tenant, row["package_id"], row["version"], row["manifest_digest"])
        body = connections.objects.get(key)
        # Whoever can write to the store must not get a signature for it.
        return body if digest(body) == row["manifest_digest"] else None
    except ContentError as error:
        if error.code != "object-missing":
            raise
        return None
