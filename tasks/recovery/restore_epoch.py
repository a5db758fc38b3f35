"""What a restored database numbers from now on outranks whatever the lost minutes may have numbered.

- Sequences of licences and of events go on in the tenant's next epoch (`tenants.sequence_epoch`), one number in place of a row
  for each device.
- Two new trust lists, for one that was lost may have had the next number; with it the revocation list's [trust version, n].
- Who was erased in those minutes is erased again, before anything is told of them.
- Roots and keys are what the key service has: a key that a lost list named is found under its name when it is made again.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from cluster import database
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from content.errors import ContentError
from content.jwk import thumbprint
from tasks import audit, revocations, trust
from tasks.keeping import erasure

LISTS = 2
log = structlog.get_logger()


async def begin(tx: Transaction, connections: Connections, tenant: str, action: str, details: dict[str, Any]) -> int:
    """The tenant's next epoch; returns its number. Part of `tx`, so it happens once.

    Raises ContentError `keys-unavailable`, or `key-refused`: the key service is not the one that the log knows.
    """
    await trust.lock(tx, tenant)
    row = await fetch_one(
        tx,
        "update tenants set sequence_epoch = sequence_epoch + 1 "
        "returning sequence_epoch, deleted_at is not null as gone, closed_at is not null as closed",
    )
    assert row is not None
    if row["gone"]:  # its keys are, too
        return int(row["sequence_epoch"])
    now = await database.now(tx)
    if erased := await erasure.repeat(tx, tenant):
        log.warning("learners erased again", tenant=tenant, learners=erased)
    # Of a tenant that is being deleted the keys may be out of use already, and nobody is served its lists.
    if not row["closed"] and await fetch_one(tx, "select 1 as x from trust_lists limit 1"):
        for _ in range(LISTS):
            await trust.publish(tx, connections, tenant, now)
        await revocations.publish(tx, connections, tenant, now, anyway=True)
    await audit.append(tx, tenant, "recovery", action, {**details, "epoch": row["sequence_epoch"]}, now)
    return int(row["sequence_epoch"])


async def require_keys(tx: Transaction, connections: Connections) -> None:
    """Demand that the key service has the keys that the rows name, but of a tenant that has ended or is being deleted, whose
    keys are out of use. Raises ContentError `key-service-differs`."""
    row = await fetch_one(
        tx,
        "select kid, key_name from signing_keys where status = 'active' "
        "and not exists (select 1 from tenants where closed_at is not null) order by not_before desc, kid limit 1",
    )
    if row is None:
        return
    found = await asyncio.to_thread(connections.keys.public_jwk, row["key_name"])
    if thumbprint(found) != row["kid"]:
        raise ContentError(
            "key-service-differs",
            f"The key service's {row['key_name']} is not the key {row['kid']} of the log.",
            "Restore with the key service that this region used, or its replica.",
        )
