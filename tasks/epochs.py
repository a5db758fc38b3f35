"""Epochs: under which content key the next version is encrypted for a scope. A new one begins when somebody leaves."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.database import Transaction, fetch_all

FIRST_EPOCH = 1

LEAVE = b"""
    insert into scope_epochs as s (tenant, package_id, scope, epoch, reason)
    select distinct l.tenant, l.package_id, l.scope, max(l.epoch) over (partition by l.package_id, l.scope) + 1, %(reason)s
    from bundles b
    join seals n on n.seal_id = b.seal_id
    join seals l on l.package_id = n.package_id and l.scope = n.scope and l.profile = n.profile
    where b.policy = 'shared' and b.state = 'ready' and {chosen}
    order by l.package_id, l.scope
    on conflict (tenant, package_id, scope) do update
        set epoch = excluded.epoch, reason = excluded.reason, begun_at = now() where s.epoch < excluded.epoch
"""


EVERY = b"""
    insert into scope_epochs as s (tenant, package_id, scope, epoch, reason)
    select l.tenant, l.package_id, l.scope, max(l.epoch) + 1, %(reason)s from seals l
    where l.scope = l.profile and (%(package)s::text is null or l.package_id = %(package)s)
    group by l.tenant, l.package_id, l.scope order by l.package_id, l.scope
    on conflict (tenant, package_id, scope) do update
        set epoch = excluded.epoch, reason = excluded.reason, begun_at = now() where s.epoch < excluded.epoch
    returning scope
"""
OWN = b"""
    insert into scope_epochs as s (tenant, package_id, scope, epoch, reason)
    select l.tenant, l.package_id, l.scope, max(l.epoch) + 1, %(reason)s from seals l
    where l.package_id = %(package)s and l.scope <> l.profile
    group by l.tenant, l.package_id, l.scope order by l.scope
    on conflict (tenant, package_id, scope) do update
        set epoch = excluded.epoch, reason = excluded.reason, begun_at = now() where s.epoch < excluded.epoch
    returning scope
"""
ENDED = b"""
    b.package_id = %(package)s and b.profile = %(value)s and exists (
        select 1 from enrolments e where e.enrollment_id = b.enrollment_id and e.ends_at <= now() and e.ends_at > (
            select max(m.created_at) from seals m
            where m.package_id = b.package_id and m.scope = b.profile and m.state = 'ready'))
"""


async def epochs_of(tx: Transaction, package_id: str, scopes: Sequence[str]) -> dict[str, int]:
    """The epoch in which the next version is encrypted for each scope."""
    rows = await fetch_all(
        tx,
        "select scope, epoch from scope_epochs where package_id = %s and scope = any(%s)",
        [package_id, list(scopes)],
    )
    return dict.fromkeys(scopes, FIRST_EPOCH) | {row["scope"]: row["epoch"] for row in rows}


async def leave_enrolment(tx: Transaction, enrollment_id: str) -> None:
    """An enrolment has ended: what it could open under `shared` is known to somebody who is no member any more, so the next
    version gets another key. Several who leave between two versions cost one epoch."""
    await tx.execute(
        LEAVE.replace(b"{chosen}", b"b.enrollment_id = %(value)s"),
        {"value": enrollment_id, "reason": "an enrolment was cancelled"},
    )


async def leave_device(tx: Transaction, device_id: str) -> None:
    """The same for a device that was deactivated."""
    await tx.execute(
        LEAVE.replace(b"{chosen}", b"b.device_id = %(value)s"),
        {"value": device_id, "reason": "a device was deactivated"},
    )


async def leave_ended(tx: Transaction, package_id: str, scope: str) -> None:
    """The same for enrolments whose time has run out since the newest version of the scope was encrypted; of that no event
    tells, so it is looked at before the next one is."""
    await tx.execute(
        LEAVE.replace(b"{chosen}", ENDED),
        {"package": package_id, "value": scope, "reason": "an enrolment has run out"},
    )


async def leave_bundle(tx: Transaction, bundle_id: str) -> None:
    """The same for a single bundle that was given back or revoked."""
    await tx.execute(
        LEAVE.replace(b"{chosen}", b"b.bundle_id = %(value)s"),
        {"value": bundle_id, "reason": "a bundle was returned or revoked"},
    )


async def leave_all(tx: Transaction) -> None:
    """In an emergency: every shared scope of the tenant goes on under another key."""
    await tx.execute(EVERY, {"package": None, "reason": "a signing key was revoked"})


async def begin(tx: Transaction, package_id: str, reason: str) -> int:
    """A content key of a package is thought to have leaked: every scope of it, shared or a device's own, gets another one
    with the next version. Returns how many scopes that concerns which were not waiting for one already."""
    count = 0
    for statement in (EVERY, OWN):
        cursor = await tx.execute(statement, {"package": package_id, "reason": reason})
        count += len(await cursor.fetchall())
    return count
