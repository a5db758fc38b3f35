"""The structure of texts, as a screen reader walks through it: headings, links, tables, languages of parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from content.drafts.languages import is_language_tag
from content.errors import Problem
from content.quality.reading import Reading, Readings

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


def texts(readings: Readings) -> Iterator[Problem]:
    """What is wrong with the structure of any text; the same thing in one text once."""
    for pointer, read in readings.items():
        found = (*_headings(pointer, read), *_links(pointer, read), *_tables(pointer, read), *_tags(pointer, read))
        yield from {(each.code, each.message): each for each in found}.values()


def text_totals(readings: Readings) -> dict[str, Any]:
    """How much there is to be walked through."""
    read = list(readings.values())
    return {
        "texts": len(read),
        "headings": sum(len(each.headings) for each in read),
        "links": sum(len(each.links) for each in read),
        "tables": sum(len(each.tables) for each in read),
        "formulas": sum(each.formulas for each in read),
    }


def _headings(pointer: str, read: Reading) -> Iterator[Problem]:
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


def _links(pointer: str, read: Reading) -> Iterator[Problem]:
    for text, href in read.links:
        if not text:
            yield Problem(pointer, "link-empty", f"The link to “{href[:60]}” has no words.")
        elif text.casefold().strip(_PUNCTUATION) in _VAGUE:
            message = f"The link “{text}” does not say where it leads; screen readers list links without the rest."
            yield Problem(pointer, "link-vague", message)


def _tables(pointer: str, read: Reading) -> Iterator[Problem]:
    for number, table in enumerate(read.tables, 1):
        if table.rows > 1 and not table.headers:
            which = f"Table {number} of this text" if len(read.tables) > 1 else "The table"
            yield Problem(pointer, "table-headers-missing", f"{which} has no headers for its rows or columns.")


def _tags(pointer: str, read: Reading) -> Iterator[Problem]:
    for tag in read.languages:
        if not is_language_tag(tag):
            yield Problem(pointer, "language-tag", f"“{tag}” in “lang” names no language.")
