"""Plans: never above the space, nested, one rendition per role, and the order in which things are taken away."""

from __future__ import annotations

import itertools
import os
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.bundles.delta import Kept
from content.bundles.index import media_class
from content.bundles.keys import ContentKey, content_key_id
from content.bundles.licence import PROFILE
from content.bundles.part import PartSealer
from content.bundles.stream import block_sizes, sealed_size
from content.canonical import derive_id, digest
from content.errors import ContentError
from content.media import Rendition, choose
from content.packages import AssetFile, Choices, Manifest, Plan, Planner, Variant
from content.packages.menu import Menu
from content.packages.plan import seconds
from content.packages.sealed_bytes import bundle_bytes
from content.packages.steps import LEFT_OUT


def picture(name: str, *sizes: tuple[int, int]) -> list[Rendition]:
    """A ladder of (width, bytes); half as high as wide."""
    return [
        Rendition("image", f"image-webp-{width}", "image/webp", digest(f"{name}{width}-{size}".encode()), size, None, width, width // 2)
        for width, size in sizes
    ]  # fmt: skip


def film(name: str, *sizes: tuple[int, int]) -> list[Rendition]:
    """A ladder of (height, bytes) with a poster."""
    poster = Rendition("poster", "poster-webp", "image/webp", digest(f"{name}-poster".encode()), 9_000, None, 320, 180)
    return [poster] + [
        Rendition(
            "video", f"video-h264-{side}p", "video/mp4", digest(f"{name}{side}-{size}".encode()), size, "avc1", side * 2, side, size // 10, 80.0
        )
        for side, size in sizes
    ]  # fmt: skip


def captions(name: str, size: int = 2_000) -> list[Rendition]:
    return [Rendition("captions", "captions-webvtt", "text/vtt", digest(f"{name}-words".encode()), size)]


def course(units: dict[str, list[str]], assets: dict[str, list[Rendition]], logo: str | None = None) -> Manifest:
    def block(asset: str) -> dict[str, Any]:
        kind = next(each.role for each in assets[asset] if each.role != "poster")
        found: dict[str, Any] = {"type": kind, "id": f"b-{asset}", "asset": asset}
        if f"{asset}-words" in assets:
            found["captions"] = [{"asset": f"{asset}-words", "language": "en", "kind": "captions"}]
        return found

    return Manifest(
        {
            "metadata": {"theme": {"logo": logo}},
            "structure": {
                "units": [
                    {"id": unit, "title": {"en": unit}, "blocks": [*map(block, named), {"type": "text", "id": f"t-{unit}"}]}
                    for unit, named in units.items()
                ]
            },
            "assets": {name: {"renditions": [each.as_dict() for each in found]} for name, found in assets.items()},
        }
    )  # fmt: skip


COURSE = course(
    {"one": ["a", "b"], "two": ["f"], "words": [], "three": ["c", "a"]},
    {
        "a": picture("a", (320, 10_000), (640, 30_000), (960, 60_000), (1920, 200_000)),
        "b": picture("b", (320, 9_000), (960, 500_000)),
        "c": picture("c", (320, 20_000)),
        "f": film("f", (240, 2_000_000), (480, 6_000_000), (720, 15_000_000)),
        "f-words": captions("f"),
        "logo": picture("logo", (320, 5_000)),
    },
    "logo",
)


def test_without_a_space_it_is_the_plain_profile():
    for profile in ("phone", "tablet", "desktop"):
        plan = Planner(COURSE, profile).plan()
        assert (plan.planned_profile, plan.steps, plan.choices.plain) == (profile, (), True)
        assert plan.files == COURSE.files_for(profile)
        assert {unit.state for unit in plan.units} == {"whole"}
        assert plan.bytes == plan.plain_bytes
    with pytest.raises(ContentError) as refused:
        Planner(COURSE, "watch")
    assert refused.value.code == "unknown-profile"


def test_a_space_for_all_of_it_changes_nothing():
    planner = Planner(COURSE, "tablet")
    whole = planner.plan()
    assert planner.plan(whole.bytes).planned_profile == "tablet"
    assert planner.plan(whole.bytes - 1).planned_profile != "tablet"


def test_the_size_is_that_of_the_bundle_to_the_byte():
    """Sealed as the bundler seals, with a real key."""
    plan = Planner(COURSE, "phone").plan()
    key = ContentKey(content_key_id("acme", "pkg_1", "phone", 1), os.urandom(32))
    sealer = PartSealer(key, f"{derive_id('sea', 'x')}/{os.urandom(8).hex()}/0.part")
    files = {file.digest: (file.size_bytes, media_class(file.media_type)) for file in plan.files}
    body = COURSE.to_bytes()
    for name, (size, media) in [(digest(body), (len(body), "manifest")), *sorted(files.items())]:
        file = sealer.begin(name, size, media)
        for length in block_sizes(size):
            file.seal(bytes(length))
        sealer.finish_file()
    part = sealer.part_entry()
    assert plan.bytes == part.size + len(Kept().joined(sealer.file_entries(), part).to_bytes())


def test_the_largest_saving_for_the_smallest_loss_goes_first():
    planner = Planner(COURSE, "tablet")  # widths to 1280, sides to 480
    told = [(step.kind, step.assets or step.units, step.before, step.after) for step in planner.steps]
    assert told == [
        ("reduce", ("f",), "video-h264-480p", "video-h264-240p"),
        ("reduce", ("b",), "image-webp-960", "image-webp-320"),
        ("reduce", ("a",), "image-webp-960", "image-webp-640"),
        ("reduce", ("a",), "image-webp-640", "image-webp-320"),
        ("leave-out", ("c",), None, None),
        ("leave-out", ("f", "f-words"), None, None),
        ("leave-out", ("a", "b"), None, None),
    ]  # fmt: skip
    first = planner.steps[0]
    assert first.saves_bytes == sealed_size(6_000_000) - sealed_size(2_000_000)
    assert first.loss == 2.0 * (1 - 0.25)
    assert first.units == ("two",)
    assert planner.steps[2].units == ("one", "three"), "a picture of both"
    assert planner.steps[-1].loss == LEFT_OUT


def test_units_go_last_and_from_the_end_and_keep_their_words_until_then():
    planner = Planner(COURSE, "phone")
    tight = planner.plan(planner.least_bytes + 400_000)
    assert [unit.state for unit in tight.units] == ["reduced", "left-out", "whole", "left-out"]
    roomy = planner.plan(planner.least_bytes + 2_500_000)
    assert [unit.state for unit in roomy.units] == ["reduced", "whole", "whole", "whole"]
    here = {(file.asset, file.role) for file in roomy.files}
    assert {("f", "video"), ("f", "poster"), ("f-words", "captions")} <= here
    assert not {name for name, _ in {(file.asset, file.role) for file in tight.files}} & {"f", "f-words", "c"}
    assert {"a", "logo"} <= {file.asset for file in tight.files}, "what another unit shows, and the logo, stay"


def test_the_smallest_is_named_when_nothing_fits():
    planner = Planner(COURSE, "phone")
    smallest = planner.plan(planner.least_bytes)
    assert [file.asset for file in smallest.files] == ["logo"]
    assert [unit.state for unit in smallest.units] == ["left-out", "left-out", "whole", "left-out"]
    with pytest.raises(ContentError) as refused:
        planner.plan(planner.least_bytes - 1)
    assert refused.value.code == "space-too-small"
    assert f"{planner.least_bytes:,} bytes" in refused.value.remedy


def test_what_two_assets_share_is_counted_once_and_goes_down_together():
    same = picture("same", (320, 10_000), (960, 90_000))
    twice = course({"one": ["x"], "two": ["y"]}, {"x": same, "y": same})
    planner = Planner(twice, "phone")
    plan = planner.plan()
    assert [unit.bytes for unit in plan.units] == [sealed_size(90_000), 0]
    assert planner.steps[0].assets == ("x", "y")
    assert planner.steps[0].saves_bytes == sealed_size(90_000) - sealed_size(10_000)
    assert [step.saves_bytes for step in planner.steps[1:]] == [0, sealed_size(10_000)]
    reduced = planner.plan(plan.bytes - 1)
    assert {unit.state for unit in reduced.units} == {"reduced"}
    assert len({file.digest for file in reduced.files}) == 1


def test_a_unit_whose_files_others_show_is_not_called_left_out():
    """The last unit went before the one that must go, and nothing of it is missed."""
    small, large = picture("small", (320, 1_000)), picture("large", (320, 900_000))
    shared = course({"one": ["s"], "two": ["l"], "three": ["s"]}, {"s": small, "l": large})
    planner = Planner(shared, "phone")
    plan = planner.plan(planner.plan().bytes - 1)
    assert [unit.state for unit in plan.units] == ["whole", "left-out", "whole"]
    assert plan.choices.left_out == {"two"}
    assert [step.units for step in plan.steps] == [("two",)]


def test_a_lighter_variant_takes_the_place_of_a_unit_before_the_unit_goes():
    stills = AssetFile("f", "image", "image/webp", digest(b"stills"), 40_000)
    lite = Variant("two", "lite", (stills,), loss=3.0)
    planner = Planner(COURSE, "phone", [lite])
    assert [(step.kind, step.after) for step in planner.steps[:1]] == [("variant", "lite")]
    plan = planner.plan(planner.plan().bytes - 1)
    assert [unit.state for unit in plan.units] == ["whole", "variant", "whole", "whole"]
    assert stills in plan.files
    assert "f" not in {file.asset for file in plan.files if file is not stills}
    assert plan.units[1].bytes == sealed_size(40_000)
    assert Choices.from_document(plan.choices.document()) == plan.choices
    gone = planner.plan(planner.least_bytes)
    assert gone.choices.variants == {}
    assert stills not in gone.files


def test_the_name_follows_from_the_choices_alone():
    planner = Planner(COURSE, "phone")
    plans = {
        (plan := planner.plan(space)).planned_profile: plan
        for space in range(planner.least_bytes, planner.plan().bytes, 5_000)
    }
    assert len(plans) >= 5
    for name, plan in plans.items():
        assert re.fullmatch(r"phone-p[a-z2-7]{10}", name)
        assert PROFILE.fullmatch(name)
        assert name == f"phone-p{plan.choices.id}"
    other = dict(COURSE.document)
    other["assets"] = {
        **COURSE.document["assets"],
        "b": {"renditions": [each.as_dict() for each in picture("new b", (320, 9_001), (960, 500_001))]},
    }
    changed = Planner(Manifest(other), "phone")
    space = planner.plan().bytes - 300_000
    assert changed.plan(space).planned_profile == planner.plan(space).planned_profile, (
        "a changed picture, the same choices"
    )


def test_seconds_are_rounded_up():
    assert seconds(200_000_000, 10_000_000) == 160
    assert seconds(1, 10_000_000) == 1


@st.composite
def courses(draw: st.DrawFn) -> Manifest:
    names = [f"a{number}" for number in range(draw(st.integers(0, 7)))]
    assets: dict[str, list[Rendition]] = {}
    for name in names:
        sizes = draw(
            st.lists(st.sampled_from([1, 900, 20_000, 300_000]) | st.integers(1, 3_000_000), min_size=1, max_size=4)
        )
        source = draw(st.sampled_from([name, "same"]))
        if draw(st.booleans()):
            assets[name] = picture(source, *zip((320, 640, 960, 1280), sizes, strict=False))
        else:
            assets[name] = film(source, *zip((240, 480, 720, 1080), sizes, strict=False))
    units = {
        f"u{number}": draw(st.lists(st.sampled_from(names), max_size=4, unique=True)) if names else []
        for number in range(draw(st.integers(1, 5)))
    }
    return course(units, assets, draw(st.sampled_from([None, *names])))


@given(
    courses(),
    st.sampled_from(["phone", "tablet", "desktop"]),
    st.lists(st.integers(0, 12_000_000), min_size=2, max_size=6),
)
def test_plans_fit_are_nested_and_whole(manifest: Manifest, profile: str, spaces: list[int]) -> None:
    planner, size = Planner(manifest, profile), len(manifest.to_bytes())
    smallest = planner.least_bytes
    plans: list[Plan] = []
    for space in sorted({*spaces, smallest, planner.plan().bytes}):
        if space < smallest:
            with pytest.raises(ContentError):
                planner.plan(space)
            continue
        plan = planner.plan(space)
        assert plan == Planner(manifest, profile).plan(space)
        assert planner.choose(space) == (plan.choices, plan.bytes)
        assert plan.bytes == bundle_bytes(size, plan.files) <= space
        assert Menu.of(manifest, profile).carried(Choices.from_document(plan.choices.document())) == plan.files
        assert sum(unit.bytes for unit in plan.units) <= plan.bytes
        _consistent(manifest, profile, plan)
        plans.append(plan)
    order = ["left-out", "reduced", "whole"]
    for less, more in itertools.pairwise(plans):
        assert less.bytes <= more.bytes
        taken = [[step for step in each.steps if step.kind == "reduce"] for each in (more, less)]
        assert taken[0] == taken[1][: len(taken[0])]
        there = {(file.asset, file.role): file.size_bytes for file in more.files}
        for file in less.files:
            assert there[file.asset, file.role] >= file.size_bytes, "more space gave less"
        for one, other in zip(less.assets, more.assets, strict=True):
            assert order.index(one.state) <= order.index(other.state)


def _consistent(manifest: Manifest, profile: str, plan: Plan) -> None:
    roles = [(file.asset, file.role) for file in plan.files]
    assert len(roles) == len(set(roles)), "two renditions of one"
    here = {asset for asset, _ in roles}
    assets = Menu.of(manifest, profile).units
    for unit in plan.units:
        assert (unit.state == "left-out") == bool(set(assets[unit.id]) - here)
        if unit.state == "whole":
            plain = {(asset, each.role): each.digest for asset in assets[unit.id] for each in choose(manifest.renditions(asset), profile)}  # fmt: skip
            assert plain.items() <= {(file.asset, file.role): file.digest for file in plan.files}.items()
    for asset in here:  # poster and film come together
        assert {each.role for each in choose(manifest.renditions(asset), profile)} == {
            r for a, r in roles if a == asset
        }


def test_no_picture_is_small_while_others_are_large():
    sizes = (320, 3_000), (640, 10_000), (960, 20_000)
    names = ["p0", "p1", "p2"]
    planner = Planner(course({"one": names}, {name: picture(name, *sizes) for name in names}), "phone")
    assert [(step.assets[0], step.after) for step in planner.steps if step.kind == "reduce"] == [
        *((name, "image-webp-640") for name in names),
        *((name, "image-webp-320") for name in names),
    ]
