"""The manifest of kind scorm: what is in it, and that whoever reads manifests makes something sensible of it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from content.canonical import canonical
from content.errors import ContentError
from content.media.choose import PROFILES
from content.packages import Manifest, Planner, compare, lite_variants, parse
from content.packages.changes import AssetChange
from content.packages.menu import Menu
from content.scorm.model import Item, Organization
from content.scorm.package import MOST_FILES, StoredFile, course_of, files_of
from tests.content.scorm.imported import FILES, SOURCE, TOLD, Told, course, manifest, stored


def test_round_trip():
    made = manifest()
    read = parse(made.to_bytes())
    assert read == made
    assert read.kind == "scorm"
    assert read.units == ()
    assert course_of(read) == course()
    assert files_of(read) == stored(FILES)


def test_same_inputs_same_bytes_in_whatever_order_files_came():
    turned = dict(reversed(FILES.items()))
    assert manifest(files=turned).to_bytes() == manifest().to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"tenant": "other"},
        {"package_id": "pkg_2"},
        {"source": replace(SOURCE, file_name="x.zip")},
        {"course": course(identifier="x")},
        {"files": {**FILES, "notes.txt": b"!"}},
        {"report": Told({})},
    ],
)
def test_every_input_is_in_it(change: dict[str, Any]):
    assert manifest(**change).digest != manifest().digest


def test_metadata_and_report():
    document = manifest().document
    assert document["metadata"] == {
        "title": {"de-CH": "Birds of prey"},
        "description": {"de-CH": "About birds."},
        "language": "de-CH",
        "languages": [{"tag": "de-CH", "direction": "ltr"}],
        "license": None,
        "authors": [],
        "keywords": ["owl"],
    }
    # Where it was read says nothing of the package, and would make another manifest of the same one.
    assert set(document["structure"]["report"]) == {"tool", "warnings", "offline"}
    assert document["structure"]["report"]["warnings"] == [TOLD.members["warnings"][0]]
    assert document["source"]["course_id"] == "birds"


@pytest.mark.parametrize(
    ("language", "kept", "direction"), [("", "und", "ltr"), ("x y", "und", "ltr"), ("ar", "ar", "rtl")]
)
def test_language(language: str, kept: str, direction: str):
    made = manifest(course(language=language))
    assert made.languages == (kept,)
    assert made.document["metadata"]["languages"][0]["direction"] == direction
    assert set(made.document["metadata"]["title"]) == {kept}


def test_a_package_without_a_title_is_called_after_what_there_is():
    bare = course(title="")
    assert manifest(bare).document["metadata"]["title"]["de-CH"] == "Birds"
    nameless = replace(bare, organizations=(Organization("o1", "", (Item("i1", "", "r1"),)),))
    assert manifest(nameless).document["metadata"]["title"]["de-CH"] == "Birds of prey"


def test_files_by_any_name_with_their_media_types():
    made = manifest()
    files = {file.asset: file for file in made.asset_files()}
    assert set(files) == set(FILES)
    assert files["sco 1/é/Über%20uns#1.html"].media_type == "text/html"
    assert files["shared/api.js"].media_type == "text/javascript"
    assert files["notes.txt"].size_bytes == 0
    assert made.size_bytes == sum(map(len, set(FILES.values())))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_gets_every_file(profile: str):
    made = manifest()
    assert made.files_for(profile) == made.asset_files()
    assert Menu.of(made, profile).carried(Planner(made, profile).choose(None)[0]) == made.asset_files()


def test_nothing_is_to_be_chosen_and_a_space_that_is_too_small_is_said_to_be():
    made = manifest()
    planner = Planner(made, "phone")
    assert planner.steps == ()
    assert lite_variants(made, planner.menu) == ()
    plan = planner.plan(10 << 20)
    assert (plan.units, plan.choices.plain, plan.bytes) == ((), True, plan.least_bytes)
    assert {each.state for each in plan.assets} == {"whole"}
    with pytest.raises(ContentError) as refused:
        planner.plan(10)
    assert refused.value.code == "space-too-small"


def test_changes_are_told_by_file():
    new = {path: data for path, data in FILES.items() if path != "notes.txt"}
    new |= {"shared/api.js": b"findAPI('API');", "new.css": b"p{}"}
    found = compare(manifest(), manifest(course(title="Birds"), new, version=2))
    assert found.metadata == ("title",)
    assert (found.units, found.blocks) == ((), ())
    assert found.assets == (
        AssetChange("new.css", "added", True, 0, 3),
        AssetChange("notes.txt", "removed", True, 0, 0),
        AssetChange("shared/api.js", "changed", True, 14, 15),
    )
    assert all(0 < each.update < each.whole for each in found.fetches)
    assert compare(manifest(), manifest()).same


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            {"files": {f"f{n}": StoredFile("sha256:" + "0" * 64, 1) for n in range(MOST_FILES + 1)}},
            "package-too-many-files",
        ),
        ({"course": course(description="é" * (17 << 20))}, "package-too-large"),
        ({"source": replace(SOURCE, imported_at="yesterday")}, "bad-time"),
    ],
)
def test_what_no_bundle_could_hold_is_refused(change: dict[str, Any], code: str):
    with pytest.raises(ContentError) as refused:
        manifest(**change)
    assert refused.value.code == code


def test_as_many_files_as_an_importer_takes_have_room():
    many = {
        f"content/lessons/lesson {n}/slides/slide-{n}.html": StoredFile(f"sha256:{n:064x}", n) for n in range(50_000)
    }
    made = manifest(files=many)
    assert len(made.to_bytes()) < 16 << 20
    assert len(parse(made.to_bytes()).files_for("phone")) == 50_000


def altered(**changes: Any) -> bytes:
    return canonical({**copy.deepcopy(dict(manifest().document)), **changes})


@pytest.mark.parametrize(
    "data",
    [
        altered(kind="course"),
        altered(kind="video"),
        altered(kind=None),
        altered(structure={"units": []}),
        altered(structure={}),
    ],
)
def test_no_manifest(data: bytes):
    with pytest.raises(ContentError) as refused:
        parse(data)
    assert refused.value.code == "manifest-invalid"


@pytest.mark.parametrize(
    "structure",
    [{"scorm": {}}, {"scorm": course().document() | {"edition": "1.3"}}, {"scorm": course().document() | {"x": 1}}],
)
def test_no_course(structure: dict[str, Any]):
    with pytest.raises(ContentError) as refused:
        course_of(Manifest({**manifest().document, "structure": structure}))
    assert refused.value.code == "manifest-invalid"
