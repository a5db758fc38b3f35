"""Long and large films in little memory: the kernel's limit is the witness, since whoever goes beyond it does not end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cluster.settings import MIB, Settings
from content.media import VideoRecipe, plan
from tasks.render import probe, render
from tasks.rendering.decoders import ffmpeg_path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Address space, of which libraries and the stacks of threads reserve much more than they use.
SETTINGS = Settings(ffmpeg_memory_bytes=1536 * MIB, decode_memory_bytes=1024 * MIB)


def generate(path: Path, picture: str, sound: str) -> Path:
    inputs = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound)
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "32k")
    argv = [ffmpeg_path(), "-y", "-nostdin", "-loglevel", "error", *inputs, *coded, str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.mark.parametrize(
    ("name", "picture", "sound", "length_s"),
    [
        ("an hour", "testsrc2=s=128x72:r=5:d=3600", "sine=f=440:r=16000:d=3600", 3600),
        ("four seconds of 4K", "testsrc2=s=3840x2160:r=30:d=4", "sine=f=440:d=4", 4),
    ],
)
def test_memory_does_not_grow_with_the_film(
    name: str, picture: str, sound: str, length_s: float, tmp_path: Path
) -> None:
    path = generate(tmp_path / "film.mp4", picture, sound)
    found = probe(path, "video", SETTINGS, name)
    assert found.duration_s == pytest.approx(length_s, rel=0.01)
    for recipe in plan("video", found):
        made = render(path, recipe, tmp_path, lambda _: None, SETTINGS, name, duration_s=found.duration_s)
        if isinstance(recipe, VideoRecipe):
            assert made.duration_s == pytest.approx(length_s, rel=0.01)
    assert {each.name for each in tmp_path.iterdir()} <= {
        "film.mp4",
        "poster-webp.webp",
        *(f"video-h264-{step}p.mp4" for step in (240, 480, 720)),
    }
