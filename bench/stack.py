"""The stack that measurements run on: the servers alone, or with Ray and the pools."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster.connections import Connections
from cluster.local.stack import Stack
from cluster.settings import Settings
from tasks import tenants
from tasks.bootstrap import prepare


def up(home: Path, *, ray: bool, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Start what is missing; a stack that runs is kept."""
    return Stack(home).up(_tell, ray=ray, before_ray=prepare, overrides=overrides).settings


def _tell(line: str) -> None:
    sys.stderr.write(f"  {line}\n")


async def new_tenant(connections: Connections) -> str:
    """A tenant of its own for a measurement, so that nothing is cached."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    region = connections.settings.region
    async with connections.db.tenant(name) as tx:
        await tenants.create(
            connections, tx, name, region=region, policy="device", actor="bench", now=datetime.now(UTC)
        )
    return name
