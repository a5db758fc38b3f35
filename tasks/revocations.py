"""What a tenant takes back: rows first, then the signed list that names them.

A row is committed with the change it belongs to (a cancelled enrolment, a device that was lost), whether the key service
is there or not. The list follows within a second: by the call that made the row if it may use the keys, else by the
bundler pool, which looks for rows that no list names yet. A list holds what can still matter: an entry goes when the
last licence it could stop has ended. docs/bundle-format.md, "Revocation list".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from cluster import database
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.outbox import Outgoing, emit
from cluster.telemetry import describe
from content.canonical import rfc3339
from content.errors import ContentError
from content.signatures import sign_documents
from content.trust.revocations import MAX_ENTRIES, RevocationList, Version
from tasks import trust
from tasks.signed_lists import newest_version
from tasks.signing import current_signer

ISSUED = "content.revocation.issued.v1"
MOST_IN_EVENT = 1000
MEMBERS = {"bundle": "bundles", "device": "devices", "package": "packages", "version": "versions", "kid": "kids"}
"""Kind of a row → member of the list."""

ADD = b"""
    insert into revocations (tenant, kind, subject, cause, reason, until) values (%s, %s, %s, %s, %s, %s)
    on conflict (tenant, kind, subject) do nothing
"""
# What was listed before comes first, so that a full list takes nothing back that it had named.
ENTRIES = """
    select kind, subject, listed is null as fresh from revocations
    where (until is null or until > %(now)s)
      and (kind <> 'kid' or subject in (select kid from signing_keys where dropped_at is null))
    order by listed is null, revoked_at, kind, subject
"""
LISTED = b"""
    update revocations r set listed = %s from unnest(%s::text[], %s::text[]) as f (kind, subject)
    where r.kind = f.kind and r.subject = f.subject and r.listed is null
"""
LIVE_UNTIL = """select max(l.not_after) as until from licences l join bundles b on b.bundle_id = l.bundle_id
                where {chosen} and l.not_after > now()"""
OF_ENROLMENT = """
    select b.bundle_id, b.registered_at, max(l.not_after) as until
    from bundles b join licences l on l.bundle_id = b.bundle_id
    where b.enrollment_id = %s and b.state = 'ready' group by b.bundle_id, b.registered_at having max(l.not_after) > now()
    order by b.bundle_id
"""
EVENT = b"""
    insert into licence_events (tenant, bundle_id, n, type, device_id)
    select %(tenant)s, %(bundle_id)s, coalesce(max(n), 0) + 1, %(type)s, %(device_id)s
    from licence_events where bundle_id = %(bundle_id)s
