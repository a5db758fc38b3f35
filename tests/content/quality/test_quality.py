from __future__ import annotations

import ast
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.canonical import digest
from content.drafts import validate
from content.drafts.markup import to_html
from content.errors import InvalidInput, Problem
from content.media import Probe, Rendition
from content.packages import AssetResult, Manifest, Source, build_manifest, build_problems, media_findings
from content.quality import MAX_FINDINGS, RULES, QualityLimits, Report, assess, refuse_findings
from content.quality.reading import KEPT_CHARS, Reading, read_texts
from content.quality.rules import table

ROOT = Path(__file__).resolve().parents[3]
D = digest(b"x")
RENDITIONS = {
    "image": [Rendition("image", "image-webp-320", "image/webp", D, 1000, None, 320, 200)],
    "video": [Rendition("video", "video-h264-240p", "video/mp4", digest(b"film"), 5000, None, 426, 240, 1, 60.0)],
    "audio": [Rendition("audio", "audio-aac", "audio/mp4", digest(b"sound"), 3000)],
    "captions": [Rendition("captions", "captions-webvtt", "text/vtt", digest(b"cues"), 50)],
    "file": [Rendition("file", "copy", "application/octet-stream", digest(b"file"), 10)],
}
MEDIA = {"image": "image/png", "video": "video/mp4", "audio": "audio/mp4", "captions": "text/vtt", "file": "x/y"}


def report(
    *blocks: dict[str, Any],
    probes: dict[str, Probe] | None = None,
    limits: QualityLimits | None = None,
    sizes: dict[str, int] | None = None,
    **head: Any,
) -> Report:
    judged = validate(
        {
            "language": "en",
            "title": {"en": "T"},
            "description": {"en": "D"},
            "license": "CC-BY-4.0",
            "units": [{"id": "first", "title": {"en": "First"}, "blocks": list(blocks)}],
            **head,
        }
    )
    assert judged.draft is not None, judged.problems
    draft, probes = judged.draft, probes or {}
    assets = {
        each.asset: AssetResult(
            D,
            9,
            tuple(
                Rendition(**{**vars(one), "size_bytes": (sizes or {}).get(each.asset, one.size_bytes)})
                for one in RENDITIONS[each.kind]
            ),
        )
        for each in draft.originals()
    }
    source = Source("c", "d", 1, D, "2026-01-01T00:00:00Z")
    manifest = build_manifest(
        tenant="t", package_id="p", version=1, draft=draft, source=source, assets=assets, listing={}, assistant=None,
        toolchain="none",
    )  # fmt: skip
    problems = build_problems(judged, None, media_findings(draft, probes))
    return assess(draft, manifest, problems, probes, limits)


def codes(found: Report) -> list[str]:
    return [each.code for each in found.findings]


def text(en: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "id": "t", "text": {"en": en, **more}}


CLEAR = {"kind": "image", "license": "CC-BY-4.0", "credit": "A. Author"}


def test_a_course_without_faults_has_no_findings():
    image = {"type": "image", "id": "i", "asset": "cat", "alt": {"en": "A cat asleep on a wall"}}
    found = report(
        text("# One\n\n## Two\n\n[The sea](https://a.example)\n\n|a|b|\n|-|-|\n|1|2|"), image, assets={"cat": CLEAR}
    )
    assert codes(found) == []
    assert found.counts == {"error": 0, "warning": 0, "advice": 0}
    assert found.totals["pictures"] == {"all": 1, "decorative": 0, "with_text": 1}
    assert found.totals["reading"] == {"texts": 1, "headings": 2, "links": 1, "tables": 1, "formulas": 0}
    assert found.totals["licences"] == {"files": 1, "with_licence": 1, "with_credit": 1}


def test_a_finding_says_where_why_and_what_to_do():
    found = report(text("fine"), {**text("# a\n\n### b"), "id": "u"})
    (one,) = found.findings
    assert one.code == "heading-skipped"
    assert (one.severity, one.pointer, one.unit) == ("warning", "/units/0/blocks/1/text/en", "first")
    assert one.place == "unit 1 “First”, block 2 (text), in “en”"
    assert "“b”" in one.message
    assert one.advice and one.reason.startswith("WCAG 1.3.1")


@pytest.mark.parametrize(
    ("markdown", "code"),
    [
        ("# a\n\n### b", "heading-skipped"),
        ("#\n\nx", "heading-empty"),
        ("# " + "word " * 40, "heading-long"),
        ("[](https://a.example)", "link-empty"),
        ("[Here!](https://a.example)", "link-vague"),
        ("[اضغط هنا](https://a.example)", "link-vague"),
        ("<table><tr><td>a</td></tr><tr><td>b</td></tr></table>", "table-headers-missing"),
        ('<p lang="english">a</p>', "language-tag"),
        ("$\\foo$", "formula-unreadable"),
        ("<video src=x></video>", "markup-removed"),
        ("هذا نص عربي طويل بما يكفي ليكون واضحا", "language-script"),
    ],
)
def test_of_texts(markdown: str, code: str):
    assert codes(report(text(markdown))) == [code]


