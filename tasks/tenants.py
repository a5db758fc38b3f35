"""A new tenant: its keys in the key service, its first trust list and revocation list, its settings and limits.

Idempotent up to the last step: keys have names derived from the tenant, so a crash between making a key and committing
its row leaves a key that the next try finds. The rows are one transaction.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.topology import REGIONS
from content.errors import ContentError
from tasks import audit, elsewhere, revocations, trust
from tasks.elsewhere import wrong_region

LIMITS = {"devices_per_learner": 5}


async def create(
    connections: Connections,
    tx: Transaction,
    tenant: str,
    *,
    region: str,
    policy: str | None,
    actor: str,
    now: datetime,
) -> bool:
    """Make a tenant in `tx`, which sees it alone. False if it is there already, in this region and with
    this policy if one is named.

    `policy` None leaves it to the catalog and the service. Raises ContentError `tenant-exists`, `wrong-region`.
    """
    now = now.replace(microsecond=0)
    if region not in REGIONS or region != connections.settings.region:
        raise wrong_region(connections.settings, region)
    row = await fetch_one(tx, "select region, policy, closed_at from tenants")
    if row is not None:
        if row["closed_at"] is not None:
            raise ContentError("tenant-closed", f"The tenant {tenant} was deleted.", "Choose another name.")
        if row["region"] != region or (policy is not None and row["policy"] != policy):
            raise ContentError(
                "tenant-exists", f"The tenant {tenant} exists with other settings.", "Choose another name."
            )
        return False
    await elsewhere.require_not_elsewhere(tx, connections.settings)
    new = await fetch_one(
        tx,
        """insert into tenants (tenant, region, policy, limits) values (%s, %s, %s, %s)
           on conflict do nothing returning tenant""",
        [tenant, region, policy, Jsonb(LIMITS)],
    )
    if new is None:
        return False
    await asyncio.to_thread(connections.keys.ensure_wrapping_key)
    await trust.new_key(tx, connections, tenant, "root", now, trust.ROOT_VALID)
    await trust.new_key(tx, connections, tenant, "signing", now, timedelta(seconds=connections.settings.key_valid_s))
    await trust.publish(tx, connections, tenant, now)
    await revocations.publish(tx, connections, tenant, now, anyway=True)
    actor = await audit.pseudonym(tx, tenant, actor)
    await audit.append(tx, tenant, actor, "tenant.created", {"region": region, "policy": policy}, now)
    await elsewhere.announce(tx, connections.settings, tenant)
    return True
