"""Where a film changes its scene, and what stands in for it: stills and its sound."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageStat

from cluster.settings import Settings
from content.errors import ContentError
from content.media import AudioRecipe, Probe, SpeechRecipe, StillRecipe, choose, plan
from content.media.scenes import MAX_STILLS, MIN_CHANGE, MIN_GAP_S, MIN_LITE_S, Scene, parse_scenes, pick_scenes
from tasks.render import probe, render
from tasks.rendering.decoders import ffmpeg_path
from tests.support.sandboxes import sandboxed

SETTINGS = Settings()
WRITTEN = b"""frame:0    pts:0       pts_time:0
lavfi.scd.mafd=0.000
frame:1    pts:128000  pts_time:10.24
lavfi.scd.mafd=31.706
frame:2    pts:1       pts_time:20
lavfi.scd.mafd=7.9
"""


def test_what_ffmpeg_wrote_is_read():
    assert parse_scenes(WRITTEN) == [Scene(0.0, 0.0), Scene(10.24, 31.706), Scene(20.0, 7.9)]
    assert parse_scenes(b"") == []
    assert parse_scenes(b"pts_time:" * 50_000) == []


def test_the_frames_that_differ_most_are_taken():
    assert pick_scenes(parse_scenes(WRITTEN), 60.0) == (0.0, 10.24)
    assert pick_scenes([], 60.0) == (0.0,)
    near = [Scene(0.0, 0), Scene(10.0, 20), Scene(12.0, 50), Scene(30.0, 9), Scene(58.0, 99)]
    assert pick_scenes(near, 60.0) == (0.0, 12.0, 30.0)
    assert pick_scenes(near, 40.0) == (0.0, 12.0)


@given(st.lists(st.tuples(st.floats(0, 14_400), st.floats(0, 100))), st.floats(MIN_LITE_S, 14_400))
def test_stills_are_few_and_apart(found: list[tuple[float, float]], duration_s: float):
    picked = pick_scenes([Scene(*each) for each in found], duration_s)
    assert 1 <= len(picked) <= MAX_STILLS
    assert list(picked) == sorted(picked)
    assert all(later - before >= MIN_GAP_S - 0.001 for before, later in pairwise(picked))


def film(path: Path, *colours: str, each_s: int = 8) -> Path:
    """A film of plain scenes with sound; a key frame begins each, as encoders do."""
    inputs = [
        argument
        for colour in colours
        for argument in ("-f", "lavfi", "-t", str(each_s), "-i", f"color=c={colour}:size=640x360:rate=10")
    ]
    joined = f"concat=n={len(colours)}:v=1:a=0[v]"
    argv = [
        ffmpeg_path(), "-v", "error", "-y", *inputs, "-f", "lavfi", "-t", str(each_s * len(colours)), "-i", "sine=frequency=300",
        "-filter_complex", joined, "-map", "[v]", "-map", f"{len(colours)}:a", "-c:v", "libx264", "-preset", "veryfast", "-force_key_frames", f"expr:gte(t,n_forced*{each_s})",
        "-c:a", "aac", str(path),
    ]  # fmt: skip
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("scenes") / "film.mp4", "black", "white", "red", "red", "red", "red")


def test_a_film_is_seen_by_its_stills_and_heard(scenes: Path, tmp_path: Path):
    found = probe(scenes, "video", SETTINGS)
    assert [round(at) for at in found.scenes] == [0, 8, 16]
    recipes = plan("video", found)
    stills = [
        render(scenes, each, tmp_path, lambda _: None, SETTINGS) for each in recipes if isinstance(each, StillRecipe)
    ]
    assert [(each.recipe, each.role, each.at_s) for each in stills] == [
        (f"still-webp-0{number}", "still", at) for number, at in enumerate(found.scenes, 1)
    ]
    seen = [
        tuple(round(part / 255) for part in ImageStat.Stat(Image.open(each.path).convert("RGB")).mean)
        for each in stills
    ]
    assert seen == [(0, 0, 0), (1, 1, 1), (1, 0, 0)]
    assert {(each.width, each.height) for each in stills} == {(480, 270)}
    (speech,) = (
        render(scenes, each, tmp_path, lambda _: None, SETTINGS) for each in recipes if isinstance(each, SpeechRecipe)
    )
    assert (speech.role, speech.media_type, speech.codecs) == ("audio", "audio/mp4", "mp4a.40.2")
    assert speech.duration_s == pytest.approx(48, abs=0.2)
    assert speech.bitrate is not None and speech.bitrate < 40_000
    again = render(scenes, recipes[-1], tmp_path, lambda _: None, SETTINGS)
    assert again.digest == speech.digest
    assert sandboxed(tmp_path) == []


def test_of_a_film_a_device_gets_nothing_that_only_stands_in_for_it(scenes: Path, tmp_path: Path):
    recipes = [each for each in plan("video", probe(scenes, "video", SETTINGS)) if "480p" not in each.name]
    made = [render(scenes, each, tmp_path, lambda _: None, SETTINGS).rendition for each in recipes]
    assert {each.role for each in made} == {"video", "poster", "still", "audio"}
    for profile in ("phone", "tablet", "desktop"):
        assert [each.role for each in choose(made, profile)] == ["poster", "video"]
    assert [each.role for each in choose([each for each in made if each.role == "audio"], "phone")] == ["audio"]


def test_a_film_whose_scenes_cannot_be_found_is_used_all_the_same(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: object) -> None:
        raise ContentError("render-failed", "It took too long.")

    monkeypatch.setattr("tasks.rendering.scenes.encode", fails)
    found = probe(scenes, "video", SETTINGS)
    assert (found.scenes, found.has_audio) == ((), True)


def test_a_short_film_has_no_stand_in(tmp_path: Path):
    found = probe(film(tmp_path / "f.mp4", "black", "white", each_s=3), "video", SETTINGS)
    assert found.scenes == ()
    assert not [each for each in plan("video", found) if isinstance(each, (StillRecipe, AudioRecipe))]


def test_a_silent_film_has_stills_alone():
    found = Probe("video", "video/mp4", 640, 360, duration_s=60, scenes=(0.0, 9.0), rate="25", picture=0)
    lite = [each for each in plan("video", found) if isinstance(each, (StillRecipe, AudioRecipe))]
    assert [each.name for each in lite] == ["still-webp-01", "still-webp-02"]
    assert len({each.digest("tools") for each in plan("video", found)}) == len(plan("video", found))


def test_a_probe_goes_through_json():
    from dataclasses import asdict
    from json import dumps, loads

    found = Probe("video", "video/mp4", 640, 360, scenes=(0.0, 9.0))
    assert Probe.from_dict(loads(dumps(asdict(found)))) == found
    assert MIN_CHANGE > 0
