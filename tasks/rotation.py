"""Keys of a tenant on their way: announced, in use, retired, dropped; and the emergency in which one is revoked.

The yearly round: the next signing key is in the trust list a month before it signs, so that no device meets a key it has
never heard of; when it begins, the old one is retired, which ends its use but not what it signed; when no licence needs
it any more, it leaves the list. An emergency takes none of these steps' time: a **fresh** key signs from this moment (one
that was announced may have been named revoked by the thief, on devices that we do not see), and the thief's highest
revocation version is outranked by the next trust version. What the revoked key had signed is signed again by
`tasks/resigning.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from content.errors import ContentError
from content.trust.revocations import Version
from tasks import resigning, revocations, trust
from tasks.epochs import leave_all

SIGNING = """
    select kid, status, not_before, not_after from signing_keys
    where purpose = 'signing' and dropped_at is null order by not_before desc, kid
"""
UNNEEDED = """
    select k.kid from signing_keys k
    where k.purpose = 'signing' and k.status in ('retired', 'revoked') and k.dropped_at is null
      and not exists (select 1 from licences l where l.kid = k.kid and l.not_after > %(now)s)
      and not exists (select 1 from package_versions v where v.signed_by = k.kid and v.state = 'published')
"""

# More revoked keys than a list ought to carry: the oldest of which nothing newest is left to be signed again.
SURPLUS = """
    select k.kid from signing_keys k
    where k.purpose = 'signing' and k.status = 'revoked' and k.dropped_at is null
      and not exists (select 1 from licences l where l.kid = k.kid and l.not_after > %(now)s
                      and not exists (select 1 from licences m where m.bundle_id = l.bundle_id and m.issue > l.issue))
    order by k.not_before, k.kid
    limit greatest(0, (select count(*) from signing_keys where purpose = 'signing' and dropped_at is null) - %(most)s)
