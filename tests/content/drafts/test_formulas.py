from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.drafts import validate
from content.drafts.formulas import FormulaUnreadable, mathml
from content.drafts.limits import (
    MAX_COURSE_FORMULAS_CHARS,
    MAX_FORMULA_CHARS,
    MAX_FORMULA_DEPTH,
    MAX_FORMULAS,
    MAX_FORMULAS_CHARS,
)
from content.drafts.markup import ALLOWED_TAGS, mark_up, one_course, to_html
from content.packages import Source, build_manifest

X = "<math><mrow><mi>x</mi></mrow></math>"
X_BLOCK = '<math display="block"><mrow><mi>x</mi></mrow></math>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a $x$ b", f"<p>a {X} b</p>"),
        ("$x$ was known in 1905", f"<p>{X} was known in 1905</p>"),
        ("$x$ ends in a backslash \\", f"<p>{X} ends in a backslash \\</p>"),
        ("($x$, $x$)", f"<p>({X}, {X})</p>"),
        ("$$x$$", X_BLOCK),
        ("$$\n x\n$$", X_BLOCK),
        ("a $$x$$ b", f"<p>a {X_BLOCK} b</p>"),
        ("text\n$$\nx\n$$\nmore", f"<p>text</p>\n{X_BLOCK}<p>more</p>"),
        ("> $$x$$", f"<blockquote>\n{X_BLOCK}</blockquote>"),
        ("- $$\n  x\n  $$", f"<ul>\n<li>\n{X_BLOCK}</li>\n</ul>"),
        ("**$x$**", f"<p><strong>{X}</strong></p>"),
        ("[$x$](https://a.example)", f'<p><a href="https://a.example" rel="noopener noreferrer">{X}</a></p>'),
    ],
)
def test_formulas_in_markdown(text: str, html: str):
    assert to_html(text) == html


@pytest.mark.parametrize(
    "text",
    [
        "$5 and $6",
        "between $5-$6",
        "US$5 or US$6",
        "US$5 (A$ 7)",
        "it costs 5$ or 6$.",
        "\\$x\\$",
        "$ x $",
        "$",
        "$$",
        "$$$$",
        "a $x",
        "`$x$`",
        "    $x$",
        "```\n$x$\n```",
        "$$\nx\n\ny\n$$",
    ],
)
def test_what_is_no_formula_stays_as_it_is(text: str):
    marked = mark_up(text)
    assert "<math" not in marked.html
    assert marked.unreadable == ()
    assert marked.html.count("$") == text.count("$")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<p>\\(x\\)</p>", f"<p>{X}</p>"),
        ("<p>\\[ x \\]</p>", f"<p>{X_BLOCK}</p>"),
        ("<p title='\\(x\\)>'>k</p>", '<p title="\\(x\\)&gt;">k</p>'),
        ("<code>\\(x\\)</code><pre><b>\\(x\\)</b></pre>", "<code>\\(x\\)</code><pre><b>\\(x\\)</b></pre>"),
        ("<p>$x$</p>", "<p>$x$</p>"),
        ("<p>\\(a &lt; b\\)</p>", "<p><math><mrow><mi>a</mi><mo>&lt;</mo><mi>b</mi></mrow></math></p>"),
    ],
)
def test_formulas_in_html(text: str, html: str):
    assert to_html(text, "html") == html


@pytest.mark.parametrize(
    ("latex", "parts"),
    [
        (r"\frac{-b \pm \sqrt{b^2-4ac}}{2a}", ["<mfrac>", "<msqrt>", "<msup>", "±"]),
        (r"\begin{pmatrix}1&0\\0&1\end{pmatrix}", ["<mtable>", "<mtr><mtd><mn>1</mn></mtd>"]),
        (r"\begin{aligned}a&=b\\c&=d\end{aligned}", ['<mtd columnalign="right">', "<mtr>"]),
        (r"\begin{gathered}a\\b\end{gathered}", ["<mtable>"]),
        (r"\begin{equation}a\end{equation}", ["<mi>a</mi>"]),
        (r"\begin{cases}1&x>0\\0&\text{else}\end{cases}", ["{", "<mtext>else</mtext>", "&gt;"]),
        (r"\hat{x}", ['<mover accent="true">']),
        (r"\sum_{i=1}^n i", ["∑", "msubsup"]),
        (r"\left(\frac12\right)", ['form="prefix"', 'form="postfix"']),
        (r"a\!b", ['width="-0.167em"']),
        (r"\mathbb{R}", ["ℝ"]),
        (r"\boxed{x}", ['<menclose notation="box">']),
        (r"50\%", ["%"]),
    ],
)
def test_what_the_formula_is_survives_the_cleaning(latex: str, parts: list[str]):
    marked = mark_up(f"${latex}$")
    assert marked.unreadable == ()
    assert [part for part in parts if part not in marked.html] == []


