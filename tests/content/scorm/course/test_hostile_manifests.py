"""Every odd and hostile document of the table comes out as the table says."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from content.scorm.findings import Findings, PackageRefused
from content.scorm.model import parse_course
from tests.content.scorm.course.reading import LIMITS, codes, read
from tests.content.scorm.hostile_manifests import CASES, Case
from tests.content.scorm.packages import zip_of


@pytest.fixture(autouse=True)
def nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise AssertionError("a package made the importer open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield


@pytest.mark.parametrize("name", CASES)
def test_it_comes_out_as_the_table_says(name: str) -> None:
    case = CASES[name]
    if case.accepted:
        course, found = read(dict(case.files))
        assert (course.edition, course.launches[0].href) == (case.edition, case.launch)
        assert codes(found) >= case.codes
        assert not found.errors
        assert parse_course(json.dumps(course.document())) == course
        _is_sound(course.document())
    else:
        with pytest.raises(PackageRefused) as refused:
            read(dict(case.files))
        assert {each.code for each in refused.value.errors} >= case.codes
        assert all(each.message.endswith((".", "…")) for each in refused.value.errors)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.accepted])
def test_the_same_package_gives_the_same_course_and_findings(name: str) -> None:
    first, second = read(dict(CASES[name].files)), read(dict(CASES[name].files))
    assert first[0] == second[0]
    assert first[1].all_warnings() == second[1].all_warnings()


def test_the_right_one_of_each_family_has_nothing_to_tell() -> None:
    for name in ("bom-utf8", "edition-0", "edition-3", "cmi5", "tincan", "aicc", "gb2312"):
        assert codes(read(dict(CASES[name].files))[1]) <= {"files-unlisted"}, name


def test_titles_in_other_letters_are_read_right() -> None:
    titles = {
        "gb2312": "课程一",
        "shift-jis": "日本語の講座",
        "big5": "課程介紹",
        "windows-1251": "Курс",
        "koi8-r": "Курс",
        "latin1": "Qualité",
        "latin1-declared-but-utf8": "Qualité",
        "cp1252-declared-as-utf8": "Qualité – “première”",
        "cp1252-without-declaration": "Qualité",
        "ampersand": "You & me",
        "html-entity": "Café 1",
        "control-characters": "AB",
        "control-character-as-number": "ABC",
        "cdata-title": "<b>A & B</b>",
        "title-with-script": "<script>alert(1)</script>",
        "title-with-markup": "A bold one",
        "title-turned-around": "Agpj.exe",
        "elements-in-upper-case": "A course",
    }
    assert {name: read(dict(CASES[name].files))[0].title for name in titles} == titles


def test_several_reasons_are_told_at_once() -> None:
    case = CASES["launch-javascript-second"]
    text = case.files["imsmanifest.xml"].replace(b'href="index.html"', b'href="data:text/html,x"')
    with pytest.raises(PackageRefused) as refused:
        read({**case.files, "imsmanifest.xml": text})
    assert [each.code for each in refused.value.errors] == ["launch-scheme", "launch-scheme"]
    assert "1 more" in refused.value.message


def test_a_manifest_that_is_too_large_is_refused_before_it_is_read() -> None:
    lines = "".join(f"<!-- {n * 7919 % 1_000_003} {n} -->\n" for n in range(1_100_000))
    package = zip_of({"imsmanifest.xml": lines.encode() + CASES["bom-utf8"].files["imsmanifest.xml"]})
    with pytest.raises(PackageRefused) as refused:
        read(package)
    assert len(lines) > 25_000_000 > LIMITS.manifest_bytes
    assert [each.code for each in refused.value.errors] == ["zip-file-size"]


def test_findings_are_bounded_however_many_there_are() -> None:
    case = CASES["file-missing"]
    files = b"".join(b'<file href="gone/%d.js"/>' % n for n in range(3000))
    text = case.files["imsmanifest.xml"].replace(b'<file href="x.js"/>', files)
    _, found = read({**case.files, "imsmanifest.xml": text})
    missing = [each for each in found.all_warnings() if each.code == "file-missing"]
    assert len(missing) == Findings().most + 1
    assert "2950 more" in missing[-1].message


def test_the_table_holds_what_it_promises() -> None:
    assert len(CASES) > 100
    assert sum(not case.accepted for case in CASES.values()) > 35
    assert all(isinstance(case, Case) for case in CASES.values())


def _is_sound(document: dict[str, Any]) -> None:
    """Nothing that leaves the package, and no character that acts."""
    for launch in document["launches"]:
        path = launch["href"].partition("?")[0].partition("#")[0]
        assert not path.startswith("/") and ":" not in path and ".." not in path.split("/")
    for text in (document["title"], *(launch["title"] for launch in document["launches"])):
        assert text and text == " ".join(text.split()) and text.isprintable()
