from __future__ import annotations

import json
from typing import Any

import pytest

from content.drafts import parse as parse_draft
from content.errors import ContentError
from content.exports import Options
from content.exports.course import make_course
from content.exports.export_course import activity
from tests.content.exports.examples import ASSETS, asset, draft, manifest, ordered, quiz, rendition, text


def made(document: dict[str, Any] | None = None, **options: Any):
    return make_course(manifest(document), Options("html", **options))


def blocks(course: Any) -> dict[str, dict[str, Any]]:
    return {block["id"]: block for unit in course.units for block in unit["blocks"]}


def tags(value: Any, found: set[str] | None = None) -> set[str]:
    """Every key that is one of the example's languages, wherever it stands."""
    found = set() if found is None else found
    if isinstance(value, dict):
        found |= set(value) & {"en", "ar"}
        for each in value.values():
            tags(each, found)
    elif isinstance(value, list):
        for each in value:
            tags(each, found)
    return found


def test_all_languages_are_the_course_as_it_is():
    course, given = made(), manifest().document
    assert course.metadata == given["metadata"]
    assert [unit["title"] for unit in course.units] == [unit["title"] for unit in given["structure"]["units"]]
    assert [block for block in given["structure"]["units"][0]["blocks"] if block["type"] != "assistant"] == list(
        course.units[0]["blocks"]
    )


@pytest.mark.parametrize("language", ["en", "ar"])
def test_one_language_is_left_everywhere(language: str):
    course = made(languages=(language,))
    assert tags([course.metadata, course.units]) == {language}
    assert course.metadata["languages"] == [{"tag": language, "direction": {"en": "ltr", "ar": "rtl"}[language]}]
    assert (course.language, course.direction) == (language, {"en": "ltr", "ar": "rtl"}[language])
    assert [track["language"] for track in blocks(course)["v1"]["captions"]] == [language]
    assert "words-en" not in course.document["assets"] or language == "en"


def test_the_first_language_asked_for_comes_first():
    course = made(languages=("ar", "en"))
    assert course.language == "ar"
    assert list(blocks(course)["t1"]["html"]) == ["ar", "en"]
    assert blocks(course)["q1"]["questions"][4]["answers"] == {"ar": ["باريس"], "en": ["Paris"]}


def test_a_language_the_course_lacks():
    with pytest.raises(ContentError) as caught:
        made(languages=("ar", "fr"))
    assert caught.value.code == "export-language"
    assert "“fr”" in caught.value.message
    assert "“en”, “ar”" in caught.value.remedy


def test_what_is_not_translated_stays_and_is_told():
    document = draft()
    document["units"][0]["title"] = {"en": "First"}
    course = made(document, languages=("ar",))
    assert course.units[0]["title"] == {"en": "First"}
    assert [(each.code, each.severity) for each in course.findings] == [
        ("export-block-left-out", "warning"),
        ("export-untranslated", "warning"),
    ]
    assert course.findings[1].message.startswith("1 texts")


def test_ids_that_look_like_languages_stay():
    document = draft()
    document["units"][0]["blocks"] = [text("ar")]
    document["units"][0]["id"] = "id"
    course = made(document, languages=("en",))
    assert course.units[0]["id"] == "id"
    assert course.units[0]["blocks"][0]["id"] == "ar"


def test_helpers_are_left_out_and_told():
    course = made()
    assert "s1" not in blocks(course)
    assert [(each.pointer, each.code) for each in course.findings] == [
        ("/structure/units/0/blocks/3", "export-block-left-out")
    ]


def test_completion_does_not_ask_for_what_is_left_out():
    named = {"rule": "blocks", "blocks": ["t1", "s1"]}
    assert made(draft(completion=named)).metadata["completion"] == {"rule": "blocks", "blocks": ["t1"]}
    helper = {"rule": "blocks", "blocks": ["s1"]}
    assert made(draft(completion=helper)).metadata["completion"] == {"rule": "all"}


@pytest.mark.parametrize(
    ("completion", "asked", "mastery"),
    [
        ({"rule": "all"}, None, 0.8),
        ({"rule": "all"}, 0.5, 0.5),
        ({"rule": "score", "mastery": 0.6}, None, 0.6),
        ({"rule": "score", "mastery": 0.6}, 0.9, 0.9),
        ({"rule": "score", "mastery": 0.6}, 0, 0),
    ],
)
def test_mastery(completion: dict[str, Any], asked: float | None, mastery: float):
    course = made(draft(completion=completion), mastery=asked)
    assert course.mastery == mastery
    if completion["rule"] == "score":
        assert course.metadata["completion"]["mastery"] == mastery


