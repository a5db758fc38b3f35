"""The learner's player: its size for each adapter, how soon a page can be used on a CPU slowed down four times, and its memory
after a walk through 200 pages. The courses are exports as a learner gets them; the long one has 2,000 blocks and 500 pictures.
"""

from __future__ import annotations

import gzip
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.browser import node
from bench.results import Result, fact, limit

UNITS, BLOCKS, PICTURES = 200, 10, 500
MOST_KB, MOST_S = 120, 2.0
LONG_HEAP_MB = 64


def measure() -> list[Result]:
    from cluster import player
    from content.exports import Options
    from tests.player.courses import Media, export

    files = player.load().files
    sizes = [
        limit(f"player: script of {name}, gzipped", len(gzip.compress(files[f"player-{name}.js"], 9)) / 1e3, "kB", MOST_KB)
        for name in ("local", "scorm12", "scorm2004", "cmi5", "xapi")
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="content-bench-player-") as folder:
        media, jobs = Media(Path(folder) / "media"), dict[str, Any]()
        demo = dict(media.demo.draft)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        for name, document in (("demo", demo), ("long", long_draft())):
            began = time.perf_counter()
            given: Any = Pictures(media) if name == "long" else media
            export(document, given, Path(folder) / name, Options("html"))
            jobs[name] = {"folder": str(Path(folder) / name)}
        planned_s = time.perf_counter() - began
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        (Path(folder) / "jobs.json").write_text(json.dumps(jobs))
        found = json.loads(node("bench/player.mjs", str(Path(folder) / "jobs.json"), home=folder))
    sys.stderr.write(json.dumps(found) + "\n")
    usable = {name: statistics.median(entry["rounds"]) / 1e3 for name, entry in found.items()}
    return [
        *sizes,
        limit("player: usable at 4x CPU slow-down, demo course", usable["demo"], "s", MOST_S),
        limit("player: usable at 4x CPU slow-down, 2,000 blocks", usable["long"], "s", MOST_S),
        limit("player: heap after 200 pages", found["long"]["walked"]["heap"] / 1e6, "MB", LONG_HEAP_MB),
        fact("player: heap at the first page of 200", found["long"]["first"]["heap"] / 1e6, "MB"),
        fact("export: 2,000 blocks and 500 pictures, built and unpacked", planned_s, "s"),
        fact("export: memory it took", grown, "MiB"),
    ]


class Pictures:
    """The demo's media, and 500 small pictures of which each has bytes of its own."""

    def __init__(self, media: Any) -> None:
        self._media, self.blobs = media, media.blobs

    def results(self, originals: dict[str, str]) -> dict[str, Any]:
        from content.canonical import digest
        from content.packages import AssetResult

        made: dict[str, Any] = {}
        for asset in originals:
            data = b"RIFF" + asset.encode() * 400
            rendition = self._media.rendition("image", "image/webp", data, width=640, height=400)
            made[asset] = AssetResult(digest(data), len(data), (rendition,))
        return made


def long_draft() -> dict[str, Any]:
    """200 units of ten blocks: pictures, texts, and a quiz in each."""
    count, units = 0, list[dict[str, Any]]()
    for unit in range(UNITS):
        blocks: list[dict[str, Any]] = []
        for block in range(BLOCKS - 1):
            if block % 3 == 0 and count < PICTURES:
                blocks.append(
                    {"type": "image", "id": f"i{unit}-{block}", "asset": f"p{count}", "alt": {"en": "A picture"}}
                )
                count += 1
            else:
                words = " ".join(f"word{(unit * 7 + block * 13 + each) % 97}" for each in range(80))
                blocks.append({"type": "text", "id": f"t{unit}-{block}", "text": {"en": words}})
        choices = [{"id": each, "text": {"en": each}, "correct": each == "a"} for each in "abcd"]
        question = {"kind": "single", "id": "q", "prompt": {"en": "Which?"}, "choices": choices}
        blocks.append({"type": "quiz", "id": f"q{unit}", "questions": [question]})
        units.append({"id": f"u{unit}", "title": {"en": f"Unit {unit + 1}"}, "blocks": blocks})
    return {
        "language": "en",
        "title": {"en": "Long"},
        "description": {"en": "Long"},
        "license": "CC0-1.0",
        "units": units,
    }
