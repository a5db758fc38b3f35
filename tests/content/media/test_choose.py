from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.errors import ContentError
from content.media import Rendition, choose, worth_keeping


def rendition(role: str, width: int | None = None, height: int | None = None, size: int = 1) -> Rendition:
    name = f"{role}-{width}x{height}"
    return Rendition(role, name, "x/y", f"sha256:{name}", size, width=width, height=height)


IMAGES = [rendition("image", width, width) for width in (320, 640, 960, 1280, 1920)]
FILM = [rendition("video", 426, 240), rendition("video", 852, 480), rendition("video", 1280, 720)]
POSTER = rendition("poster", 960, 540)


@pytest.mark.parametrize(
    ("profile", "width", "height"), [("phone", 960, 240), ("tablet", 1280, 480), ("desktop", 1920, 720)]
)
def test_profiles(profile: str, width: int, height: int):
    assert [each.width for each in choose(IMAGES, profile)] == [width]
    poster, film = choose([*FILM, POSTER], profile)
    assert (poster.role, film.height) == ("poster", height)


def test_upright_films_are_judged_by_their_shorter_side():
    assert choose([rendition("video", 240, 426), rendition("video", 480, 852)], "phone")[0].width == 240


def test_the_smallest_if_none_is_small_enough():
    assert choose([rendition("image", 1500, 9), rendition("image", 1200, 9)], "phone")[0].width == 1200


def test_sound_and_captions_have_no_size():
    assert len(choose([rendition("audio"), rendition("captions")], "phone")) == 2


def picture(form: str, width: int, size: int) -> Rendition:
    return Rendition(
        "image", f"image-{form}-{width}", f"image/{form}", f"sha256:{form}{width}", size, width=width, height=9
    )


def test_a_bundle_carries_the_picture_that_every_player_shows():
    both = [picture("webp", 320, 100), picture("webp", 640, 200), picture("avif", 320, 50), picture("avif", 640, 90)]
    for profile in ("phone", "tablet", "desktop"):
        assert [each.recipe for each in choose(both, profile)] == ["image-webp-640"]


def test_avif_is_kept_where_it_is_smaller_than_the_webp_of_its_width():
    webp = [picture("webp", 320, 100), picture("webp", 640, 200)]
    avif = [picture("avif", 320, 100), picture("avif", 640, 199)]
    other = [rendition("video", 426, 240)]
    assert worth_keeping([*webp, *avif, *other]) == (*webp, avif[1], *other)
    assert worth_keeping(webp) == tuple(webp)


def test_unknown_profile():
    with pytest.raises(ContentError) as refused:
        choose(IMAGES, "watch")
    assert refused.value.code == "unknown-profile"


@given(st.permutations([*IMAGES, *FILM, POSTER]), st.sampled_from(["phone", "tablet", "desktop"]))
def test_one_per_role_whatever_the_order(renditions: list[Rendition], profile: str):
    assert choose(renditions, profile) == choose([*IMAGES, *FILM, POSTER], profile)


def test_rendition_json_round_trip():
    first = rendition("video", 426, 240)
    assert "codecs" not in first.as_dict()
    assert Rendition.from_dict({**first.as_dict(), "later": 1}) == first
