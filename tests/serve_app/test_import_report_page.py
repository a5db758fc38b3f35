"""The page of an import's report, made of real reports: nothing of a package's becomes markup, all that was found is said."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from typing import Any

import pytest

from content.scorm.findings import Finding
from content.scorm.inspect import inspect_package
from content.scorm.limits import ImportLimits
from content.scorm.report import refused
from serve_app.import_report_page import MOST_ITEMS, import_report_page
from tests.content.scorm.packages import manifest_12, package_files, shared_packages, zip_of

ATTACK = "&lt;script&gt;alert(1)&lt;/script&gt;"


def report_of(data: bytes, name: str = "course.zip") -> dict[str, Any]:
    found = inspect_package(io.BytesIO(data), ImportLimits()).report
    return {"import_id": "imp_x", "file_name": name, **found.document(), "sandbox": "bubblewrap 0.11.0"}


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Of a course in Arabic whose texts and names try to become markup."""
    manifest = manifest_12(title=f"الإسعاف {ATTACK}", files=("gone<b>.png".replace("<", "&lt;"),))
    manifest = manifest.replace("<organizations", "<metadata-none/><organizations", 1)
    files = package_files(**{
        "imsmanifest.xml": manifest, "a.html": '<script src="https://cdn.example.com/a.js?x=&quot;><b>"></script>', "b.swf": b"",
        'index.html': '<meta name="generator" content="Tool&lt;i> 1.2">',
    })  # fmt: skip
    return report_of(zip_of(files), 'my"<img src=x>.zip')


class Page(HTMLParser):
    VOID = ("meta", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check(html: str) -> Page:
    page = Page(html)
    assert page.open == []
    assert {tag for tag, _ in page.seen} <= {
        "html", "head", "meta", "title", "link", "body", "main", "h1", "h2", "h3", "p", "strong", "section", "dl", "dt", "dd",
        "bdi", "code", "ul", "li",
    }  # fmt: skip
    attributes = {name for _, found in page.seen for name in found}
    assert attributes <= {"lang", "dir", "charset", "name", "content", "rel", "href", "class"}
    assert [found["href"] for tag, found in page.seen if tag == "link"] == ["/static/page.css"]
    return page


def test_it_is_well_formed_and_nothing_in_it_runs(report: dict[str, Any]):
    page = check(import_report_page(report))
    assert "<script>alert(1)</script>" in page.text and 'my"<img src=x>.zip' in page.text


def test_it_says_all_that_was_found(report: dict[str, Any]):
    page = check(import_report_page(report))
    for each in (*report["warnings"], *report["offline"]):
        assert each["code"] in page.text and each["message"] in page.text, each
    for part in (
        "Accepted: SCORM 1.2",
        "Begins with",
        "index.html",
        "4 files",
        "Read in bubblewrap 0.11.0",
        "Contents: 1 item",
    ):
        assert part in page.text, part
    assert any(tag == "bdi" and found.get("dir") == "auto" for tag, found in page.seen)


def test_a_refused_package_says_why_first():
    found = refused(
        Finding("zip-ratio", "bomb.bin", "It would unpack to 4 TB."), Finding("no-launch", "", "Nothing opens.")
    )
    html = import_report_page({"file_name": "bomb.zip", **found.document()})
    page = check(html)
    assert "Refused." in page.text and "It would unpack to 4 TB." in page.text and "Nothing opens." in page.text
    assert html.index("Why it was refused") < html.index("The package")


def test_a_large_tree_is_cut():
    items = "".join(
        f'<item identifier="i{n}" identifierref="res_1"><title>{n}</title></item>' for n in range(MOST_ITEMS + 9)
    )
    manifest = manifest_12().replace("<item ", f"{items}<item ", 1)
    page = check(import_report_page(report_of(zip_of(package_files(**{"imsmanifest.xml": manifest})))))
    assert f"Only the first {MOST_ITEMS:,} are shown." in page.text


@pytest.mark.parametrize("path", shared_packages("handmade"), ids=lambda path: path.name)
def test_of_every_shared_package_there_is_a_page(path: Any):
    check(import_report_page(report_of(path.read_bytes(), path.name)))
