"""`python -m tests.player.screenshots FOLDER`: the pictures of the demo course and of an imported package that the documents show."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from content.exports import Options
from tests.player.birds import birds
from tests.player.courses import Media, export
from tests.player.node import node
from tests.player.packages import play, site


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="content-screenshots-") as name:
        folder = Path(name)
        media = Media(folder / "media")
        export(dict(media.demo.draft), media, folder / "demo", Options("html"))
        site(birds(folder), folder / "birds", "pkg_birds")
        play({"birds": {"folder": str(folder / "birds"), "play": "pictures", "out": str(out.resolve())}}, folder)
        node("tests/play/screenshots.mjs", str(folder / "demo"), str(out.resolve()), TMPDIR=name, HOME=name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