@pytest.mark.parametrize(
    ("latex", "why"),
    [
        (r"\foo", "is not known"),
        (r"\ce{H2O}", "is not known"),
        (r"\begin{tikzpicture}\end{tikzpicture}", "tikzpicture"),
        (r"\def\a{b}\a", "macros"),
        (r"\newcommand{\a}{b}", "macros"),
        (r"\let\a=b", "macros"),
        (r"\input{/etc/passwd}", "macros"),
        (r"\frac{1", "not closed"),
        (r"1}", "closes more"),
        (r"\frac{1}", "not complete"),
        (r"\left(x", "not closed"),
        (r"x^", "missing"),
        (r"x^a^b", "braces"),
        (r"a & b", "outside of a table"),
        (r"50% of x", "hides"),
        (" ", "empty"),
        ("x" * (MAX_FORMULA_CHARS + 1), "longer than"),
        ("{" * (MAX_FORMULA_DEPTH + 1) + "x" + "}" * (MAX_FORMULA_DEPTH + 1), "nested"),
        (r"\sqrt" * 300 + "x", "nested"),
    ],
)
def test_what_cannot_be_read_says_why(latex: str, why: str):
    with pytest.raises(FormulaUnreadable, match=re.escape(why)):
        mathml(latex)


def test_what_cannot_be_read_is_shown_as_it_is_written():
    marked = mark_up("so $\\foo<b$ is")
    assert marked.html == "<p>so <code>\\foo&lt;b</code> is</p>"
    (message,) = marked.unreadable
    assert "\\foo is not known" in message


@pytest.mark.parametrize("name", ["lim", "max", "min", "sup", "inf", "limsup", "liminf", "gcd", "det"])
def test_what_belongs_under_a_limit_is_under_it_where_there_is_room(name: str):
    assert "<munder><mo" in mathml(f"\\{name}_{{x}} x", block=True)
    assert "<msub><mo" in mathml(f"\\{name}_{{x}} x")


def test_authors_characters_stay_characters():
    html = to_html("$\\text{<img src=x onerror=alert(1)>&lt;b&gt;} \\unicode{x3c} \\href{javascript:alert(1)}{y}$")
    assert "<img" not in html
    assert "javascript" not in html
    assert "&lt;img" in html


def course(*blocks: dict[str, object]) -> dict[str, object]:
    return {
        "language": "en",
        "title": {"en": "T"},
        "description": {"en": "D"},
        "license": "CC0-1.0",
        "units": [{"id": "u", "title": {"en": "U"}, "blocks": list(blocks)}],
    }


@pytest.mark.parametrize(
    ("block", "pointer"),
    [
        ({"type": "text", "id": "t", "text": {"en": "$\\foo$"}}, "/units/0/blocks/0/text/en"),
        (
            {"type": "text", "id": "t", "format": "html", "text": {"en": "<p>\\(\\foo\\)</p>"}},
            "/units/0/blocks/0/text/en",
        ),
        (
            {
                "type": "audio",
                "id": "a",
                "asset": "a",
                "transcript": {"en": "$\\foo$"},
            },
            "/units/0/blocks/0/transcript/en",
        ),
        (
            {
                "type": "quiz",
                "id": "q",
                "questions": [{"kind": "true_false", "id": "1", "prompt": {"en": "$\\foo$"}, "answer": True}],
            },
            "/units/0/blocks/0/questions/0/prompt/en",
        ),
    ],
)
def test_the_author_is_told_where(block: dict[str, object], pointer: str):
    report = validate(course(block))
    assert report.ok
    assert [(each.pointer, each.code) for each in report.problems] == [(pointer, "formula-unreadable")]


def test_of_many_unreadable_formulas_some_are_named_and_the_rest_are_counted():
    report = validate(course({"type": "text", "id": "t", "text": {"en": "$\\foo$ " * 50}}))
    assert len(report.problems) == 21
    assert report.problems[-1].message.startswith("30 more formulas")


