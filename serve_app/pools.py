"""What `content-service pools` shows: depth from Postgres, replicas from Serve, and the reason for the wanted number."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from cluster import outbox, queue, topology
from cluster.connections import Connections
from cluster.settings import Settings
from cluster.topology import Pool
from content.errors import ContentError
from tasks import claims

EXPORTERS = (queue.EXPORT, queue.THAW, queue.HOLD, queue.ERASURE, queue.DELETION)
"""What the exporter counts: the nightly rounds, for which nobody waits, make no replicas."""
UNITS = {
    "content-builder": "builds and imports",
    "content-bundler": "bundles",
    "content-exporter": "exports and restores",
    "content-scorm-importer": "imports",
    "content-outbox-relay": "events",
}


def read(settings: Settings) -> list[dict[str, Any]]:
    """A row for each pool of the table; `replicas` is `?` where the Ray dashboard does not answer."""
    depths, replicas = asyncio.run(_depths(settings)), _replicas(settings)
    return [_row(pool, settings, depths.get(pool.name), replicas) for pool in topology.POOLS]


def _row(pool: Pool, settings: Settings, depth: int | None, replicas: dict[str, str] | None) -> dict[str, Any]:
    if depth is None and pool is not topology.API:
        return {"pool": pool.name, "depth": "-", "replicas": "0", "wanted": 0, "why": "not part of this stack"}
    used = pool.in_profile(settings.profile).within(settings.pool_bounds.get(pool.name))
    wanted = used.wanted(depth or 0)
    if depth is None:
        why = f"minimum {used.minimum}; one more over {topology.API_CPU_TARGET:.0%} of its CPU"
    elif wanted == used.minimum:
        why = f"minimum {used.minimum}; one more per {used.per_replica} {UNITS[pool.name]}"
    else:
        why = f"{depth} {UNITS[pool.name]} / {used.per_replica}, at most {used.maximum}"
    shown = (replicas or {}).get(pool.name, "?")
    return {
        "pool": pool.name,
        "depth": "-" if depth is None else depth,
        "replicas": shown,
        "wanted": wanted,
        "why": why,
    }


async def _depths(settings: Settings) -> dict[str, int]:
    connections = await Connections.open(settings, "worker", size=1)
    try:
        async with connections.ops.connection() as ops:
            imports = await queue.depth(ops, queue.IMPORT)
            built = await queue.depth(ops, queue.BUILD) + await queue.depth(ops, queue.PREVIEW)
            return {
                topology.BUILDER.name: built + imports,
                **({topology.IMPORTER.name: imports} if settings.importer_url else {}),
                topology.BUNDLER.name: await claims.depth(ops),
                topology.EXPORTER.name: sum([await queue.depth(ops, name) for name in EXPORTERS]),
                topology.RELAY.name: await outbox.backlog(ops),
            }
    finally:
        await connections.close()


def _replicas(settings: Settings) -> dict[str, str] | None:
    """Replicas by state of every deployment, from the dashboard's Serve API."""
    try:
        url = f"{settings.ray_dashboard_url}/api/serve/applications/"
        answer = httpx.get(url, timeout=5.0, trust_env=False).json()
    except (httpx.HTTPError, ValueError) as error:
        if not isinstance(error, httpx.HTTPError):
            raise ContentError("ray-unavailable", "The Ray dashboard's answer is not JSON.", "", True) from error
        return None
    found: dict[str, str] = {}
    for application in answer.get("applications", {}).values():
        for name, deployment in application.get("deployments", {}).items():
            states: dict[str, int] = {}
            for replica in deployment.get("replicas", []):
                states[replica["state"]] = states.get(replica["state"], 0) + 1
            found[name] = ", ".join(f"{count} {state.lower()}" for state, count in states.items()) or "0"
    return found
