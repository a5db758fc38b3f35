"""What a screen reader meets on its walk through each text of a course.

Looks at the HTML of the manifest, which is what players show, and names the text by its place in the draft. Before:
`content.drafts.markup` wrote the HTML. After: `content.quality.texts` judges.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

from content.drafts.parts import escape
from content.packages import Manifest

KEPT_CHARS = 300
"""Of the words of a heading or a link: enough to judge it, and to name it."""
_SPACE = re.compile(r"\s+")


@dataclass
class Table:
    rows: int = 0
    headers: bool = False


@dataclass
class Reading:
    """Headings with their level, links with their address, tables, values of `lang`, and how many formulas."""

    headings: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    links: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    tables: list[Table] = field(default_factory=list[Table])
    languages: list[str] = field(default_factory=list[str])
    formulas: int = 0


Readings = Mapping[str, Reading]
"""Of each text, by its place in the draft, what a walk through it meets."""


def read_texts(manifest: Manifest) -> Readings:
    """All texts, prompts and transcripts in all languages."""
    return {pointer: _read(html) for pointer, html in _texts(manifest)}


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


def _read(html: str) -> Reading:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


@dataclass
class _Open:
    """A heading or a link that has not ended."""

    tag: str
    href: str
    words: str = ""

    def add(self, words: str) -> None:
        # Runs of white space count once, so that no room is lost to them.
        if len(self.words) < KEPT_CHARS:
            self.words = _SPACE.sub(" ", self.words + words).lstrip()[:KEPT_CHARS]


class _Reader(HTMLParser):
    """Reads what nh3 wrote, which is well formed. Words go to the innermost open heading or link, which hands them on when
    it ends: deep nesting costs no more than long text."""

    def __init__(self) -> None:
        super().__init__()
        self.found = Reading()
        self._open: list[_Open] = []
        self._tables: list[Table] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("lang"):
            self.found.languages.append(given["lang"] or "")
        if _is_heading(tag) or (tag == "a" and given.get("href")):
            self._open.append(_Open(tag, given.get("href") or ""))
        elif tag == "table":
            self._tables.append(Table())
            self.found.tables.append(self._tables[-1])
        elif tag == "math":
            self.found.formulas += 1
        elif self._tables:
            self._tables[-1].rows += tag == "tr"
            self._tables[-1].headers |= tag == "th"

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._tables:
            self._tables.pop()
        if self._open and self._open[-1].tag == tag:
            ended = self._open.pop()
            if tag == "a":
                self.found.links.append((ended.words.rstrip(), ended.href))
            else:
                self.found.headings.append((int(tag[1]), ended.words.rstrip()))
            if self._open:
                self._open[-1].add(ended.words)

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].add(data)


def _is_heading(tag: str) -> bool:
    return len(tag) == 2 and tag[0] == "h" and tag[1] in "123456"