def test_formulas_are_bounded_together():
    long = "$" + "x" * 1000 + "$ "
    marked = mark_up(long * (MAX_FORMULAS_CHARS // 1000 + 2))
    assert marked.html.count("<math>") == MAX_FORMULAS_CHARS // 1000
    assert len(marked.unreadable) == 2


def test_the_formulas_of_a_course_are_bounded_together():
    text, over = ("$" + "x" * 1000 + "$ ") * 29, 29 * 7 - MAX_COURSE_FORMULAS_CHARS // 1000
    document = course(*({"type": "text", "id": f"t{number}", "text": {"en": text}} for number in range(7)))
    for _ in range(2):  # each has a budget of its own
        report = validate(document)
        assert report.draft is not None
        assert [(each.pointer, each.code) for each in report.problems] == [
            ("/units/0/blocks/6/text/en", "formula-unreadable")
        ] * over
        assert f"the formulas of a course may have {MAX_COURSE_FORMULAS_CHARS} characters together" in str(
            report.problems
        )
        source = Source("c", "d", 1, "sha256:" + "0" * 64, "2026-01-01T00:00:00Z")
        manifest = build_manifest(
            tenant="t", package_id="p", version=1, draft=report.draft, source=source, assets={}, listing={},
            assistant=None, toolchain="none",
        )  # fmt: skip
        shown = [block["html"]["en"] for block in manifest.document["structure"]["units"][0]["blocks"]]
        assert [each.count("<math>") for each in shown] == [29] * 6 + [29 - over]
        assert shown[6].count("<code>") == over


def test_a_text_by_itself_has_no_part_in_the_budget_of_a_course():
    text = ("$" + "x" * 1000 + "$ ") * 29
    with one_course():
        assert ["<code>" in to_html(text) for _ in range(7)] == [False] * 6 + [True]
    assert "<code>" not in to_html(text)


def test_a_text_of_too_many_formulas_keeps_the_rest_as_it_is_written():
    marked = mark_up("$x$ " * (MAX_FORMULAS + 3))
    assert marked.html.count("<math>") == MAX_FORMULAS
    assert len(marked.unreadable) == 3


@pytest.mark.parametrize(
    "text",
    [
        "\\(x\\]" * 16_000,
        "\\(x\\)\\(" * 16_000,
        "$a " * 33_000,
        "$$a\n" * 25_000,
        "$$" * 50_000,
        "$\\" * 50_000,
        "\\(" * 50_000,
        "$$\n" * 33_000,
        "$a$" * 33_000,
    ],
)
def test_hostile_texts_cost_no_more_than_their_length(text: str):
    begun = time.monotonic()
    mark_up(text)
    mark_up(text, "html")
    assert time.monotonic() - begun < 20


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}


PIECES = [
    "\\frac", "\\sqrt", "\\left(", "\\right)", "\\begin{matrix}", "\\end{matrix}", "\\begin{align}", "\\end{align}", "{", "}",
    "^", "_", "&", "\\\\", "\\text{", "<script>", "</math>", "<img src=x onerror=y>", "\\href{javascript:x}", "\\unicode{3c}",
    "\\style{x:y}", "\\class{k}", "\\color{red}", "\\hspace{1em}", "\\rule{1em}{2em}", "x", "1", "'", "\\not", "\\limits",
    "\\sum", "\\substack", "\\over", "\\genfrac", "\\tag{1}", "\\verb|<b>|", "[", "]", " ", "&lt;", "\\operatorname{a}", '"',
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=25).map("".join))
def test_whatever_stands_between_dollars_nothing_but_allowed_elements_comes_out(latex: str):
    for text, form in ((f"${latex}$", "markdown"), (f"$$\n{latex}\n$$", "markdown"), (f"\\({latex}\\)", "html")):
        seen = _Seen()
        seen.feed(mark_up(text, form).html)  # type: ignore[arg-type]
        assert seen.tags <= ALLOWED_TAGS
        assert not [name for name in seen.names if name.startswith("on") or name in ("style", "class", "src")]


def test_the_page_for_authors_names_what_is_known():
    page = (Path(__file__).resolve().parents[3] / "docs/texts.md").read_text()
    for number in (
        MAX_FORMULA_CHARS,
        MAX_FORMULA_DEPTH,
        MAX_FORMULAS,
        MAX_FORMULAS_CHARS,
        MAX_COURSE_FORMULAS_CHARS,
    ):
        assert str(number) in page
    names = "matrix smallmatrix array cases dcases align aligned split gather gathered multline eqnarray equation"
    for name in names.split():
        assert f"`{name}`" in page
        columns = "{l}" if name == "array" else ""
        assert mathml(f"\\begin{{{name}}}{columns}x\\end{{{name}}}")
    for letter in "pbBvV":
        assert mathml(f"\\begin{{{letter}matrix}}x\\end{{{letter}matrix}}")
