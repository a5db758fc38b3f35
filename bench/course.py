"""Courses for measurements: a small one of three pictures, and one with a minute of film."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from pathlib import Path
from typing import Any

from PIL import Image

from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.local import publishing
from content.canonical import derive_id

DEADLINE_S = 600.0


def picture(path: Path, seed: int, size: tuple[int, int] = (640, 400)) -> Path:
    """A picture that compresses about as a photograph does: soft shapes and noise, the same for the same seed."""
    noise = Image.effect_noise((size[0] // 4, size[1] // 4), 60 + seed).resize(size)
    slope = Image.linear_gradient("L").resize(size).rotate(seed * 37)
    Image.merge("RGB", (noise, slope, Image.blend(noise, slope, 0.5))).save(path)
    return path


def photos(folder: Path, count: int, size: tuple[int, int] = (3264, 2448)) -> list[Path]:
    """JPEGs of 8 million pixels as phones take them. Each has bytes of its own (a comment), so that nothing of one is
    reused for another, and the same pixels, so that each is as much work."""
    first = folder / "photo.png"
    with Image.open(picture(first, 7, size)) as image:
        image.save(folder / "photo.jpg", quality=88)
    first.unlink()
    data = (folder / "photo.jpg").read_bytes()
    made: list[Path] = []
    for number in range(count):
        comment = f"photo {number}".encode()
        path = folder / f"photo-{number}.jpg"
        path.write_bytes(data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:])
        made.append(path)
    return made


def draft(title: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """A draft of one unit."""
    return {
        "title": {"en": title},
        "description": {"en": "For measuring."},
        "language": "en",
        "license": "CC0-1.0",
        "authors": [{"name": "content-service"}],
        "completion": {"rule": "all"},
        "units": [{"id": "unit-1", "title": {"en": "Unit"}, "blocks": blocks}],
    }


def image_block(asset: str) -> dict[str, Any]:
    return {"type": "image", "id": f"block-{asset}", "asset": asset, "alt": {"en": "A pattern"}}


def heavy_course(folder: Path, pictures: int = 8) -> tuple[dict[str, Any], dict[str, tuple[Path, str]]]:
    """(draft, originals) of a course whose bundle is a little over 50 MB: a file of 50 MB that says nothing twice, and
    pictures named p0, p1, …"""
    sheet = folder / f"sheet-{uuid.uuid4().hex[:6]}.bin"
    sheet.write_bytes(os.urandom(50_000_000))
    media = {f"p{n}": (picture(folder / f"heavy{n}.png", n, (1280, 800)), "image/png") for n in range(pictures)}
    blocks = [image_block(name) for name in media]
    media["sheet"] = (sheet, "application/octet-stream")
    blocks.append({"type": "file", "id": "block-sheet", "asset": "sheet", "title": {"en": "A sheet"}})
    return draft("Heavy", blocks), media


async def publish(
    home: Path, tenant: str, document: dict[str, Any], media: dict[str, tuple[Path, str]], course: str, revision: int
) -> str:
    """Publish and return the package's id."""
    await asyncio.to_thread(
        publishing.publish_draft, home, tenant, document, media,
        course_id=course, draft_id=f"draft-{course}", revision=revision,
    )  # fmt: skip
    return derive_id("pkg", tenant, course)


async def published(connections: Connections, tenant: str, package_id: str, version: int) -> dict[str, Any]:
    """Wait for a version; returns its row. Raises RuntimeError with the report if its build failed."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(
                tx,
                """select v.state, v.report, v.published_at - j.created_at as took, v.total_bytes
                   from package_versions v
                   join jobs j on j.subject->>'package_id' = v.package_id and (j.subject->>'version')::int = v.version
                   where v.package_id = %s and v.version = %s""",
                [package_id, version],
            )
        if row and row["state"] == "failed":
            raise RuntimeError(f"the build failed: {row['report']}")
        if row and row["state"] == "published":
            return row
        await asyncio.sleep(0.05)
    raise TimeoutError("the build did not end")


async def build_small_course(connections: Connections, home: Path, tenant: str) -> tuple[str, str]:
    """(course id, package id) of a published package of about 100 kB."""
    course, folder = f"small-{uuid.uuid4().hex[:6]}", home / "bench-media"
    folder.mkdir(exist_ok=True)
    media = {f"p{n}": (picture(folder / f"p{n}.png", n), "image/png") for n in range(3)}
    document = draft("Small", [image_block(asset) for asset in media])
    package_id = await publish(home, tenant, document, media, course, 1)
    await published(connections, tenant, package_id, 1)
    return course, package_id
