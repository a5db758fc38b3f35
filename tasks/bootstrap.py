"""What a fresh stack needs before its first request: the schema, and one tenant that is ready to use."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from cluster.connections import Connections
from cluster.local.identity import DEMO_TENANT
from cluster.migrations import migrate
from cluster.settings import Settings
from tasks import tenants

FIRST_TENANT = DEMO_TENANT


def prepare(settings: Settings) -> None:
    """Migrate, then make the first tenant; doing it again changes nothing."""
    migrate(settings)
    asyncio.run(_first_tenant(settings))


async def _first_tenant(settings: Settings) -> None:
    connections = await Connections.open(settings, "api", size=2)
    try:
        async with connections.db.tenant(FIRST_TENANT) as tx:
            await tenants.create(
                connections,
                tx,
                FIRST_TENANT,
                region=settings.region,
                policy=None,
                actor="local stack",
                now=datetime.now(UTC),
            )
    finally:
        await connections.close()
