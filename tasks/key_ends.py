"""Keys in the key service at the ends of their lives: copied to every region when young, disabled when nothing may be signed
with them any more, and deleted by an operator with rights of his own, long after.

A row says what is to be; the key service is asked until it is so. A revoked key is disabled at once (by the job that signs
again what it had signed), a retired one a day after its last signature, so that no batch in flight meets a closed door.
Nothing that was signed needs its private key: whoever verifies has the public half, in the trust list. To delete one is
still the last step, since it cannot be taken back: not before the last licence it signed has ended, and never at once.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import structlog

from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.telemetry import describe
from content.errors import ContentError
from tasks import audit

CALM = timedelta(days=1)
WINDOW_DAYS = 30
LATE = timedelta(hours=3)
"""Upkeep comes every hour: whoever waits longer than this waits for something that does not mend itself."""
log = structlog.get_logger()

OUT_OF_USE = """
    select kid, key_name from signing_keys
    where disabled_at is null and (status = 'revoked' or (status = 'retired' and not_after < %s)) order by kid
"""
ALONE = """
    select kid, key_name from signing_keys
    where replicated_at is null and disabled_at is null and status = 'active' order by kid
"""
KEY = """
    select key_name, status, disabled_at, deletion_at, dropped_at,
           (select max(l.not_after) from licences l where l.kid = k.kid) as last_licence,
           exists (select 1 from package_versions v where v.signed_by = k.kid and v.state = 'published') as signs_version
    from signing_keys k where kid = %s
"""
OVERDUE = """
    select count(*) filter (where disabled_at is null and (status = 'revoked' or (status = 'retired' and not_after < %(calm)s)))
               as enabled,
           count(*) filter (where replicated_at is null and status = 'active' and disabled_at is null) as alone
    from signing_keys where coalesce(least(not_before, not_after), not_before) < %(late)s
"""


async def tend(connections: Connections, tenant: str, now: datetime) -> None:
    """Copy and disable what is due for a tenant. What cannot be done now is told and done the next time."""
    async with connections.db.tenant(tenant) as tx:
        alone = await fetch_all(tx, ALONE)
        ended = await fetch_all(tx, OUT_OF_USE, [now - CALM])
    for row in alone:
        try:
            if await asyncio.to_thread(connections.keys.replicate, row["key_name"], row["kid"]):
                async with connections.db.tenant(tenant) as tx:
                    await tx.execute(b"update signing_keys set replicated_at = %s where kid = %s", [now, row["kid"]])
        except ContentError as error:
            log.warning("key not copied", tenant=tenant, kid=row["kid"], **describe(error))
    for row in ended:
        try:
            await disable(connections, tenant, row["kid"], now)
        except ContentError as error:
            log.warning("key not disabled", tenant=tenant, kid=row["kid"], **describe(error))


async def disable(connections: Connections, tenant: str, kid: str, now: datetime) -> None:
    """Have the key sign nothing from now on, in any region. Again: nothing happens. Raises `keys-unavailable`, `key-refused`."""
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(tx, "select key_name, status, disabled_at from signing_keys where kid = %s", [kid])
    if row is None or row["disabled_at"] is not None:
        return
    if row["status"] == "active":
        raise ContentError("key-in-use", f"The key {kid} is in use.", "Rotate first.")
    await asyncio.to_thread(connections.keys.disable, row["key_name"], kid)
    async with connections.db.tenant(tenant) as tx:
        changed = await fetch_one(
            tx,
            "update signing_keys set disabled_at = %s where kid = %s and disabled_at is null returning kid",
            [now, kid],
        )
        if changed is not None:
            await audit.append(tx, tenant, "service", "keys.disabled", {"kid": kid, "status": row["status"]}, now)


async def schedule_deletion(connections: Connections, tenant: str, kid: str, actor: str, now: datetime) -> datetime:
    """Have the key gone in 30 days; returns when. To be called with credentials that may (docs/keys.md, "Deleting a key").

    Raises `kid-unknown`, `key-needed` while something could be said to need it, or what the key service raises.
    """
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(tx, KEY, [kid])
    if row is None:
        raise ContentError("kid-unknown", "The tenant has no such key.", "See its keys: keys list.")
    if row["deletion_at"] is not None:
        return row["deletion_at"]
    _demand_unneeded(row, kid, now)
    await asyncio.to_thread(connections.keys.schedule_deletion, row["key_name"], kid, WINDOW_DAYS)
    gone = now.replace(microsecond=0) + timedelta(days=WINDOW_DAYS)
    async with connections.db.tenant(tenant) as tx:
        await tx.execute(b"update signing_keys set deletion_at = %s where kid = %s", [gone, kid])
        details = {"kid": kid, "gone": gone.isoformat()}
        await audit.append(tx, tenant, actor, "keys.deletion-scheduled", details, now)
    return gone


async def overdue(ops: Transaction, now: datetime) -> dict[str, int]:
    """Keys over all tenants that ought to have been disabled (`enabled`) or copied (`alone`) by now (role ops)."""
    return await fetch_one(ops, OVERDUE, {"calm": now - CALM - LATE, "late": now - LATE}) or {}


def _demand_unneeded(row: dict[str, Any], kid: str, now: datetime) -> None:
    reason = ""
    if row["disabled_at"] is None:
        reason = "it is not disabled yet"
    elif row["last_licence"] is not None and row["last_licence"] > now:
        reason = f"the last licence it signed ends on {row['last_licence']:%Y-%m-%d}"
    elif row["signs_version"]:
        reason = "a published version is still signed by it"
    elif row["dropped_at"] is None:
        reason = "the trust list still names it"
    if reason:
        raise ContentError("key-needed", f"The key {kid} cannot be deleted: {reason}.", "Wait; nothing is lost by it.")
