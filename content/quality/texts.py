"""The structure of texts, as a screen reader walks through it: headings, links, tables, languages of parts.

Looks at the HTML of the manifest, which is what players show, and points to the text in the draft that it came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from content.drafts.languages import is_language_tag
from content.drafts.parts import escape
from content.errors import Problem
from content.packages import Manifest

MAX_HEADING_CHARS = 120
# Words that say nothing about where a link leads, without case and punctuation.
_VAGUE_WORDS = (
    "here, click here, click, link, this, this link, more, read more, learn more, see more, details, go, "
    "ici, cliquez ici, lien, ce lien, plus, en savoir plus, lire la suite, "
    "aquí, aqui, haga clic aquí, clic aquí, enlace, este enlace, más, leer más, ver más, "
    "hier, hier klicken, klicken sie hier, mehr, weiterlesen, clique aqui, saiba mais, leia mais, "
    "هنا, اضغط هنا, انقر هنا, المزيد, اقرأ المزيد, رابط, 这里, 點這裡, 点击这里, こちら, тут, здесь, нажмите здесь"
)
_VAGUE = frozenset(_VAGUE_WORDS.split(", "))
_PUNCTUATION = " \t\n.…,:;!?»«“”\"'()[]→>›"


def texts(manifest: Manifest) -> Iterator[Problem]:
    """What is wrong with the structure of any text, in any language."""
    for pointer, html in _texts(manifest):
        read = _read(html)
        yield from _headings(pointer, read)
        yield from _links(pointer, read)
        for number, table in enumerate(read.tables, 1):
            if table.rows > 1 and not table.headers:
                which = f"Table {number} of this text" if len(read.tables) > 1 else "The table"
                yield Problem(pointer, "table-headers-missing", f"{which} has no headers for its rows or columns.")
        for tag in dict.fromkeys(tag for tag in read.languages if not is_language_tag(tag)):
            yield Problem(pointer, "language-tag", f"“{tag}” in “lang” names no language.")


def text_totals(manifest: Manifest) -> dict[str, Any]:
    """How much there is to be walked through."""
    read = [_read(html) for _, html in _texts(manifest)]
    return {
        "texts": len(read),
        "headings": sum(len(each.headings) for each in read),
        "links": sum(len(each.links) for each in read),
        "tables": sum(len(each.tables) for each in read),
        "formulas": sum(each.formulas for each in read),
    }


def _texts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for at, unit in enumerate(manifest.document["structure"]["units"]):
        for index, block in enumerate(unit["blocks"]):
            here = f"/units/{at}/blocks/{index}"
            maps: list[tuple[str, Mapping[str, str]]] = [
                (f"{here}/text", block.get("html") or {}),
                (f"{here}/transcript", block.get("transcript") or {}),
            ]
            questions = block.get("questions") or ()
            maps += [(f"{here}/questions/{n}/prompt", question["prompt"]) for n, question in enumerate(questions)]
            for pointer, languages in maps:
                yield from ((f"{pointer}/{escape(tag)}", html) for tag, html in languages.items())


def _headings(pointer: str, read: _Reading) -> Iterator[Problem]:
    before = 0
    for level, text in read.headings:
        if not text:
            yield Problem(pointer, "heading-empty", f"A heading of level {level} has no words.")
        elif len(text) > MAX_HEADING_CHARS:
            yield Problem(pointer, "heading-long", f"The heading “{text[:40]}…” has {len(text)} characters.")
        if before and level > before + 1:
            named = f" “{text[:60]}”" if text else ""
            message = f"The heading{named} is of level {level}, but the one in front of it of level {before}."
            yield Problem(pointer, "heading-skipped", message)
        before = level


def _links(pointer: str, read: _Reading) -> Iterator[Problem]:
    for text, href in read.links:
        if not text:
            yield Problem(pointer, "link-empty", f"The link to “{href[:60]}” has no words.")
        elif text.casefold().strip(_PUNCTUATION) in _VAGUE:
            message = f"The link “{text}” does not say where it leads; screen readers list links without the rest."
            yield Problem(pointer, "link-vague", message)


@dataclass
class _Table:
    rows: int = 0
    headers: bool = False


@dataclass
class _Reading:
    headings: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    links: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    tables: list[_Table] = field(default_factory=list[_Table])
    languages: list[str] = field(default_factory=list[str])
    formulas: int = 0


def _read(html: str) -> _Reading:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    """Reads what nh3 wrote, which is well formed."""

    def __init__(self) -> None:
        super().__init__()
        self.found = _Reading()
        self._open: list[tuple[str, str, list[str]]] = []  # headings and links: name, address, words so far
        self._tables: list[_Table] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("lang"):
            self.found.languages.append(given["lang"] or "")
        if _is_heading(tag) or (tag == "a" and given.get("href")):
            self._open.append((tag, given.get("href") or "", []))
        elif tag == "table":
            self._tables.append(_Table())
            self.found.tables.append(self._tables[-1])
        elif tag == "math":
            self.found.formulas += 1
        elif self._tables:
            self._tables[-1].rows += tag == "tr"
            self._tables[-1].headers |= tag == "th"

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._tables:
            self._tables.pop()
        if self._open and self._open[-1][0] == tag:
            _, href, words = self._open.pop()
            text = " ".join("".join(words).split())
            if tag == "a":
                self.found.links.append((text, href))
            else:
                self.found.headings.append((int(tag[1]), text))

    def handle_data(self, data: str) -> None:
        for _, _, words in self._open:
            words.append(data)


def _is_heading(tag: str) -> bool:
    return len(tag) == 2 and tag[0] == "h" and tag[1] in "123456"
