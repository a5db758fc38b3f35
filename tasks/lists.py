"""Fresh lists and keys in time: a reader refuses lists that have been stale for longer than the grace time.

A revocation list is issued anew when half of its life is over, a trust list when a sixth of it is left, and keys go their
yearly round (`tasks/rotation.py`). Run hourly by the bundler pool, which may use the keys; the lock of the tenant's lists
makes it once. With them go the ends of keys (`tasks/key_ends.py`) and the quarterly drill (`tasks/drill.py`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from cluster import database
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.telemetry.metrics import LISTS_LATE
from tasks import drill, key_ends, revocations, rotation, trust

log = structlog.get_logger()


async def renew_all(connections: Connections) -> int:
    """Renew what is due for every tenant; returns how many lists were issued. One tenant's trouble is not another's."""
    async with connections.ops.connection() as ops:
        now = await database.now(ops)
        tenants = [row["tenant"] for row in await fetch_all(ops, "select tenant from tenants order by tenant")]
    issued = 0
    for tenant in tenants:
        try:
            issued += await renew(connections, tenant, now)
        except Exception as error:
            LISTS_LATE.add()
            log.exception("lists not renewed", tenant=tenant, error=type(error).__name__)
        try:
            await key_ends.tend(connections, tenant, now)
            await drill.turn(connections, tenant, now)
        except Exception as error:
            log.exception("keys not tended", tenant=tenant, error=type(error).__name__)
    return issued


async def renew(connections: Connections, tenant: str, now: datetime) -> int:
    """Turn keys and renew lists of one tenant as they are due; returns how many lists were issued."""
    now = now.replace(microsecond=0)
    async with connections.db.tenant(tenant) as tx:
        await trust.lock(tx, tenant)
        trusted = await rotation.turn(tx, connections, tenant, now) or await _renew_trust(tx, connections, tenant, now)
        return trusted + await _renew_revocations(tx, connections, tenant, now)


async def _renew_trust(tx: Transaction, connections: Connections, tenant: str, now: datetime) -> int:
    life = timedelta(seconds=connections.settings.trust_ttl_s)
    if (await trust.newest(tx)).expires - now > life / 6:
        return 0
    await trust.publish(tx, connections, tenant, now)
    return 1


async def _renew_revocations(tx: Transaction, connections: Connections, tenant: str, now: datetime) -> int:
    life = timedelta(seconds=connections.settings.list_ttl_s)
    row = await fetch_one(tx, "select expires from revocation_lists order by trust_version desc, n desc limit 1")
    if row is None or row["expires"] - now > life / 2:
        return 0
    await revocations.publish(tx, connections, tenant, now, anyway=True)
    return 1
