"""Many drafts at once, each with a picture of its own, against the same pictures rendered bare on as many cores.

A photo as phones take them is what is compared. A fifth as many drafts with a thumbnail tell what a draft costs beside
its media. `CONTENT_BENCH_STORM` says how many (500); the bare work is measured on a tenth of them and multiplied, since it
is the same for each.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.build import bare
from bench.course import draft, image_block, photos, picture
from bench.results import Result, at_most, fact
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.local import publishing
from cluster.neighbours import Listing
from cluster.settings import Settings
from content.canonical import rfc3339

DRAFTS = int(os.environ.get("CONTENT_BENCH_STORM", "500"))
SIZE = (640, 400)
DEADLINE_S = 3600.0


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(home, settings))


async def _measure(home: Path, settings: Settings) -> list[Result]:
    folder = home / "bench-media"
    folder.mkdir(exist_ok=True)
    thumbnails = [picture(folder / f"storm{number}.png", number, SIZE) for number in range(max(1, DRAFTS // 5))]
    connections = await Connections.open(settings)
    try:
        small = await _storm(connections, home, thumbnails, "image/png")
        large_ones = photos(folder, DRAFTS)
        large = await _storm(connections, home, large_ones, "image/jpeg")
    finally:
        await connections.close()
    sample = large_ones[:: max(1, DRAFTS // max(1, DRAFTS // 10))]
    bare_s, _ = await asyncio.to_thread(bare, {f"p{n}": (path, "image/jpeg") for n, path in enumerate(sample)})
    return [
        at_most(f"storm: {DRAFTS} drafts of one photo", large, "s", bare_s * DRAFTS / len(sample), 1.3),
        fact("storm: drafts of one photo", DRAFTS / large, "drafts/s"),
        fact("storm: drafts of one thumbnail", len(thumbnails) / small, "drafts/s"),
    ]


async def _storm(connections: Connections, home: Path, pictures: list[Path], media_type: str) -> float:
    """Seconds from the first event to the last published version."""
    tenant = await new_tenant(connections)
    events = await asyncio.to_thread(_lay_down, home, tenant, pictures, media_type)
    began = time.perf_counter()
    await asyncio.to_thread(publishing.publish_many, home, events)
    await _all_published(connections, tenant, len(pictures))
    return time.perf_counter() - began


def _lay_down(
    home: Path, tenant: str, pictures: list[Path], media_type: str
) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Drafts, listings and originals at the neighbours; returns the events that are still to be published."""
    events: list[tuple[str, str, Mapping[str, Any]]] = []
    run = uuid.uuid4().hex[:6]
    for number, path in enumerate(pictures):
        course, asset = f"storm-{run}-{number}", f"storm-{run}-{number}"
        publishing.put_media(home, tenant, {asset: (path, media_type)})
        publishing.put_listing(home, tenant, Listing(course_id=course, title={"en": "Storm"}))
        publishing.put_draft(home, tenant, draft("Storm", [image_block(asset)]), draft_id=course, revision=1)
        data = {
            "tenant_id": tenant, "course_id": course, "draft_id": course, "revision": 1,
            "published_at": rfc3339(datetime.now(UTC)),
        }  # fmt: skip
        events.append(("authoring.course_draft.published.v1", course, data))
    return events


async def _all_published(connections: Connections, tenant: str, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(
                tx,
                """select count(*) filter (where state = 'published') as done,
                          count(*) filter (where state = 'failed') as failed from package_versions""",
            )
        if row and row["failed"]:
            raise RuntimeError(f"{row['failed']} builds failed")
        if row and row["done"] == count:
            return
        await asyncio.sleep(0.2)
    raise TimeoutError("the builds did not end")
