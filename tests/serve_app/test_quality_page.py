"""The quality report as a page and at a terminal, made of a real report of a course with many faults."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from content.canonical import digest
from content.drafts import validate
from content.media import Rendition
from content.packages import AssetResult, Source, build_manifest, build_problems
from content.quality import assess
from serve_app.models.packages import Quality
from serve_app.models.tenants import SettingsPatch
from serve_app.quality_page import quality_page
from tests.support.answers import Answers, Run

PACKAGE = "pkg_0f8k2m4q6s8u0a2c4e6g8i0k2m"
ATTACK = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Of a course in Arabic whose texts try to become markup; the answer of the API, byte for byte."""
    blocks: list[dict[str, Any]] = [
        {
            "type": "text",
            "id": "t",
            "text": {
                "ar": f"# ا\n\n### {ATTACK}ب\n\n[هنا](https://a.example) <a href='https://b.example/{'x' * 300}'></a>"
            },
        },
        {"type": "image", "id": "i", "asset": f"a.{'long' * 14}", "alt": {"ar": "IMG_1"}},
    ]
    judged = validate(
        {
            "language": "ar",
            "title": {"ar": f"الإسعاف {ATTACK}"},
            "description": {"ar": "د"},
            "license": "CC-BY-4.0",
            "theme": {"colours": {"text": "#777777", "background": "#ffffff", "accent": "#eeeeee"}},
            "units": [
                {"id": "u1", "title": {"ar": f"“{ATTACK}"}, "blocks": blocks},
                {"id": "u2", "title": {"ar": "فارغ"}, "blocks": []},
            ],
        }
    )
    assert judged.draft is not None
    picture = Rendition("image", "image-webp-320", "image/webp", digest(b"p"), 9_000_000, None, 320, 200)
    manifest = build_manifest(
        tenant="t", package_id=PACKAGE, version=12, draft=judged.draft,
        source=Source("c", "d", 1, digest(b"d"), "2026-01-01T00:00:00Z"),
        assets={f"a.{'long' * 14}": AssetResult(digest(b"o"), 9, (picture,))}, listing={}, assistant=None, toolchain="none",
    )  # fmt: skip
    found = assess(judged.draft, manifest, build_problems(judged, None), {})
    kept = json.loads(json.dumps(found.as_dict()))
    return Quality.model_validate({"package_id": PACKAGE, "version": 12, **kept}).model_dump(mode="json")


class _Page(HTMLParser):
    VOID = ("meta", "link")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_holds_nothing_that_runs(report: dict[str, Any]):
    html = quality_page(report)
    page = _Page()
    page.feed(html)
    assert page.open == []
    tags = {tag for tag, _ in page.seen}
    assert not tags & {"script", "style", "iframe", "img", "a"}
    assert {name for _, attrs in page.seen for name in attrs} <= {
        "lang",
        "charset",
        "name",
        "content",
        "rel",
        "href",
        "class",
    }
    assert [attrs["href"] for tag, attrs in page.seen if tag == "link"] == ["/static/page.css"]
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_page_says_all_that_was_found_unit_by_unit(report: dict[str, Any]):
    html = quality_page(report)
    for each in report["findings"]:
        assert f"<code>{each['code']}</code>" in html
        assert each["reason"] in html
    assert html.index("The course as a whole") < html.index("Unit 1") < html.index("Figures")
    assert "Unit 2" not in html, "a unit without findings is left out"
    assert '<bdi lang="ar">' in html
    assert "4.47 to 1, wanted 4.5 to 1" in html
    assert "Size on a phone" in html


def test_a_page_of_a_course_without_faults(report: dict[str, Any]):
    html = quality_page({**report, "findings": [], "counts": {"error": 0, "warning": 0, "advice": 0}})
    assert "Nothing was found" in html
    assert html.count("<h2>") == 1


def test_the_report_is_read_in_80_columns(run: Run, report: dict[str, Any]):
    routes = {
        f"GET /v1/packages/{PACKAGE}": {"package_id": PACKAGE, "version": 12, "course_id": "c"},
        f"GET /v1/packages/{PACKAGE}/versions/12/quality": report,
    }
    code, out, err = run("packages", "quality", PACKAGE, api=Answers(routes))
    assert (code, err) == (0, "")
    pointers = {f"  {each['pointer']}" for each in report["findings"]}
    assert all(len(line) <= 80 or line in pointers for line in out.splitlines()), out
    for each in report["findings"]:
        assert each["code"] in out
    assert "alternative texts: 1 of 1 pictures" in out
    code, out, _ = run("packages", "quality", PACKAGE, "--version", "12", "--json", api=Answers(routes))
    assert (code, json.loads(out)) == (0, report)


def test_the_page_is_written_into_a_file(run: Run, report: dict[str, Any], tmp_path: Path):
    import httpx

    html = quality_page(report).encode()
    routes = {
        f"GET /v1/packages/{PACKAGE}/versions/3/quality": report,
        f"GET /v1/packages/{PACKAGE}/versions/3/quality.html": httpx.Response(200, content=html),
    }
    to = tmp_path / "report.html"
    code, out, _ = run("packages", "quality", PACKAGE, "--version", "3", "--html", str(to), api=Answers(routes))
    assert code == 0
    assert str(to) in out.replace("\n", "")
    assert to.read_bytes() == html


def test_a_finding_that_is_not_known_cannot_be_chosen():
    assert SettingsPatch.model_validate({"failing_findings": ["captions-missing"]}).failing_findings == (
        "captions-missing",
    )
    with pytest.raises(ValueError, match=r"“no-such” is no finding.*contrast-low"):
        SettingsPatch.model_validate({"failing_findings": ["captions-missing", "no-such"]})


def test_findings_that_fail_a_build_are_set_from_the_command_line(run: Run):
    tenant = {
        "tenant": "acme", "region": "eu", "policy": None, "limits": {}, "keys": [],
        "settings": {"cors_origins": [], "drill": False, "failing_findings": ["contrast-low"]},
    }  # fmt: skip
    import httpx

    shown = httpx.Response(200, json=tenant, headers={"etag": '"1"'})
    api = Answers({"GET /v1/tenants/acme": shown, "PATCH /v1/tenants/acme": tenant})
    code, out, _ = run("tenant", "set", "acme", "--failing", "contrast-low", api=api)
    assert code == 0
    assert api.bodies("/v1/tenants/acme") == [{"settings": {"failing_findings": ["contrast-low"]}}]
    assert "failing_findings: contrast-low" in out
    run("tenant", "set", "acme", "--no-failing", api=api)
    assert api.bodies("/v1/tenants/acme")[-1] == {"settings": {"failing_findings": []}}