"""
MOST_KEYS = 48
"""Of the 64 that a list may hold (docs/bundle-format.md, "Trust list")."""


@dataclass(frozen=True)
class Rotated:
    """What a rotation did: the key that signs (or will), the one that is revoked or replaced, the lists that say so."""

    kind: str
    kid: str
    replaced: str | None
    begins: datetime
    trust_version: int
    revocations: Version | None


async def turn(tx: Transaction, connections: Connections, tenant: str, now: datetime) -> int:
    """Whatever of the yearly round is due; returns 1 if a new trust list was issued for it. Under `trust.lock`."""
    settings = connections.settings
    keys = [row for row in await fetch_all(tx, SIGNING) if row["status"] == "active"]
    changed = False
    newest = keys[0] if keys else None
    if newest is not None and newest["not_before"] <= now:
        begins = newest["not_before"] + timedelta(seconds=settings.key_period_s)
        if now >= begins - timedelta(seconds=settings.key_lead_s):
            begins = max(begins, now + timedelta(seconds=settings.key_lead_s))
            await _announce(tx, connections, tenant, begins)
            changed = True
    changed |= await _retire(tx, keys, now)
    changed |= await _drop(tx, connections, tenant, now)
    if changed:
        await trust.publish(tx, connections, tenant, now)
    return int(changed)


async def announce(
    tx: Transaction, connections: Connections, tenant: str, now: datetime, lead_s: int | None = None
) -> Rotated:
    """Publish the next signing key, which begins in `lead_s`. Raises `key-announced` if there is one already."""
    await trust.lock(tx, tenant)
    now = now.replace(microsecond=0)
    keys = [row for row in await fetch_all(tx, SIGNING) if row["status"] == "active"]
    for row in keys:
        if row["not_before"] > now:
            raise ContentError(
                "key-announced",
                f"The key {row['kid']} is announced already; it signs from {row['not_before']:%Y-%m-%d}.",
                "Wait for it, or rotate in an emergency.",
            )
    lead = connections.settings.key_lead_s if lead_s is None else lead_s
    begins = now + timedelta(seconds=lead)
    kid = await _announce(tx, connections, tenant, begins)
    if lead == 0:
        await _retire(tx, [{"kid": kid, "not_before": begins}, *keys], now)
    trusted = await trust.publish(tx, connections, tenant, now)
    return Rotated("scheduled", kid, keys[0]["kid"] if keys else None, begins, trusted.version, None)


async def roots(tx: Transaction, connections: Connections, tenant: str, now: datetime) -> Rotated:
    """A new root key; the oldest one leaves when there are more than the settings say. Old and new roots sign the list."""
    await trust.lock(tx, tenant)
    now = now.replace(microsecond=0)
    kid = await trust.new_key(tx, connections, tenant, "root", now, trust.ROOT_VALID)
    rows = await fetch_all(
        tx,
        """select kid from signing_keys where purpose = 'root' and status = 'active'
           order by not_before desc, (kid = %s) desc, kid""",
        [kid],
    )
    leaving = [row["kid"] for row in rows[connections.settings.trust_roots :]]
    await _set(tx, leaving, "retired", now)
    trusted = await trust.publish(tx, connections, tenant, now, new_roots=True)
    await tx.execute(b"update signing_keys set dropped_at = %s where kid = any(%s)", [now, leaving])
    return Rotated("root", kid, leaving[0] if leaving else None, now, trusted.version, None)


async def emergency(
    tx: Transaction, connections: Connections, tenant: str, now: datetime, *, kid: str | None, reason: str
) -> Rotated:
    """Revoke a signing key (the one in use, or `kid`) and have a fresh one sign from now on; both lists say so at once.

    Raises ContentError `kid-unknown` or `key-revoked` (it is already), or what the key service raises: nothing has
    happened then.
    """
    await trust.lock(tx, tenant)
    now = now.replace(microsecond=0)
    rows = await fetch_all(tx, SIGNING)
    begun = [row for row in rows if row["status"] == "active" and row["not_before"] <= now]
    revoked = kid or (begun[0]["kid"] if begun else None)
    known = {row["kid"]: row for row in rows}
    if revoked is None or revoked not in known:
        raise ContentError("kid-unknown", "The tenant has no such signing key.", "See its keys: tenant show.")
    if known[revoked]["status"] == "revoked":
        raise ContentError("key-revoked", f"The key {revoked} is revoked already.", "There is nothing left to do.")
    announced = [row["kid"] for row in rows if row["status"] == "active" and row["not_before"] > now]
    await tx.execute(
        b"update signing_keys set status = 'revoked' where kid = %s",
        [revoked],
    )
    # Announced keys leave unused: whoever stole the key in use could have had them named revoked.
    await _set(tx, announced, "retired", now)
    await tx.execute(
        b"update signing_keys set dropped_at = %s, not_before = least(not_before, %s) where kid = any(%s)",
        [now, now, announced],
    )
    fresh = next((row["kid"] for row in begun if row["kid"] != revoked), None)
    if fresh is None:
        valid = timedelta(seconds=connections.settings.key_valid_s)
        fresh = await trust.new_key(tx, connections, tenant, "signing", now, valid)
    surplus = await fetch_all(tx, SURPLUS, {"now": now, "most": MOST_KEYS})
    await tx.execute(
        b"update signing_keys set dropped_at = %s where kid = any(%s)", [now, [row["kid"] for row in surplus]]
    )
    await revocations.add(tx, tenant, "kid", [(revoked, None)], cause="emergency", reason=reason)
    await leave_all(tx)
    trusted = await trust.publish(tx, connections, tenant, now)
    listed = await revocations.publish(tx, connections, tenant, now, anyway=True)
    return Rotated("emergency", fresh, revoked, now, trusted.version, listed)


async def _announce(tx: Transaction, connections: Connections, tenant: str, begins: datetime) -> str:
    valid = timedelta(seconds=connections.settings.key_valid_s)
    return await trust.new_key(tx, connections, tenant, "signing", begins, valid)


async def _retire(tx: Transaction, keys: list[dict[str, Any]], now: datetime) -> bool:
    """Keys whose successor has begun sign no more. `keys` are the active ones, the latest first."""
    begun = [row for row in keys if row["not_before"] <= now]
    await _set(tx, [row["kid"] for row in begun[1:]], "retired", now)
    return len(begun) > 1


async def _drop(tx: Transaction, connections: Connections, tenant: str, now: datetime) -> bool:
    """Keys that are out of use and that nothing needs leave the list. Manifests do not end: the key in use takes them over."""
    await resigning.manifests_of_retired(tx, connections, tenant, now)
    rows = await fetch_all(tx, UNNEEDED, {"now": now})
    if rows:
        await tx.execute(
            b"update signing_keys set dropped_at = %s where kid = any(%s)", [now, [row["kid"] for row in rows]]
        )
    return bool(rows)


async def _set(tx: Transaction, kids: list[str], status: str, now: datetime) -> None:
    """Retired: its use ends now, so the trust list vouches for nothing it would sign later."""
    if kids:
        # Whoever commits with such a key holds its row: after the lock, everything signed with it is signed by now.
        await tx.execute(b"select kid from signing_keys where kid = any(%s) order by kid for update", [kids])
        await tx.execute(
            b"""update signing_keys set status = %s, not_after = greatest(not_before, least(not_after, greatest(%s,
                       date_trunc('second', clock_timestamp()) + interval '1 second')))
                where kid = any(%s)""",
            [status, now, kids],
        )
