"""Exports against bare copies of the same bytes: the zip on a disk against `zip -0`, and from store to store against a copy.

The course has 50 MB that say nothing twice and eight pictures. A second format is written from the same renditions: nothing is
made anew, so it is to cost little more than moving its bytes.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from bench.results import Result, at_most, fact, interleaved, seconds
from cluster import player
from cluster.objects import Objects
from cluster.settings import Settings
from cluster.uploads import Upload
from content.canonical import digest
from content.exports import ExportPlan, Options, Stored, plan_export
from content.exports.archive import write_zip

SEGMENT, ROUNDS = 1 << 20, 5
FILE_BYTES, PICTURE_BYTES, PICTURES = 50_000_000, 300_000, 8


def measure(home: Path, settings: Settings) -> list[Result]:
    manifest, blobs = _course()
    plans = {name: plan_export(manifest, Options(name), player.load()) for name in ("scorm12", "cmi5")}
    return [*_on_disk(plans["scorm12"], blobs), *_in_store(plans, blobs, Objects(settings))]


def _on_disk(plan: ExportPlan, blobs: dict[str, bytes]) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="content-bench-export-") as name:
        folder, store = Path(name) / "files", Path(name) / "store"
        store.mkdir()
        for entry in plan.entries:
            path = folder / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(blobs[entry.content.digest] if isinstance(entry.content, Stored) else entry.content)
        for name_, data in blobs.items():
            (store / name_.removeprefix("sha256:")).write_bytes(data)

        def read(stored: Stored) -> Iterator[bytes]:
            with (store / stored.digest.removeprefix("sha256:")).open("rb") as file:
                while piece := file.read(SEGMENT):
                    yield piece

        ours, bare = Path(name) / "ours.zip", Path(name) / "bare.zip"

        def write() -> None:
            with ours.open("wb") as out:
                write_zip(plan.entries, read, out)

        def zip_0() -> None:
            bare.unlink(missing_ok=True)
            subprocess.run(["zip", "-0", "-q", "-r", str(bare), "."], cwd=folder, check=True)

        value, baseline = interleaved(lambda: seconds(write), lambda: seconds(zip_0), ROUNDS)
        sizes = ours.stat().st_size / 1e6, bare.stat().st_size / 1e6
    return [
        at_most("export: seconds against zip -0", value, "s", baseline, 1.5),
        at_most("export: bytes against zip -0", sizes[0], "MB", sizes[1], 1.5),
    ]


def _in_store(plans: dict[str, ExportPlan], blobs: dict[str, bytes], objects: Objects) -> list[Result]:
    for name, data in blobs.items():
        objects.put(_key(name), data, "application/octet-stream")

    def read(stored: Stored) -> Iterable[bytes]:
        whole, rest = divmod(stored.size_bytes, SEGMENT)
        return objects.read(_key(stored.digest), [SEGMENT] * whole + [rest] * bool(rest))

    def export(plan: ExportPlan) -> None:
        with Upload(objects, "exports/bench/made.zip", "application/zip") as out:
            write_zip(plan.entries, read, cast("BinaryIO", out))
            out.finish()

    def copy() -> None:
        with Upload(objects, "exports/bench/copied", "application/zip") as out:
            for name, data in blobs.items():
                for piece in read(Stored(name, len(data))):
                    out.write(piece)
            out.finish()

    first = seconds(lambda: export(plans["scorm12"]))
    second, bare = interleaved(_timed(export, plans["cmi5"]), lambda: seconds(copy), ROUNDS)
    return [
        fact("export: the first format, store to store", first, "s"),
        at_most("export: a second format against a copy", second, "s", bare, 1.2),
    ]


def _timed(work: Callable[[ExportPlan], None], plan: ExportPlan) -> Callable[[], float]:
    return lambda: seconds(lambda: work(plan))


def _key(name: str) -> str:
    return f"assets/bench-export/{name.removeprefix('sha256:')}"


def _course() -> tuple[Any, dict[str, bytes]]:
    """A manifest and the bytes of its renditions."""
    from content.drafts import parse
    from content.media import Rendition
    from content.packages import AssetResult, Source, build_manifest

    blobs: dict[str, bytes] = {}

    def result(role: str, media_type: str, size: int) -> AssetResult:
        data = os.urandom(size)
        blobs[digest(data)] = data
        return AssetResult(digest(data), size, (Rendition(role, role, media_type, digest(data), size, width=960, height=600),))  # fmt: skip

    text = {"en": "Measured"}
    blocks: list[dict[str, Any]] = [
        {"type": "image", "id": f"b{n}", "asset": f"p{n}", "alt": text} for n in range(PICTURES)
    ]
    blocks.append({"type": "file", "id": "sheet", "asset": "sheet", "title": text})
    head = {"language": "en", "title": text, "description": text, "license": "CC0-1.0"}
    draft = parse({**head, "units": [{"id": "u", "title": text, "blocks": blocks}]})
    assets = {f"p{n}": result("image", "image/webp", PICTURE_BYTES) for n in range(PICTURES)}
    assets["sheet"] = result("file", "application/pdf", FILE_BYTES)
    source = Source("course", "draft", 1, digest(b"draft"), "2026-01-01T00:00:00Z")
    manifest = build_manifest(
        tenant="bench-export", package_id="pkg_00000000000000000000000001", version=1, draft=draft, source=source,
        assets=assets, listing={}, assistant=None, toolchain="",
    )  # fmt: skip
    return manifest, blobs
