"""Courses as exports on the disk, made of real pictures, film and sound: what the browser tests play.

The renditions are made here with Pillow, or are the originals themselves; how a build makes them is tested elsewhere.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from cluster import player
from content.canonical import digest
from content.drafts import parse as parse_draft
from content.exports import ExportPlan, Options, Stored, caption_files, plan_export
from content.media import Rendition, to_webvtt
from content.packages import AssetResult, Manifest, Source, build_manifest
from serve_app.demo_course import make_demo_course

WIDTHS = (320, 640, 960)


def both(text: str, arabic: str = "") -> dict[str, str]:
    return {"en": text, "ar": arabic or f"ع {text}"}


def _question(kind: str, **members: Any) -> dict[str, Any]:
    return {"kind": kind, "id": kind.replace("_", "-"), "prompt": both(f"About *{kind}*: $x^2$?"), **members}


SEVEN = [
    _question("single", choices=[{"id": "a", "text": both("A"), "feedback": both("no")}, {"id": "b", "text": both("B"), "correct": True}], feedback={"correct": both("well done")}),
    _question("multiple", points=2, choices=[{"id": n, "text": both(n.upper()), "correct": n != "b"} for n in "abc"]),
    _question("true_false", answer=False),
    _question("numeric", answer=0.2, tolerance=0.05, unit=both("m")),
    _question("short_text", answers={"en": ["Ibn al-Haytham"], "ar": ["ابن الهيثم"]}),
    _question("matching", pairs=[{"id": n, "left": both(n), "right": both(f"{n}!")} for n in "xyz"]),
    _question("ordering", items=[{"id": n, "text": both(f"step {n}")} for n in "ijk"]),
]  # fmt: skip


class Media:
    """Originals by the demo's asset ids, and the bytes of every rendition by digest."""

    def __init__(self, folder: Path) -> None:
        self.demo = make_demo_course(folder)
        self.blobs: dict[str, bytes] = {}

    def rendition(self, role: str, media_type: str, data: bytes, **more: Any) -> Rendition:
        self.blobs[digest(data)] = data
        return Rendition(role, f"{role}-{more.get('width', '')}", media_type, digest(data), len(data), **more)

    def results(self, originals: Mapping[str, str]) -> dict[str, AssetResult]:
        return {asset: self._result(asset, kind) for asset, kind in originals.items()}

    def _result(self, asset: str, kind: str) -> AssetResult:
        data = self.demo.media[asset].read_bytes()
        made = {
            "image": self._widths,
            "video": lambda _: [self.rendition("video", "video/mp4", data, width=1280, height=720, duration_s=5.3)],
            "audio": lambda _: [self.rendition("audio", "audio/wav", data, duration_s=6.0)],
            "captions": lambda _: [self.rendition("captions", "text/vtt", to_webvtt(data))],
            "file": lambda _: [self.rendition("file", "text/plain", b"a file\n")],
        }[kind](asset)
        return AssetResult(digest(data), len(data), tuple(made))

    def _widths(self, asset: str) -> list[Rendition]:
        picture = Image.open(self.demo.media[asset]).convert("RGB")
        sizes = [(width, picture.height * width // picture.width) for width in WIDTHS if width <= picture.width]
        made: list[Rendition] = []
        for size in sizes:
            out = io.BytesIO()
            picture.resize(size).save(out, "WEBP", quality=70)
            made.append(self.rendition("image", "image/webp", out.getvalue(), width=size[0], height=size[1]))
        return made


def small_draft(**head: Any) -> dict[str, Any]:
    """Three units with every sort of block that an export shows, and all seven kinds of question."""
    captions = [{"asset": f"captions-bunny-{tag}", "language": tag} for tag in ("en", "ar")]
    return {
        "language": "en",
        "translations": ["ar"],
        "title": both("A small course", "دورة صغيرة"),
        "description": both("For tests"),
        "license": "CC-BY-4.0",
        "units": [
            {
                "id": "one",
                "title": both("First", "الأول"),
                "blocks": [
                    {"type": "text", "id": "t1", "text": both("# Heading\n\n| a | b |\n|-|-|\n| 1 | 2 |\n\n[a link](https://example.org/)")},
                    {"type": "image", "id": "i1", "asset": "photo-cat", "alt": both("A cat"), "caption": both("Chelsea")},
                    {"type": "video", "id": "v1", "asset": "film-bunny", "title": both("A morning"), "captions": captions, "transcript": both("He *yawns*.")},
                ],
            },
            {"id": "two", "title": both("Second", "الثاني"), "blocks": [{"type": "quiz", "id": "q1", "title": both("All seven"), "shuffle": True, "attempts": 3, "questions": SEVEN}]},
            {"id": "three", "title": both("Third", "الثالث"), "blocks": [{"type": "audio", "id": "a1", "asset": "sound-octaves", "transcript": both("Two octaves")}, {"type": "text", "id": "t3", "text": both("The end.")}]},
        ],
        **head,
    }  # fmt: skip


def manifest_of(document: Mapping[str, Any], media: Media) -> Manifest:
    draft = parse_draft(dict(document))
    return build_manifest(
        tenant="acme",
        package_id="pkg_00000000000000000000000001",
        version=1,
        draft=draft,
        source=Source("course-1", "draft-1", 1, digest(b"draft"), "2026-11-23T10:00:00Z"),
        assets=media.results({each.asset: each.kind for each in draft.originals()}),
        listing={"policy": "device"},
        assistant=None,
        toolchain="tools",
    )


def export(document: Mapping[str, Any], media: Media, folder: Path, options: Options) -> ExportPlan:
    """Write an export, unzipped, into the folder."""
    manifest = manifest_of(document, media)
    captions = {each.digest: media.blobs[each.digest] for each in caption_files(manifest, options)}
    plan = plan_export(manifest, options, player.load(), captions=captions)
    for entry in plan.entries:
        path = folder / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(media.blobs[entry.content.digest] if isinstance(entry.content, Stored) else entry.content)
    return plan