@pytest.mark.parametrize(
    ("profile", "widths", "side"),
    [
        ("phone", [320, 640, 960], 240),
        ("tablet", [320, 640, 960, 1280], 480),
        ("desktop", [320, 640, 960, 1280, 1920], 720),
    ],
)
def test_profile(profile: str, widths: list[int], side: int):
    assets = made(profile=profile).document["assets"]
    assert [each["width"] for each in assets["picture"]["renditions"]] == widths
    film = {each["role"]: each for each in assets["film"]["renditions"]}
    assert (film["video"]["height"], film["video"]["duration_s"]) == (side, 61.5)
    assert film["poster"]["width"] == 640
    assert [each["media_type"] for each in assets["sound"]["renditions"]] == ["audio/mp4"]


def test_without_films():
    course = made(video=False)
    assert [each["role"] for each in course.document["assets"]["film"]["renditions"]] == ["poster"]
    assert blocks(course)["v1"]["captions"]
    assert not any(path.endswith(".mp4") for path in course.media)
    assert any(path.endswith(".m4a") for path in course.media)


def test_in_the_place_of_films_their_sound_and_the_stills_of_their_scenes():
    lite = asset(
        *ASSETS["film"].renditions,
        rendition("audio", "audio/mp4", "film-speech", duration_s=61.5),
        *(rendition("still", "image/webp", f"film-still-{at}", width=320, height=180, at_s=at) for at in (0.0, 20.0)),
    )
    assets = {each.asset: ASSETS[each.asset] for each in parse_draft(draft()).originals()} | {"film": lite}
    for video, roles in ((True, {"video", "poster"}), (False, {"audio", "poster", "still"})):
        course = make_course(manifest(assets=assets), Options("html", video=video))
        found = course.document["assets"]["film"]["renditions"]
        assert {each["role"] for each in found} == roles
        assert [each["at_s"] for each in found if each["role"] == "still"] == ([] if video else [0.0, 20.0])


def test_a_film_that_leaves_nothing_behind_is_told():
    document = draft()
    del document["units"][0]["blocks"][2]["captions"]
    codes = [each.code for each in made(document, video=False).findings]
    assert codes == ["export-block-left-out", "export-film-without-text"]
    assert len(made(document).findings) == 1


def test_media_are_what_the_document_names():
    course = made()
    named = {
        (each["path"], each["digest"], each["size_bytes"])
        for asset in course.document["assets"].values()
        for each in asset["renditions"]
    }
    assert named == {(path, stored.digest, stored.size_bytes) for path, stored in course.media.items()}
    for path, stored in course.media.items():
        assert path.startswith(f"media/{stored.digest[7:31]}.")
    assert course.document["assets"]["logo"]["renditions"][0]["path"].endswith(".svg")


def test_unused_assets_are_not_taken():
    document = draft()
    document["units"][0]["blocks"] = [text("t1")]
    assert "film" not in made(document).document["assets"]


def test_script():
    data = made().to_script()
    assert data.startswith(b"globalThis.course = {")
    assert data.endswith(b"};\n")
    assert json.loads(data[len(b"globalThis.course = ") : -2]) == made().document


def test_activities_are_stable_iris():
    assert activity("p") == activity("p")
    assert len({activity("p"), activity("q"), activity("p", "au"), activity("p", "au/x")}) == 4
    assert activity("p").startswith("urn:uuid:")


def test_tests_have_marks_of_their_own_only_where_units_are_launched():
    document = ordered(posttest={"unit": "post", "mastery": 0.7})
    units = make_course(manifest(document), Options("cmi5", packaging="unit")).document["tracking"]["units"]
    assert units == {"post": {"report": "passed-failed", "mastery": 0.7}}
    assert "units" not in make_course(manifest(document), Options("cmi5")).document["tracking"]
    assert make_course(manifest(document), Options("cmi5")).sequencing == {
        "order": "free",
        "posttest": {"unit": "post", "mastery": 0.7},
    }
    assert (
        "units"
        not in make_course(
            manifest(draft(units=[{"id": "u", "title": {"en": "u"}, "blocks": [quiz("q")]}])),
            Options("cmi5", packaging="unit"),
        ).document["tracking"]
    )


def test_each_width_in_every_type_that_was_made_of_it(monkeypatch: pytest.MonkeyPatch):
    webp, avif = (rendition("image", f"image/{name}", f"two-{name}", width=640, height=9) for name in ("webp", "avif"))
    monkeypatch.setitem(ASSETS, "picture", asset(webp, avif))
    found = made(profile="phone").document["assets"]["picture"]["renditions"]
    assert [(each["media_type"], each["path"][-5:]) for each in found] == [
        ("image/avif", ".avif"),
        ("image/webp", ".webp"),
    ]


def test_a_picture_wider_than_the_profile_is_better_than_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(ASSETS, "picture", asset(rendition("image", "image/webp", "wide", width=5000, height=9)))
    assert [each["width"] for each in made(profile="phone").document["assets"]["picture"]["renditions"]] == [5000]
