from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.errors import ContentError
from content.media import (
    MOST_AT_ONCE,
    AudioRecipe,
    AvifRecipe,
    ImageRecipe,
    MediaLimits,
    OpusRecipe,
    PosterRecipe,
    Probe,
    Recipe,
    Sound,
    VideoRecipe,
    ffmpeg_argv,
    findings,
    plan,
)
from content.media.plan import IMAGE_WIDTHS, MAX_WEBP_SIDE


def image(width: int, height: int, frames: int = 1) -> Probe:
    return Probe("image", "image/png", width, height, frames=frames)


def film(width: int, height: int, **more: object) -> Probe:
    return Probe("video", "video/mp4", width, height, duration_s=20.0, has_audio=True, **more)  # pyright: ignore


def sizes(recipes: tuple[Recipe, ...], kind: type[Recipe]) -> list[tuple[int, int]]:
    return [(each.width, each.height) for each in recipes if isinstance(each, kind)]  # pyright: ignore


@pytest.mark.parametrize(
    ("width", "height", "widths"),
    [
        (4000, 3000, [320, 640, 960, 1280, 1920]),
        (1411, 1411, [320, 640, 960, 1280, 1411]),
        (640, 427, [320, 640]),
        (451, 300, [320, 451]),
        (14, 14, [14]),
        (2, 20_000, [1]),
        (1, 20_000, [1]),
    ],
)
def test_image_ladder(width: int, height: int, widths: list[int]):
    assert [each[0] for each in sizes(plan("image", image(width, height)), ImageRecipe)] == widths


def test_beside_each_webp_stands_an_avif_of_its_size_but_for_animations():
    recipes = plan("image", image(4000, 3000))
    assert sizes(recipes, AvifRecipe) == sizes(recipes, ImageRecipe)
    assert len(recipes) == MOST_AT_ONCE
    assert len({each.name for each in recipes}) == len(recipes)
    assert sizes(plan("image", image(4000, 3000, frames=2)), AvifRecipe) == []


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_images_are_never_upscaled_and_always_fit(width: int, height: int):
    made = sizes(plan("image", image(width, height)), ImageRecipe)
    assert made
    assert all(
        w <= width and h <= max(height, 1) and 1 <= h <= MAX_WEBP_SIDE and w <= IMAGE_WIDTHS[-1] for w, h in made
    )
    assert len(made) == len(set(made))


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (1920, 1080, [(426, 240), (852, 480), (1280, 720)]),
        (720, 1280, [(240, 426), (480, 852), (720, 1280)]),
        (640, 360, [(426, 240), (640, 360)]),
        (321, 181, [(320, 180)]),
        (8000, 500, [(960, 60), (1920, 120), (2880, 180)]),
    ],
)
def test_video_ladder(width: int, height: int, expected: list[tuple[int, int]]):
    recipes = plan("video", film(width, height))
    assert sizes(recipes, VideoRecipe) == expected
    assert len(sizes(recipes, PosterRecipe)) == 1


@given(st.integers(2, 8000), st.integers(2, 8000))
def test_videos_are_even_and_never_upscaled(width: int, height: int):
    for w, h in sizes(plan("video", film(width, height)), VideoRecipe):
        assert w % 2 == h % 2 == 0
        assert w <= width and h <= height


def test_another_kind_or_an_empty_picture_is_refused():
    for probe in (Probe("audio", "audio/mp4"), Probe("video", "video/mp4")):
        with pytest.raises(ContentError) as refused:
            plan("video", probe)
        assert refused.value.code == "media-unreadable"


def test_recipe_digest_names_all_that_matters():
    first, second = plan("video", film(1280, 720))[:2]
    assert first.digest("ffmpeg-1") == plan("video", film(1280, 720))[0].digest("ffmpeg-1")
    assert first.digest("") != plan("video", film(1280, 720, gain_db=1.5))[0].digest("")
    assert len({first.digest("ffmpeg-1"), first.digest("ffmpeg-2"), second.digest("ffmpeg-1")}) == 3
    parameters = first.document()["parameters"]
    assert parameters["threads"] == 1
    assert parameters["key_frame_s"] == 2
    assert plan("image", image(100, 100))[0].digest("") != plan("image", image(100, 100, frames=2))[0].digest("")


def test_recipe_names_are_unique_per_original():
    for recipes in (plan("video", film(1280, 720)), plan("image", image(4000, 3000))):
        assert len({each.name for each in recipes}) == len(recipes)


def test_argv_confines_reading_and_fixes_the_output():
    argv = ffmpeg_argv(plan("video", film(1280, 720))[0], Path("/a/-i"), Path("/b/out"))
    before = argv[: argv.index("-i")]
    assert before[before.index("-protocol_whitelist") + 1] == "file,pipe"
    assert "hls" not in before[before.index("-format_whitelist") + 1].split(",")
    assert argv[argv.index("-i") + 1] == "file:/a/-i"
    assert before[before.index("-max_pixels") + 1] == str(MediaLimits().video_pixels)
    assert "file:/b/out" in argv
    for option, value in (
        ("-threads", "2"),
        ("-fflags", "+bitexact"),
        ("-movflags", "+faststart"),
        ("-map_metadata", "-1"),
    ):
        assert argv[argv.index(option) + 1] == value
    with pytest.raises(TypeError):
        ffmpeg_argv(plan("image", image(9, 9))[0], Path("/a"), Path("/b"))


def test_findings():
    assert [each.code for each in findings("m", film(3840, 2160), ("/x",))] == ["video-4k"]
    assert [each.code for each in findings("m", image(100, 100), ("/x",))] == ["image-small"]
    assert list(findings("m", film(1280, 720), ())) == []


@pytest.mark.parametrize(
    ("rate", "fps", "made"),
    [
        ("25", 25.0, "25"),
        ("30000/1001", 29.97, "30000/1001"),
        ("60", 60.0, "30"),
        ("60000/1001", 29.97, "30000/1001"),  # fields of an interlaced film
        ("60", 28.3, "30"),  # a changing rate
        ("1000", 24.0, "30"),
        ("1/10", 0.1, "1"),
        ("", 0.0, "25"),
        ("240", 240.0, "30"),
    ],
)
def test_rates(rate: str, fps: float, made: str):
    (recipe, *_) = plan("video", film(64, 64, rate=rate, fps=fps))
    assert isinstance(recipe, VideoRecipe)
    assert recipe.film.rate == made


def test_sounds_come_in_two_makes_of_the_same_level():
    aac, opus = plan("audio", Probe("audio", "audio/wav", channels=6, sound=1, gain_db=-3.5, limited=True))
    assert isinstance(aac, AudioRecipe) and isinstance(opus, OpusRecipe)
    assert aac.sound == opus.sound == Sound(1, 2, -3.5, True)
    assert (aac.kbps, opus.kbps) == (128, 96)
