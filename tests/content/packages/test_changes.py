"""What changed between two versions: named once, by the author's ids, with the bytes that a device will fetch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.bundles.stream import sealed_size
from content.canonical import digest
from content.packages import Manifest, compare
from content.packages.changes import AssetChange, BlockChange, UnitChange

Document = dict[str, Any]


def rendition(name: str, size: int = 100, role: str = "image") -> Document:
    return {
        "role": role, "recipe": f"{role}-webp-320", "media_type": "image/webp", "digest": digest(name.encode()),
        "size_bytes": size, "width": 320, "height": 200,
    }  # fmt: skip


def document(units: dict[str, list[str]] | None = None) -> Document:
    units = units if units is not None else {"one": ["a", "b", "c"], "two": ["d"]}
    return {
        "type": "manifest", "shape": 1, "tenant": "acme", "package_id": "pkg_x", "version": 1, "source": {}, "inputs": {},
        "toolchain": "t", "metadata": {"title": {"en": "T"}, "languages": [{"tag": "en", "direction": "ltr"}]},
        "structure": {
            "units": [
                {"id": unit, "title": {"en": unit}, "blocks": [{"type": "text", "id": name, "html": {"en": name}} for name in names]}
                for unit, names in units.items()
            ]
        },
        "assets": {
            "cat": {"kind": "image", "source": {"digest": digest(b"cat"), "size_bytes": 9}, "renditions": [rendition("cat", 1000)]},
            "dog": {"kind": "image", "source": {"digest": digest(b"dog"), "size_bytes": 9}, "renditions": [rendition("dog", 2000)]},
        },
    }  # fmt: skip


def changed(edit: Callable[[Document], object]) -> tuple[Manifest, Manifest]:
    old = document()
    new = copy.deepcopy(old)
    edit(new)
    return Manifest(old), Manifest(new)


def units(course: Document) -> list[Document]:
    return course["structure"]["units"]


def test_the_same_version_is_the_same_and_costs_nothing() -> None:
    found = compare(*changed(lambda course: None))
    assert found.same
    assert [(fetch.profile, fetch.update) for fetch in found.fetches] == [("phone", 0), ("tablet", 0), ("desktop", 0)]


def test_a_later_version_of_the_same_costs_its_manifest() -> None:
    old, new = changed(lambda course: course.update(version=2))
    found = compare(old, new)
    assert found.same
    assert {fetch.update for fetch in found.fetches} == {sealed_size(len(new.to_bytes()))}


def test_blocks_and_units_are_added_removed_and_changed() -> None:
    def edit(course: Document) -> None:
        one, two = units(course)
        one["blocks"][0]["html"]["en"] = "A"
        del one["blocks"][1]
        two["blocks"].append({"type": "file", "id": "e", "asset": "cat"})
        two["title"]["en"] = "Two"
        units(course).append({"id": "three", "title": {"en": "3"}, "blocks": []})
        course["metadata"]["theme"] = {"text": "#000"}

    found = compare(*changed(edit))
    assert found.metadata == ("theme",)
    assert found.units == (UnitChange("two", "changed", ("title",)), UnitChange("three", "added"))
    assert found.blocks == (
        BlockChange("b", "one", "text", "removed"),
        BlockChange("a", "one", "text", "changed", ("html",)),
        BlockChange("e", "two", "file", "added"),
    )
    back = compare(*reversed(changed(edit)))
    assert back.units == (UnitChange("three", "removed"), UnitChange("two", "changed", ("title",)))
    assert {(each.id, each.change) for each in back.blocks} == {("e", "removed"), ("a", "changed"), ("b", "added")}


def test_a_block_that_went_to_another_unit_says_so_and_nothing_else_moved() -> None:
    def edit(course: Document) -> None:
        one, two = units(course)
        two["blocks"].insert(0, one["blocks"].pop(1))

    assert compare(*changed(edit)).blocks == (BlockChange("b", "two", "text", "moved", ("unit",)),)


def test_one_block_moved_is_one_move() -> None:
    def edit(course: Document) -> None:
        blocks = units(course)[0]["blocks"]
        blocks.append(blocks.pop(0))

    assert compare(*changed(edit)).blocks == (BlockChange("a", "one", "text", "moved"),)


def test_an_asset_says_whether_it_is_another_file_or_only_made_otherwise() -> None:
    def edit(course: Document) -> None:
        assets = course["assets"]
        assets["cat"] |= {
            "source": {"digest": digest(b"tiger"), "size_bytes": 9},
            "renditions": [rendition("tiger", 1500)],
        }
        assets["dog"]["renditions"] = [rendition("dog again", 1900)]
        assets["cow"] = {"kind": "image", "source": {}, "renditions": [rendition("cow", 10)]}

    old, new = changed(edit)
    found = compare(old, new)
    assert found.assets == (
        AssetChange("cat", "changed", True, 1000, 1500),
        AssetChange("cow", "added", True, 0, 10),
        AssetChange("dog", "changed", False, 2000, 1900),
    )
    manifest, files = sealed_size(len(new.to_bytes())), sum(map(sealed_size, (1500, 1900, 10)))
    assert {(fetch.update, fetch.whole) for fetch in found.fetches} == {(manifest + files, manifest + files)}


def test_what_is_held_already_is_not_fetched_under_another_name() -> None:
    def edit(course: Document) -> None:
        course["assets"]["copy"] = copy.deepcopy(course["assets"]["cat"])

    old, new = changed(edit)
    assert {fetch.update for fetch in compare(old, new).fetches} == {sealed_size(len(new.to_bytes()))}


ORDERS = st.permutations(["a", "b", "c", "d", "e", "f"])


@given(before=ORDERS, after=ORDERS)
def test_whatever_the_order_what_did_not_move_is_in_the_old_order_and_no_more_could_be(
    before: list[str], after: list[str]
) -> None:
    found = compare(Manifest(document({"u": before})), Manifest(document({"u": after})))
    moved = {block.id for block in found.blocks}
    assert {block.change for block in found.blocks} <= {"moved"}
    assert [name for name in before if name not in moved] == [name for name in after if name not in moved]
    assert len(before) - len(moved) == longest(before, after)


def longest(before: list[str], after: list[str]) -> int:
    """Of a common subsequence, by the textbook's table."""
    table = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, left in enumerate(before):
        for j, right in enumerate(after):
            table[i + 1][j + 1] = table[i][j] + 1 if left == right else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@pytest.mark.parametrize("count", [5000])
def test_a_long_course_turned_around_is_compared_at_once(count: int) -> None:
    names = [str(number) for number in range(count)]
    found = compare(Manifest(document({"u": names})), Manifest(document({"u": names[::-1]})))
    assert len(found.blocks) == count - 1
