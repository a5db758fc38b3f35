"""Answers kept under an Idempotency-Key are removed when their time is over, also of tenants that ask nothing any more."""

from __future__ import annotations

from cluster.connections import Connections
from cluster.database import fetch_all


async def forget_expired(connections: Connections) -> int:
    """Remove them, tenant by tenant; says how many there were. Doing it twice at once is harmless."""
    async with connections.ops.connection() as ops:
        rows = await fetch_all(ops, "select distinct tenant from idempotency_keys where expires_at <= now()")
    removed = 0
    for row in rows:
        async with connections.db.tenant(row["tenant"]) as tx:
            removed += (await tx.execute(b"delete from idempotency_keys where expires_at <= now()")).rowcount
    return removed
