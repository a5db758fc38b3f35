"""The report: what it says of a course, and that reading one back believes nothing that could not have been written."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.errors import ContentError
from content.scorm.findings import MAX_TEXT, Finding, printable
from content.scorm.inspect import inspect_package
from content.scorm.limits import ImportLimits
from content.scorm.report import MAX_DEPTH, MAX_ITEMS, Report, parse_report, refused
from content.scorm.shown import as_path, is_path, is_shown, shown
from tests.content.scorm.packages import INDEX, manifest_12, package_files, zip_of


def report_of(**more: bytes | str) -> Report:
    return inspect_package(io.BytesIO(zip_of(package_files(**more))), ImportLimits()).report


def with_items(items: str, title: str = "A course") -> str:
    whole = manifest_12(title=title)
    begin, end = whole.index("<item "), whole.index("</organization>")
    return whole[:begin] + items + whole[end:]


def test_a_report_says_what_the_course_is():
    report = report_of()
    assert (report.accepted, report.edition, report.launch, report.items) == (True, "1.2", ("index.html",), 1)
    assert (report.title, report.errors, report.tool, report.sandbox) == ("A course", (), None, "")
    assert report.sizes is not None and (report.sizes.files, report.sizes.zip_bytes) == (
        2,
        len(zip_of(package_files())),
    )
    (tree,) = report.tree
    assert (tree.default, [each.href for each in tree.items]) == (True, ["index.html"])


def test_it_is_read_back_as_it_was():
    report = report_of(**{"a.html": "<script src='https://cdn.example.com/a.js'></script>", "b.swf": b"x"})
    assert report.offline and report.warnings
    assert parse_report(report.in_json()) == report
    assert (
        parse_report(refused(Finding("package-unreadable", "", "No.")).in_json()).errors[0].code == "package-unreadable"
    )


def test_it_has_the_members_that_are_promised():
    document = json.loads(report_of().in_json())
    assert {"accepted", "edition", "launch", "items", "warnings", "errors"} <= set(document)
    assert all(set(each) == {"code", "place", "message"} for each in document["warnings"])


def test_titles_are_shown_as_their_languages_write_them():
    titles = {
        "Qu’est-ce que c’est ?": "Qu’est-ce que c’est ?",
        "می‌خواهم": "می‌خواهم",
        "日本　語": "日本 語",
        "tab\tand\nline": "tab and line",
    }
    for title, expected in titles.items():
        assert report_of(**{"imsmanifest.xml": manifest_12(title=title)}).title == expected
    report = report_of(**{"imsmanifest.xml": manifest_12(title="a\u202eb\u2066c")})
    assert "\u202e" not in report.title and parse_report(report.in_json()) == report


def test_hrefs_stay_what_opens_the_file():
    name = "Ünï cödé　page.html"
    report = report_of(**{"imsmanifest.xml": manifest_12(href=name), name: INDEX})
    assert report.launch == (name,) and parse_report(report.in_json()).launch == (name,)


def test_a_large_tree_is_cut_and_counted():
    items = "".join(
        f'<item identifier="i{n}" identifierref="res_1"><title>{n}</title></item>' for n in range(MAX_ITEMS + 5)
    )
    report = report_of(**{"imsmanifest.xml": with_items(items)})
    assert (report.items, len(report.tree[0].items), len(report.launch)) == (MAX_ITEMS + 5, MAX_ITEMS, MAX_ITEMS)
    assert parse_report(report.in_json()) == report


def test_a_deep_tree_is_cut_and_can_be_read():
    deep = MAX_DEPTH + 20
    items = (
        "".join(f'<item identifier="i{n}" identifierref="res_1"><title>{n}</title>' for n in range(deep))
        + "</item>" * deep
    )
    report = report_of(**{"imsmanifest.xml": with_items(items)})
    assert report.items == deep and parse_report(report.in_json()) == report


LIES: dict[str, dict[str, Any]] = {
    "accepted with an error": {"errors": [{"code": "x", "place": "", "message": ""}]},
    "accepted without launch": {"launch": []},
    "accepted without edition": {"edition": None},
    "an edition of its own": {"edition": "2005"},
    "refused without reason": {"accepted": False},
    "accepted as a word": {"accepted": "yes"},
    "items as a text": {"items": "1"},
    "negative items": {"items": -1},
    "huge items": {"items": 1 << 80},
    "fewer items than are shown": {"items": 0},
    "a member more": {"more": 1},
    "a launch with a line": {"launch": ["a\nb"]},
    "a launch with an escape": {"launch": ["a\x9bb"]},
    "a launch too long": {"launch": ["a" * 9000]},
    "too many launches": {"launch": ["a"] * (MAX_ITEMS + 1)},
    "a title with an escape": {"title": "\x1b[2J"},
    "a title that turns": {"title": "\u202e"},
    "a title too long": {"title": "a" * (MAX_TEXT + 2)},
    "a tool with an escape": {"tool": {"name": "\x07", "version": ""}},
    "a tool with more": {"tool": {"name": "x", "version": "", "more": 1}},
    "a tree with an escape": {"tree": [{"identifier": "", "title": "\x1b", "default": True, "items": []}]},
    "a warning with an escape": {"warnings": [{"code": "x", "place": "", "message": "\x1b"}]},
    "a place with an escape": {"warnings": [{"code": "x", "place": "\x1b", "message": ""}]},
    "a code that is none": {"warnings": [{"code": "X y", "place": "", "message": ""}]},
    "too many warnings": {"warnings": [{"code": "x", "place": "", "message": ""}] * 10_001},
    "impossible sizes": {"sizes": {"zip_bytes": -1, "unpacked_bytes": 0, "files": 0}},
    "an offline finding with an escape": {"offline": [{"code": "x", "place": "", "message": "\x1b"}]},
}


@pytest.mark.parametrize("lie", LIES)
def test_what_could_not_have_been_written_is_not_read(lie: str):
    document = {**report_of().document(), **LIES[lie]}
    with pytest.raises(ContentError) as refusal:
        parse_report(json.dumps(document))
    assert refusal.value.code == "report-unreadable"


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b" " * (17 << 20)]
)
def test_what_is_no_report_is_not_read(data: bytes):
    with pytest.raises(ContentError) as refusal:
        parse_report(data)
    assert refusal.value.code == "report-unreadable"


def test_a_report_that_is_too_large_is_not_written():
    report = replace(report_of(), warnings=tuple(Finding("x", str(n), "y" * 500) for n in range(40_000)))
    with pytest.raises(ContentError) as refusal:
        report.in_json()
    assert refusal.value.code == "report-too-large"


@given(st.text(max_size=2000))
def test_whatever_is_shown_may_be_shown(text: str):
    told = shown(text)
    assert is_shown(told) and shown(told) == told and "\n" not in told
    assert is_shown(printable(text))
    assert is_path(as_path(text, 9000), 9000)
    if not set(text) & set(map(chr, (*range(32), *range(127, 160)))) and text.isprintable():
        assert as_path(text, 9000) == text


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_reading_names_what_it_refuses(data: bytes | str):
    with pytest.raises(ContentError):
        parse_report(data)
