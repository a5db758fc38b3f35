"""The night of the stolen key: 100,000 licences in force, all signed again. Time, signatures, and when both lists are out.

One worker, as the job is one; `CONTENT_BENCH_ROTATION` says how many licences.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from bench.crowd import licensed
from bench.results import Result, fact, limit
from bench.stack import new_tenant
from cluster import database
from cluster.connections import Connections
from cluster.settings import Settings
from tasks import resigning, rotation

LICENCES = int(os.environ.get("CONTENT_BENCH_ROTATION", "100000"))


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    connections = await Connections.open(settings)
    try:
        tenant = await new_tenant(connections)
        await licensed(connections, home, tenant, LICENCES)
        began, calls = time.perf_counter(), connections.keys.calls.get("sign", 0)
        async with connections.db.tenant(tenant) as tx:
            now = await database.now(tx)
            done = await rotation.emergency(tx, connections, tenant, now, kid=None, reason="measuring")
        listed = time.perf_counter() - began
        signed, after = 0, ""
        while after is not None:
            count, after = await resigning.of_key(connections, tenant, str(done.replaced), after)
            signed += count
        elapsed = time.perf_counter() - began
        assert signed == LICENCES, f"{signed} of {LICENCES} licences were signed again"
        async with connections.db.tenant(tenant) as tx:
            assert await resigning.count(tx, str(done.replaced), await database.now(tx)) == 0
    finally:
        await connections.close()
    used = connections.keys.calls.get("sign", 0) - calls
    return [
        fact("rotation: both lists out", listed * 1000, "ms"),
        fact(f"rotation: {LICENCES} licences signed again", elapsed, "s"),
        fact("rotation: a second", LICENCES / elapsed, "licences/s"),
        limit("rotation: signature calls", used, "calls", -(-LICENCES // settings.licence_batch) + 3),
    ]