@pytest.mark.parametrize(
    "markdown",
    [
        "### a\n\n#### b\n\n# c",
        "[Here is the sea](https://a.example)",
        "<table><tr><th scope=row>a</th><td>1</td></tr><tr><th>b</th><td>2</td></tr></table>",
        "<table><tr><td>one row</td></tr></table>",
        '<p lang="fr">bonjour</p>',
        "# $x$",
    ],
)
def test_what_is_right_in_texts(markdown: str):
    assert codes(report(text(markdown))) == []


def test_the_same_thing_in_one_text_is_told_once():
    assert codes(report(text("[here](https://a.example) [Here](https://b.example) [here](https://c.example)"))) == [
        "link-vague",
        "link-vague",
    ]


def read(html: str) -> Reading:
    block = {"type": "text", "id": "t", "html": {"en": html}}
    return read_texts(Manifest({"structure": {"units": [{"blocks": [block]}]}}))["/units/0/blocks/0/text/en"]


def test_words_of_what_stands_in_a_heading_are_its_own_too():
    found = read('<h2>\n  one <a href="https://x.example/">two <em>three</em>\n</a> four </h2>')
    assert found.headings == [(2, "one two three four")]
    assert found.links == [("two three", "https://x.example/")]


def test_long_headings_are_cut_and_space_takes_no_room():
    assert read(f"<h1>{' ' * 2000}a{' ' * 2000}b</h1>").headings == [(1, "a b")]
    assert read(f"<h1>{'x' * 2000}</h1>").headings == [(1, "x" * KEPT_CHARS)]


def test_deep_nesting_costs_no_more_than_its_length():
    depth, length = 3000, 15
    html = to_html(f"<h1><q>{'x' * length}" * depth, "html")
    read("<h1>warm</h1>")
    tracemalloc.start()
    found = read(html)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(words) for _, words in found.headings][:22] == [min(KEPT_CHARS, length * n) for n in range(1, 23)]
    assert len(found.headings) == depth
    assert peak < 8 << 20


def test_translations():
    long = "The heart beats about seventy times each minute."
    found = report(
        text(long, fr=long, ar=long),
        title={"en": "T", "fr": "T", "ar": "ت"},
        description={"en": "D", "fr": "D", "ar": "د"},
        translations=["fr", "ar"],
        units=[{"id": "u", "title": {"en": "U", "fr": "U"}, "blocks": [text(long, fr=long, ar=long)]}],
    )
    assert codes(found) == ["translation-missing", "language-script", "translation-same"]
    assert found.findings[0].place == "unit 1 “U”, title"
    assert found.totals["languages"] == [
        {"tag": "en", "direction": "ltr", "texts": 4, "all": 4},
        {"tag": "fr", "direction": "ltr", "texts": 4, "all": 4},
        {"tag": "ar", "direction": "rtl", "texts": 3, "all": 4},
    ]


@pytest.mark.parametrize(
    ("alt", "code"),
    [
        ("IMG_2041", "alt-file-name"),
        ("photo.JPG", "alt-file-name"),
        ("Screenshot 2026-01-01 at 10", "alt-file-name"),
        ("x " * 140, "alt-long"),
    ],
)
def test_alternative_texts_that_say_nothing(alt: str, code: str):
    image = {"type": "image", "id": "i", "asset": "cat", "alt": {"en": alt}}
    assert codes(report(image, assets={"cat": CLEAR})) == [code]


FILM = {"type": "video", "id": "f", "asset": "film", "transcript": {"en": "Said and seen."}}
FILM_ASSET = {"film": {"kind": "video", "license": "CC0-1.0"}}
HEARD, SILENT = (Probe("video", "video/mp4", 640, 360, duration_s=60, has_audio=sound) for sound in (True, False))


def test_a_film_with_sound_needs_captions_and_a_silent_one_words():
    found = report(FILM, assets=FILM_ASSET, probes={"film": HEARD})
    assert codes(found) == ["captions-missing"]
    assert found.findings[0].severity == "error"
    assert codes(report(FILM, assets=FILM_ASSET, probes={"film": SILENT})) == []
    bare = {"type": "video", "id": "f", "asset": "film"}
    assert codes(report(bare, assets=FILM_ASSET, probes={"film": SILENT})) == ["film-silent"]
    assert codes(report(bare, assets=FILM_ASSET)) == ["captions-missing", "film-transcript-missing"]


