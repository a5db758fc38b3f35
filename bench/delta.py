"""What a device fetches after one picture of a course of 50 MB has changed, against the size of that picture's file."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from bench.course import heavy_course, picture, publish, published
from bench.enrolment import all_ready, enrol, register
from bench.results import Result, fact, limit
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.settings import Settings

MORE = 8 << 10


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    folder = home / "bench-media"
    folder.mkdir(exist_ok=True)
    connections = await Connections.open(settings)
    try:
        tenant, course = await new_tenant(connections), f"delta-{uuid.uuid4().hex[:6]}"
        document, media = await asyncio.to_thread(heavy_course, folder)
        package = await publish(home, tenant, document, media, course, 1)
        await published(connections, tenant, package, 1)
        await register(connections, tenant, 1)
        await enrol(home, tenant, course, 1)
        await all_ready(connections, tenant, 1)
        media["p3"] = (picture(folder / "other.png", 99, (1280, 800)), "image/png")
        await publish(home, tenant, document, media, course, 2)
        await published(connections, tenant, package, 2)
        await all_ready(connections, tenant, 2)
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(
                tx,
                """select s.new_bytes + s.index_size as fetched, s.total_bytes, s.index_size, v.manifest_bytes,
                          s.new_bytes - v.manifest_bytes as picture
                   from seals s join package_versions v on v.package_id = s.package_id and v.version = s.version
                   where s.version = 2""",
            )
        assert row is not None
    finally:
        await connections.close()
    return [
        fact("delta: the package", row["total_bytes"] / 1e6, "MB"),
        fact("delta: the index", row["index_size"] / 1e3, "kB"),
        fact("delta: the manifest", row["manifest_bytes"] / 1e3, "kB"),
        limit(
            "delta: fetched after one changed picture", row["fetched"] / 1e3, "kB", (1.1 * row["picture"] + MORE) / 1e3
        ),
    ]
