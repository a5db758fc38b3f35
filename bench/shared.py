"""The policy `shared`: thousands of devices on one package of 50 MB.

What is compared is what a device costs beside the payload, which is written once: its licence in Postgres, and calls of
the key service. `CONTENT_BENCH_SHARED` says how many devices (10,000).
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from pathlib import Path

from bench.course import heavy_course, publish, published
from bench.enrolment import all_ready, enrol, register, signature_calls
from bench.results import Result, fact, limit
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.settings import Settings

DEVICES = int(os.environ.get("CONTENT_BENCH_SHARED", "10000"))
KIB = 1024


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    folder = home / "bench-media"
    folder.mkdir(exist_ok=True)
    document, media = await asyncio.to_thread(heavy_course, folder)
    connections = await Connections.open(settings)
    try:
        tenant, course = await new_tenant(connections), f"shared-{uuid.uuid4().hex[:6]}"
        async with connections.db.tenant(tenant) as tx:
            await tx.execute(b"update tenants set policy = 'shared'")
        package = await publish(home, tenant, document, media, course, 1)
        await published(connections, tenant, package, 1)
        await register(connections, tenant, DEVICES)
        began = time.perf_counter()
        await enrol(home, tenant, course, DEVICES)
        await all_ready(connections, tenant, DEVICES)
        elapsed = time.perf_counter() - began
        calls = await signature_calls(connections, tenant)
        async with connections.db.tenant(tenant) as tx:
            written = await fetch_one(
                tx,
                """select avg(pg_column_size(l.*)) as licence, (select sum(size_bytes) from parts) as payload,
                          (select count(*) from seals) as seals from licences l""",
            )
        assert written is not None and written["seals"] == 1
    finally:
        await connections.close()
    return [
        fact(f"shared: licences of {DEVICES} devices", DEVICES / elapsed, "licences/s"),
        fact("shared: payload, written once", float(written["payload"]) / 1e6, "MB"),
        limit("shared: bytes written for a device", float(written["licence"]), "B", 4 * KIB),
        limit(f"shared: signature calls for {DEVICES} licences", calls, "calls", -(-DEVICES // 64) + 3),
    ]