def test_captions_in_another_language_only():
    film = {**FILM, "captions": [{"asset": "de", "language": "de"}]}
    assets = {**FILM_ASSET, "de": {"kind": "captions"}}
    assert codes(report(film, assets=assets)) == ["captions-language"]
    here = {**FILM, "captions": [{"asset": "de", "language": "en-GB"}]}
    found = report(here, assets=assets, probes={"de": Probe("captions", "text/vtt", overlaps=1, overlap_s=5)})
    assert codes(found) == ["captions-overlap"]
    assert found.findings[0].place == "unit 1 “First”, block 1 (film), captions 1"


def test_colours_of_the_theme():
    found = report(text("x"), theme={"colours": {"text": "#777777", "background": "#ffffff", "accent": "#dddddd"}})
    assert codes(found) == ["contrast-accent-low", "contrast-low"] or codes(found) == [
        "contrast-low",
        "contrast-accent-low",
    ]
    assert found.findings[0].place == "the theme's colours"
    assert found.totals["contrast"] == {"text": 4.47, "text_wanted": 4.5, "accent": 1.35, "accent_wanted": 3.0}
    assert report(text("x")).totals["contrast"]["text"] is None


def test_a_logo_without_words():
    found = report(text("x"), theme={"logo": "cat"}, assets={"cat": CLEAR})
    assert codes(found) == ["logo-alt-missing"]


def test_sizes_against_limits():
    image = {"type": "image", "id": "i", "asset": "cat", "decorative": True}
    limits = QualityLimits({"phone": 5_000_000, "tablet": 9_000_000_000}, 900_000, 2_000_000)
    found = report(
        image, FILM, assets={"cat": CLEAR, **FILM_ASSET}, probes={"film": SILENT}, limits=limits,
        sizes={"cat": 1_000_000, "film": 6_000_000},
    )  # fmt: skip
    assert codes(found) == ["course-large", "picture-large", "film-large"]
    assert "7.0 MB" in found.findings[0].message
    assert [(each["profile"], each["bytes"], each["limit_bytes"]) for each in found.totals["sizes"]] == [
        ("phone", 7_000_000, 5_000_000),
        ("tablet", 7_000_000, 9_000_000_000),
        ("desktop", 7_000_000, None),
    ]


def quiz(number: int, questions: int) -> dict[str, Any]:
    asked = [
        {"kind": "short_text", "id": f"q{at}", "prompt": {"en": "?"}, "answers": {"en": ["a"]}}
        for at in range(questions)
    ]
    return {"type": "quiz", "id": f"quiz{number}", "questions": asked}


def test_what_a_platform_cannot_save():
    small, large, huge = (report(*(quiz(n, 100) for n in range(count))) for count in (0, 1, 6))
    assert codes(small) == []
    assert codes(large) == ["suspend-scorm12"]
    assert codes(huge) == ["suspend-scorm2004", "suspend-scorm12"]
    assert large.totals["saved_state"]["characters"] > 4096
    assert huge.findings[0].severity == "error"


@pytest.mark.parametrize(
    ("entry", "course", "expected"),
    [
        ({}, "CC-BY-4.0", ["licence-missing"]),
        ({"license": "CC-BY-4.0"}, "CC-BY-4.0", ["credit-missing"]),
        ({"license": "https://creativecommons.org/licenses/by/4.0/"}, "CC-BY-4.0", ["credit-missing"]),
        ({"license": "CC0-1.0"}, "CC-BY-4.0", []),
        ({"license": "https://creativecommons.org/publicdomain/zero/1.0/"}, "CC-BY-4.0", []),
        ({"license": "CC-BY-NC-4.0", "credit": "A"}, "CC-BY-4.0", ["licence-non-commercial"]),
        ({"license": "CC-BY-NC-4.0", "credit": "A"}, "CC0-1.0", ["licence-non-commercial"]),
        ({"license": "CC-BY-NC-4.0", "credit": "A"}, "CC-BY-NC-SA-4.0", []),
        ({"license": "CC-BY-NC-4.0", "credit": "A"}, "MIT", []),
        ({"license": "CC-BY-ND-4.0", "credit": "A"}, "CC-BY-4.0", ["licence-no-derivatives"]),
        ({"license": "MIT"}, "CC-BY-4.0", []),
        ({"license": "all mine, ask me"}, "CC-BY-4.0", ["licence-unknown"]),
    ],
)
def test_licences(entry: dict[str, str], course: str, expected: list[str]):
    image = {"type": "image", "id": "i", "asset": "cat", "decorative": True}
    assert codes(report(image, license=course, assets={"cat": {"kind": "image", **entry}})) == expected


def test_findings_stand_in_the_order_of_the_draft():
    parts = [{**text("# a\n\n### b"), "id": f"t{at}"} for at in range(12)]
    assert [each.pointer for each in report(*parts).findings] == [f"/units/0/blocks/{at}/text/en" for at in range(12)]


