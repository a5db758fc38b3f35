"""A device that is to get nothing more: lost, stolen, sold, or one too many.

Its proofs are refused, what was planned for it is dropped, its place among the learner's devices is free, and the
revocation list names it for as long as a licence of it could be opened.
"""

from __future__ import annotations

from cluster.database import Transaction, fetch_one
from tasks import revocations
from tasks.epochs import leave_device


async def deactivate(tx: Transaction, tenant: str, device_id: str, *, cause: str, reason: str = "") -> bool | None:
    """False if it is deactivated already, None if there is no such device."""
    row = await fetch_one(tx, "select state from devices where device_id = %s for update", [device_id])
    if row is None:
        return None
    if row["state"] != "active":
        return False
    await tx.execute(b"update devices set state = 'revoked', revoked_at = now() where device_id = %s", [device_id])
    await tx.execute(
        b"""update bundles set state = 'cancelled', claimed_by = null, claimed_until = null
            where device_id = %s and state in ('planned', 'claimed')""",
        [device_id],
    )
    await leave_device(tx, device_id)
    await revocations.device(tx, tenant, device_id, cause=cause, reason=reason)
    return True