"""
log = structlog.get_logger()


async def add(
    tx: Transaction,
    tenant: str,
    kind: str,
    subjects: Sequence[tuple[str, datetime | None]],
    *,
    cause: str,
    reason: str = "",
) -> None:
    """Have (subject, until) revoked; what is revoked already stays as it is."""
    async with tx.cursor() as cursor:
        await cursor.executemany(
            ADD, [(tenant, kind, subject, cause, reason, until) for subject, until in sorted(subjects)]
        )


async def told(tx: Transaction, tenant: str, bundle_id: str, kind: str, device_id: str | None = None) -> None:
    """Note in the life of a licence: register, renew, return, revoke or cancel."""
    await tx.execute(EVENT, {"tenant": tenant, "bundle_id": bundle_id, "type": kind, "device_id": device_id})


async def bundle(
    tx: Transaction, tenant: str, bundle_id: str, *, cause: str, reason: str = "", device_id: str | None = None
) -> None:
    """One bundle of one device, which has a licence."""
    if await fetch_one(tx, "select 1 as x from revocations where kind = 'bundle' and subject = %s", [bundle_id]):
        return
    until = await _until(tx, "b.bundle_id = %s", bundle_id) or await database.now(tx)
    await add(tx, tenant, "bundle", [(bundle_id, until)], cause=cause, reason=reason)
    await told(tx, tenant, bundle_id, "return" if cause == "returned" else "revoke", device_id)


async def enrolment(tx: Transaction, tenant: str, enrollment_id: str, reason: str = "") -> int:
    """The bundles that an enrolment which has ended early had brought about; returns how many."""
    rows = await fetch_all(tx, OF_ENROLMENT, [enrollment_id])
    subjects = [(row["bundle_id"], row["until"]) for row in rows]
    await add(tx, tenant, "bundle", subjects, cause="enrolment", reason=reason[:1000])
    for row in rows:
        await told(tx, tenant, row["bundle_id"], "revoke" if row["registered_at"] else "cancel")
    return len(rows)


async def device(tx: Transaction, tenant: str, device_id: str, *, cause: str, reason: str = "") -> None:
    """A device, with whatever it holds; a device that holds nothing leaves no entry."""
    until = await _until(tx, "b.device_id = %s", device_id)
    if until is not None:
        await add(tx, tenant, "device", [(device_id, until)], cause=cause, reason=reason)


async def version(tx: Transaction, tenant: str, package_id: str, number: int, *, reason: str) -> None:
    """A version of a package, on every device."""
    until = await _until(tx, "b.package_id = %s and b.version = %s", package_id, number)
    now = await database.now(tx)
    await add(tx, tenant, "version", [(f"{package_id}/{number}", until or now)], cause="operator", reason=reason)


async def _until(tx: Transaction, chosen: str, *values: Any) -> datetime | None:
    """The end of the last licence that could still be opened; None if there is none."""
    row = await fetch_one(tx, LIVE_UNTIL.format(chosen=chosen), list(values))
    return row["until"] if row else None


async def publish(
    tx: Transaction, connections: Connections, tenant: str, now: datetime, *, anyway: bool = False
) -> Version | None:
    """Sign the list that names what no list names yet; None if there is nothing (unless `anyway`).

    Raises ContentError `keys-unavailable` or `no-signing-key`.
    """
    await trust.lock(tx, tenant)
    fresh = await fetch_all(
        tx, "select kind, subject from revocations where listed is null order by kind, subject for update"
    )
    if not fresh and not anyway:
        return None
    now = now.replace(microsecond=0)
    trusted, before = await trust.newest(tx), await newest_version(tx)
    n = before[1] + 1 if before[0] == trusted.version else 1
    lists: dict[str, list[str]] = {member: [] for member in MEMBERS.values()}
    left_out: set[tuple[str, str]] = set()
    for row in await fetch_all(tx, ENTRIES, {"now": now}):
        entries = lists[MEMBERS[row["kind"]]]
        if len(entries) < MAX_ENTRIES:
            entries.append(row["subject"])
        else:
            left_out.add((row["kind"], row["subject"]))
    if left_out:
        log.error("revocation list full", tenant=tenant, left_out=len(left_out))
    # Rows that came in since are the next list's; what found no place waits on.
    fresh = [row for row in fresh if (row["kind"], row["subject"]) not in left_out]
    if not fresh and not anyway:
        return None
    found = RevocationList(
        tenant,
        (trusted.version, n),
        now,
        now + timedelta(seconds=connections.settings.list_ttl_s),
        **{member: tuple(sorted(subjects)) for member, subjects in lists.items()},
    )
    body, signer = found.to_bytes(), await current_signer(tx, connections.keys, now)
    RevocationList.parse(body)  # a list that no reader takes must not go out
    (signature,) = await asyncio.to_thread(sign_documents, [body], signer, iss=tenant, iat=now)
    await tx.execute(
        b"""insert into revocation_lists (tenant, trust_version, n, document, signature, expires)
            values (%s, %s, %s, %s, %s, %s)""",
        [tenant, *found.version, body.decode(), Jsonb(signature), found.expires],
    )
    if fresh:
        kinds, subjects = [row["kind"] for row in fresh], [row["subject"] for row in fresh]
        await tx.execute(LISTED, [list(found.version), kinds, subjects])
        await emit(tx, tenant, [Outgoing(ISSUED, tenant, data) for data in _events(found, fresh)])
    return found.version


async def publish_waiting(connections: Connections) -> int:
    """Sign lists for all tenants where something waits to be named; returns how many. One tenant's trouble is its own."""
    async with connections.ops.connection() as ops:
        waiting = await fetch_all(ops, "select distinct tenant from revocations where listed is null")
    issued = 0
    for row in waiting:
        try:
            async with connections.db.tenant(row["tenant"]) as tx:
                issued += await publish(tx, connections, row["tenant"], await database.now(tx)) is not None
        except ContentError as error:
            log.warning("revocations not listed yet", tenant=row["tenant"], **describe(error))
        except Exception as error:
            log.exception("revocations not listed", tenant=row["tenant"], **describe(error))
    return issued


def _events(found: RevocationList, fresh: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All that the list names newly, in as many events as it takes: other regions have no other way to hear of it."""
    portions = [fresh[start : start + MOST_IN_EVENT] for start in range(0, len(fresh), MOST_IN_EVENT)]
    return [_event(found, portion, complete=len(portions) == 1) for portion in portions]


def _event(found: RevocationList, rows: Sequence[dict[str, Any]], *, complete: bool) -> dict[str, Any]:
    named: dict[str, list[str]] = {member: [] for member in MEMBERS.values()}
    for row in rows:
        named[MEMBERS[row["kind"]]].append(row["subject"])
    return {
        "tenant_id": found.tenant,
        "version": list(found.version),
        "issued_at": rfc3339(found.issued_at),
        **named,
        "complete": complete,
    }
