"""The lite edition: what it holds, and that the planner takes it before a unit has to go."""

from __future__ import annotations

import pytest

from content.canonical import digest
from content.media import Rendition
from content.packages import Choices, Manifest, Planner, lite_variants
from content.packages.menu import Menu
from content.packages.steps import LEFT_OUT
from tests.content.packages.test_space import captions, course, picture
from tests.content.packages.test_space import film as plain_film


def film(name: str, *sizes: tuple[int, int]) -> list[Rendition]:
    """A film with three stills and its sound."""
    stills = [
        Rendition("still", f"still-webp-0{n}", "image/webp", digest(f"{name}-still-{n}".encode()), 8_000, None, 480, 270, at_s=n * 9.0)
        for n in (1, 2, 3)
    ]  # fmt: skip
    speech = Rendition("audio", "audio-aac-speech", "audio/mp4", digest(f"{name}-speech".encode()), 90_000)
    return [*plain_film(name, *sizes), *stills, speech]


LONG = film("long", (240, 3_000_000), (480, 9_000_000), (720, 20_000_000))
PICTURE = picture("pic", (320, 10_000), (960, 60_000), (1920, 200_000))


@pytest.fixture
def manifest() -> Manifest:
    return course(
        {"one": ["pic"], "two": ["long", "pic"], "three": ["short"]},
        {"pic": PICTURE, "long": LONG, "long-words": captions("long"), "short": plain_film("short", (240, 500_000))},
    )


def test_it_holds_what_stands_in_for_the_film_and_the_rest_as_for_a_phone(manifest: Manifest):
    for profile in ("phone", "desktop"):
        (variant,) = lite_variants(manifest, Menu.of(manifest, profile))
        assert (variant.unit, variant.name) == ("two", "lite")
        assert sorted((file.asset, file.role, file.size_bytes) for file in variant.files) == [
            ("long", "audio", 90_000),
            ("long", "poster", 9_000),
            ("long", "still", 8_000),
            ("long", "still", 8_000),
            ("long", "still", 8_000),
            ("long-words", "captions", 2_000),
            ("pic", "image", 60_000),
        ]
        assert variant.loss < LEFT_OUT


def test_a_plain_bundle_has_none_of_it(manifest: Manifest):
    for profile in ("phone", "tablet", "desktop"):
        assert not {file.role for file in manifest.files_for(profile)} & {"still", "audio"}
    assert {file.role for file in manifest.asset_files()} >= {"still", "audio"}, "but the version has it"


def test_a_device_without_room_for_the_film_gets_it_before_the_unit_goes(manifest: Manifest):
    planner = Planner(manifest, "desktop")
    kinds = [step.kind for step in planner.steps]
    assert kinds.index("variant") < kinds.index("leave-out")
    assert "reduce" in kinds[: kinds.index("variant")], "a smaller film comes first"
    plan = planner.plan(1_000_000)
    assert [unit.state for unit in plan.units] == ["whole", "variant", "whole"]
    assert plan.bytes <= 1_000_000
    assert {file.role for file in plan.files if file.asset == "long"} == {"poster", "still", "audio"}
    assert plan.choices.variants == {"two": "lite"}
    told = {each.asset: each for each in plan.assets}
    assert {asset: each.state for asset, each in told.items()} == {
        "long": "reduced", "long-words": "reduced", "pic": told["pic"].state, "short": "whole",
    }  # fmt: skip
    assert {file.digest for each in plan.assets for file in each.files} == {file.digest for file in plan.files}
    assert len(told["pic"].files) == len(set(told["pic"].files))
    # What a bundler packs is made anew from the choices alone.
    menu = Menu.of(manifest, "desktop")
    choices = Choices.from_document(plan.choices.document())
    packed = menu.carried(choices, lite_variants(manifest, menu))
    assert sorted(packed, key=str) == sorted(plan.files, key=str)


def test_with_room_nothing_changes(manifest: Manifest):
    assert Planner(manifest, "phone").plan(10_000_000).choices.plain


def test_more_films_weigh_more_but_never_as_much_as_the_unit():
    films = {f"f{n}": film(f"f{n}", (240, 3_000_000)) for n in range(5)}
    many = course({"one": ["f0"], "two": ["f1", "f2"], "three": ["f3", "f4", "f0"]}, films)
    losses = [each.loss for each in lite_variants(many, Menu.of(many, "phone"))]
    assert losses == sorted(losses)
    assert losses[0] < losses[1] <= losses[2] < LEFT_OUT
