"""What a manifest writes in place of a path, and which file is meant."""

from __future__ import annotations

import pytest

from content.scorm.archive import Found
from content.scorm.archive.lookup import MAX_HREF
from tests.content.scorm.packages import Raw, opened, raw_package, raw_zip, zip_of

FILES = [
    "Media/My Film.mp4",
    "Media/100%25.html",
    "Media/a+b.html",
    "café.html",
    "страница/Урок.html",
    "a/b/c.html",
]


@pytest.fixture(scope="module")
def archive():
    return opened(zip_of(dict.fromkeys(("imsmanifest.xml", *FILES), b"x")))


@pytest.mark.parametrize(
    ("href", "path", "how"),
    [
        ("Media/My Film.mp4", "Media/My Film.mp4", "exact"),
        ("Media/100%25.html", "Media/100%25.html", "exact"),
        ("Media/My%20Film.mp4", "Media/My Film.mp4", "decoded"),
        ("Media/100%2525.html", "Media/100%25.html", "decoded"),
        ("Media%2FMy%20Film.mp4", "Media/My Film.mp4", "decoded"),
        ("Media/a%2Bb.html", "Media/a+b.html", "decoded"),
        ("%D1%81%D1%82%D1%80%D0%B0%D0%BD%D0%B8%D1%86%D0%B0/%D0%A3%D1%80%D0%BE%D0%BA.html", "страница/Урок.html", "decoded"),
        ("a\\b\\c.html", "a/b/c.html", "backslash"),
        ("a%5Cb%5Cc.html", "a/b/c.html", "backslash"),
        ("./a/b/c.html", "a/b/c.html", "relative"),
        ("/a/b/c.html", "a/b/c.html", "relative"),
        ("a//b/./c.html", "a/b/c.html", "relative"),
        ("a/x/../b/c.html", "a/b/c.html", "relative"),
        (" a/b/c.html\n", "a/b/c.html", "relative"),
        (".\\a\\x\\..\\b\\c.html", "a/b/c.html", "relative"),
        ("cafe\u0301.html", "café.html", "form"),
        ("cafe%CC%81.html", "café.html", "form"),
        ("media/my film.MP4", "Media/My Film.mp4", "case"),
        ("MEDIA\\MY%20FILM.mp4", "Media/My Film.mp4", "case"),
        ("CAFE\u0301.HTML", "café.html", "case"),
        ("media/100%25.HTML", "Media/100%25.html", "case"),
        ("СТРАНИЦА/урок.html", "страница/Урок.html", "case"),
        ("cafÃ©.html", "café.html", "encoding"),
    ],
)  # fmt: skip
def test_is_found(archive, href: str, path: str, how: str):
    assert archive.find(href) == Found(path, how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "href",
    ["", "/", ".", "..", "../a/b/c.html", "a/../../a/b/c.html", "%2e%2e/a/b/c.html", "a/b", "a/b/", "missing.html",
     "a/b/c.html\0", "%00", "%", "%zz", "x" * (MAX_HREF + 1), "http://a/b/c.html", "\ud800"],
)  # fmt: skip
def test_is_not_found(archive, href: str):
    assert archive.find(href) is None


def test_names_whose_character_set_was_guessed_wrong_are_found_by_their_bytes():
    names = ["Ä.html", "folder/Ö.html"]  # too few letters to tell cp1252 from others
    archive = opened(raw_zip(raw_package(*(Raw(name.encode("cp1252"), b"x") for name in names))))
    for name in names:
        found = archive.find(name)
        assert found is not None
        assert archive.entries[found.path].name == name.encode("cp1252")


def test_percent_encoded_bytes_of_an_old_character_set_are_found():
    archive = opened(raw_zip(raw_package(Raw("课程/页.html".encode("gbk"), b"x"))))
    found = archive.find("%BF%CE%B3%CC/%D2%B3.html")
    assert found == Found("课程/页.html", "encoding")


def test_the_stripped_folder_may_stand_in_a_reference():
    archive = opened(zip_of({"course/imsmanifest.xml": b"x", "course/a.html": b"x"}))
    assert archive.find("course/a.html") == Found("a.html", "relative")
    assert archive.find("Course/a.html") is None


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_bytes_are_found_below_a_stripped_folder(separator: str):
    names = [f"Ü{separator}imsmanifest.xml", f"Ü{separator}Ä.html"]
    archive = opened(raw_zip([Raw(name.encode("cp1252"), b"x") for name in names]))
    found = archive.find("Ä.html")
    assert found is not None
    assert archive.entries[found.path].name == names[1].encode("cp1252")
