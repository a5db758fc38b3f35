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
