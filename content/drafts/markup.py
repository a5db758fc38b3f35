"""Authors' text to HTML that a player may show as it is.

Markdown (CommonMark and tables) or HTML goes in; out comes the subset below, with nothing that runs, loads or styles.
Sanitising is done here once, at build; a player still shows it under a strict content security policy.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Literal

import nh3
from markdown_it import MarkdownIt

Format = Literal["markdown", "html"]

_MATHML = (
    "math mi mn mo ms mtext mspace mrow mfrac msqrt mroot msub msup msubsup munder mover munderover mtable mtr mtd "
    "mmultiscripts mprescripts mpadded mphantom merror mstyle semantics"
)
_HTML = (
    "p br hr h1 h2 h3 h4 h5 h6 ul ol li dl dt dd blockquote pre code em strong b i u s sub sup small mark abbr cite q "
    "kbd samp var del ins a span div table caption thead tbody tfoot tr th td ruby rt rp bdi bdo"
)
ALLOWED_TAGS = frozenset(f"{_HTML} {_MATHML}".split())
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"lang", "dir", "title"},
    "a": {"href"},
    "ol": {"start", "reversed"},
    "th": {"colspan", "rowspan", "scope"},
    "td": {"colspan", "rowspan"},
    "math": {"display"},
    "mo": {"stretchy", "fence", "separator", "form"},
    "mi": {"mathvariant"},
    "mspace": {"width"},
    "mfrac": {"linethickness"},
    "mtd": {"columnspan", "rowspan"},
}
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def to_html(text: str, form: Format = "markdown") -> str:
    """Safe HTML of a text block, prompt or transcript. Never raises: what is not allowed is left out."""
    return _clean(_MARKDOWN.render(text) if form == "markdown" else text)


def removed_tags(text: str, form: Format = "markdown") -> tuple[str, ...]:
    """The elements of the text that `to_html` leaves out, sorted."""
    seen = _Tags()
    seen.feed(_MARKDOWN.render(text) if form == "markdown" else text)
    return tuple(sorted(seen.tags - ALLOWED_TAGS))


def _clean(html: str) -> str:
    return nh3.clean(
        html,
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