def test_a_long_report_is_cut_and_counted():
    skips = "\n\n".join(f"# a{number}\n\n### b{number}" for number in range(700))
    found = report(text(skips), {**text(skips), "id": "u"})
    assert found.counts["warning"] == 1400
    assert len(found.as_dict()["findings"]) == MAX_FINDINGS


def test_chosen_findings_refuse_a_build_and_name_each_place():
    found = report(text("[here](https://a.example)\n\n# a\n\n### b"))
    refuse_findings(found, ["alt-missing"])
    refuse_findings(found, [])
    with pytest.raises(InvalidInput) as refused:
        refuse_findings(found, ["link-vague", "heading-skipped"])
    assert refused.value.code == "quality-refused"
    assert not refused.value.retryable
    assert [(each.code, each.pointer) for each in refused.value.problems] == [
        ("heading-skipped", "/units/0/blocks/0/text/en"),
        ("link-vague", "/units/0/blocks/0/text/en"),
    ]


WORDS = st.text(max_size=30) | st.sampled_from(
    [
        "# a",
        "### b",
        "[here](https://a.example)",
        "<table><tr><td>",
        "</a>",
        "$x$",
        "$\\foo$",
        "<p lang=x>",
        "<h2>",
        "|a|\n|-|",
    ]
)
TEXTS = st.fixed_dictionaries(
    {"en": st.lists(WORDS, max_size=6).map("\n\n".join)}, optional={"ar": WORDS, "zh-Hant": WORDS}
)
LINES = st.fixed_dictionaries({"en": st.text(min_size=1, max_size=40).filter(str.strip)})
BLOCKS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS, "format": st.sampled_from(["markdown", "html"])}),
    st.fixed_dictionaries({"type": st.just("image"), "asset": st.just("cat"), "alt": LINES}),
    st.fixed_dictionaries({"type": st.just("video"), "asset": st.just("film")}, optional={"transcript": TEXTS}),
    st.fixed_dictionaries({"type": st.just("file"), "asset": st.just("sheet"), "title": LINES}),
    st.fixed_dictionaries(
        {
            "type": st.just("quiz"),
            "questions": st.lists(
                st.fixed_dictionaries(
                    {"kind": st.just("true_false"), "id": st.just("q"), "prompt": TEXTS, "answer": st.booleans()}
                ),
                min_size=1,
                max_size=1,
            ),
        }
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(BLOCKS, max_size=6), st.booleans())
def test_whatever_a_draft_holds_each_finding_has_its_place(parts: list[dict[str, Any]], sound: bool):
    numbered = [{**part, "id": f"b{at}"} for at, part in enumerate(parts)]
    probes = {"film": Probe("video", "video/mp4", 640, 360, duration_s=9, has_audio=sound)}
    found = report(*numbered, probes=probes)
    for each in found.findings:
        steps = each.pointer.split("/")
        assert each.place and each.message and each.advice
        assert (each.unit == "first") is (steps[1:2] == ["units"])
        if steps[3:4] == ["blocks"]:
            assert f"block {int(steps[4]) + 1} (" in each.place
            assert int(steps[4]) < len(numbered)
    assert sum(found.counts.values()) == len(found.findings)


def _codes_of_problems() -> set[str]:
    """Of every `Problem(pointer, code, …, "warning")` in the source, and all of the reports' own."""
    found: set[str] = set()
    for path in [*(ROOT / "content").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem":
                warned = any(isinstance(part, ast.Constant) and part.value == "warning" for part in node.args[3:])
                code = node.args[1]
                if (warned or path.parent.name == "quality") and isinstance(code, ast.Constant):
                    found.add(str(code.value))
    return found


def test_every_warning_has_its_rule():
    found = _codes_of_problems()
    assert len(found) > 30
    # What an exporter finds is told in the passport of its zip.
    assert {code for code in found - set(RULES) if not code.startswith("export-")} == set()


def test_every_rule_is_found_somewhere():
    named = {"alt-missing", "picture-large", "film-large", "suspend-scorm12", "suspend-scorm2004", "more-problems"}
    assert set(RULES) - _codes_of_problems() == named


def test_the_table_in_the_docs_is_that_of_the_code():
    assert table() in (ROOT / "docs/quality.md").read_text()


def test_a_problem_without_a_rule_is_a_mistake_of_ours():
    from content.drafts import parse
    from content.quality.finding import finding

    draft = parse(
        {
            "language": "en",
            "title": {"en": "T"},
            "description": {"en": "D"},
            "license": "MIT",
            "units": [{"id": "u", "title": {"en": "U"}, "blocks": []}],
        }
    )
    with pytest.raises(KeyError):
        finding(draft, Problem("", "no-such-code", ""))
