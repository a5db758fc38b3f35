"""Authors' text to HTML that a player may show as it is.

Markdown (CommonMark, tables and formulas in LaTeX) or HTML goes in; out comes the subset below, with nothing that runs,
loads or styles; formulas come out as MathML. Sanitising is done here once, at build; a player still shows it under a
strict content security policy.
"""

from __future__ import annotations

import html
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal

import nh3
from markdown_it import MarkdownIt

from content.drafts.formula_marks import TOKEN, mark_formulas, replace_in_html
from content.drafts.formulas import FormulaUnreadable, mathml
from content.drafts.limits import MAX_COURSE_FORMULAS_CHARS, MAX_FORMULAS, MAX_FORMULAS_CHARS

Format = Literal["markdown", "html"]

_MATHML = (
    "math mi mn mo ms mtext mspace mrow mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd "
    "mmultiscripts mprescripts mpadded mphantom merror mstyle menclose semantics"
)
_HTML = (
    "p br hr h1 h2 h3 h4 h5 h6 ul ol li dl dt dd blockquote pre code em strong b i u s sub sup small mark abbr cite q "
    "kbd samp var del ins a span div table caption thead tbody tfoot tr th td ruby rt rp bdi bdo"
)
ALLOWED_TAGS = frozenset(f"{_HTML} {_MATHML}".split())
_OPERATOR = (
    "stretchy fence separator form minsize maxsize movablelimits largeop lspace rspace accent symmetric mathvariant"
)
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"lang", "dir", "title"},
    "a": {"href"},
    "ol": {"start", "reversed"},
    "th": {"colspan", "rowspan", "scope"},
    "td": {"colspan", "rowspan"},
    "math": {"display"},
    "mo": set(_OPERATOR.split()),
    "mi": {"mathvariant"},
    "mn": {"mathvariant"},
    "mtext": {"mathvariant"},
    "mstyle": {"displaystyle", "scriptlevel"},
    "mspace": {"width", "height", "depth"},
    "mpadded": {"width", "height", "depth", "lspace", "voffset"},
    "menclose": {"notation"},
    "mfrac": {"linethickness"},
    "mover": {"accent"},
    "munder": {"accentunder"},
    "munderover": {"accent", "accentunder"},
    "mtable": {"displaystyle", "columnalign", "columnlines", "columnspacing", "rowlines", "rowspacing"},
    "mtd": {"columnspan", "rowspan", "columnalign"},
}
_MARKDOWN = mark_formulas(MarkdownIt("commonmark", {"html": True}).enable("table"))
_SHOWN_CHARS = 40
_course: ContextVar[_Course | None] = ContextVar("_course", default=None)


@dataclass
class _Course:
    """How many characters the formulas of a course have had so far."""

    chars: int = 0


@dataclass(frozen=True)
class Marked:
    """A text as `html`, which a player may show; the elements that were left out of it, sorted; and for each formula that
    could not be read, a sentence that says why."""

    html: str
    removed: tuple[str, ...]
    unreadable: tuple[str, ...]


@contextmanager
def one_course() -> Generator[None]:
    """The texts that are marked up within are those of one course: their formulas are bounded together. The same texts in the
    same order come out the same."""
    token = _course.set(_Course())
    try:
        yield
    finally:
        _course.reset(token)


def to_html(text: str, form: Format = "markdown") -> str:
    """Safe HTML of a text block, prompt or transcript. Never raises: what is not allowed is left out."""
    return mark_up(text, form).html


def removed_tags(text: str, form: Format = "markdown") -> tuple[str, ...]:
    """The elements of the text that `to_html` leaves out, sorted."""
    return mark_up(text, form).removed


def mark_up(text: str, form: Format = "markdown") -> Marked:
    """The text as HTML and what its author should know of that. Never raises."""
    formulas = _Formulas()
    raw = text
    if form == "markdown":
        tokens = _MARKDOWN.parse(text)
        for token in [inner for outer in tokens for inner in (outer, *(outer.children or ()))]:
            if token.type == TOKEN:
                token.type, token.content = "html_block", formulas.show(token.content, token.block)
        raw = str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))
    seen = _Tags()
    seen.feed(raw)
    clean = _clean(raw)
    if form == "html" and (shown := replace_in_html(clean, formulas.show)) != clean:
        clean = _clean(shown)
    return Marked(clean, tuple(sorted(seen.tags - ALLOWED_TAGS)), tuple(formulas.unreadable))


class _Formulas:
    """The formulas of one text: each as MathML, or as it is written where it cannot be read."""

    def __init__(self) -> None:
        self._count, self._chars = 0, 0
        self.unreadable: list[str] = []

    def show(self, latex: str, block: bool) -> str:
        self._count, self._chars = self._count + 1, self._chars + len(latex)
        try:
            if self._count > MAX_FORMULAS:
                raise FormulaUnreadable(f"a text may have {MAX_FORMULAS} formulas, and this one has more")
            if self._chars > MAX_FORMULAS_CHARS:
                raise FormulaUnreadable(f"the formulas of a text may have {MAX_FORMULAS_CHARS} characters together")
            if (course := _course.get()) is not None:
                course.chars += len(latex)
                if course.chars > MAX_COURSE_FORMULAS_CHARS:
                    told = f"the formulas of a course may have {MAX_COURSE_FORMULAS_CHARS} characters together"
                    raise FormulaUnreadable(told)
            return mathml(latex, block=block)
        except FormulaUnreadable as error:
            cut = latex if len(latex) <= _SHOWN_CHARS else f"{latex[:_SHOWN_CHARS]}…"
            self.unreadable.append(f"The formula “{cut}” is shown as it is written: {error}.")
            return f"<code>{html.escape(latex, quote=False)}</code>"


def _clean(markup: str) -> str:
    return nh3.clean(
        markup,
        tags=set(ALLOWED_TAGS),
        attributes=_ATTRIBUTES,
        url_schemes={"https", "http", "mailto", "tel"},
        link_rel="noopener noreferrer",
        url_relative="deny",
    ).strip()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
