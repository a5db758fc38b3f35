"""Where formulas stand in an author's text: `$…$` and `$$…$$` in Markdown, `\\(…\\)` and `\\[…\\]` in HTML.

A dollar is also money, so `$` opens only before something that is no space, closes only behind such, and never beside a
digit that is outside: “$5 and $6” stays as it is. Code is left alone. Finding them is linear in the length of the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

TOKEN = "formula"  # noqa: S105 - of Markdown
Show = Callable[[str, bool], str]
"""A formula and whether it stands on a line of its own, to HTML."""

_TAG = re.compile(r'<(/?)([a-z0-9]+)[^<>"]*(?:"[^"]*"[^<>"]*)*>')
_BRACKETS = {"\\(": "\\)", "\\[": "\\]"}
_VERBATIM = frozenset(("code", "pre", "kbd", "samp", "math"))


def mark_formulas(markdown: MarkdownIt) -> MarkdownIt:
    """Have a parser of Markdown make tokens of type TOKEN, whose `block` says where a formula stands."""
    markdown.inline.ruler.before("escape", TOKEN, _inline)
    markdown.block.ruler.before("fence", TOKEN, _block, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    return markdown


def replace_in_html(clean: str, show: Show) -> str:
    """HTML as nh3 writes it, with each bracketed formula in its text shown."""
    if "\\(" not in clean and "\\[" not in clean:
        return clean
    parts: list[str] = []
    verbatim, at = 0, 0
    for tag in _TAG.finditer(clean):
        parts += [clean[at : tag.start()] if verbatim else _shown(clean[at : tag.start()], show), tag[0]]
        at = tag.end()
        if tag[2] in _VERBATIM:
            verbatim += -1 if tag[1] else 1
    parts.append(clean[at:] if verbatim else _shown(clean[at:], show))
    return "".join(parts)


def _shown(text: str, show: Show) -> str:
    parts: list[str] = []
    at, search = 0, 0
    closed = dict(_BRACKETS)  # without those that are nowhere closed any more
    while (begin := text.find("\\", search)) >= 0:
        mark = text[begin : begin + 2]
        search = begin + 2
        if mark in closed:
            end = text.find(closed[mark], search)
            if end < 0:
                del closed[mark]
            elif text[search:end].strip():
                formula = html.unescape(text[search:end]).strip()
                parts += [text[at:begin], show(formula, mark == "\\[")]
                at = search = end + 2
    return "".join((*parts, text[at:]))


def _inline(state: StateInline, silent: bool) -> bool:
    text, begin = state.src, state.pos
    if not text.startswith("$", begin):
        return False
    mark = "$$" if text.startswith("$$", begin) else "$"
    end = _closing(text, mark, begin + len(mark), state.posMax)
    inside = text[begin + len(mark) : end]
    if (
        end < 0
        or not inside.strip()
        or (mark == "$" and _money(text[begin - 1 : begin], inside, text[end + 1 : end + 2]))
    ):
        return False
    if not silent:
        token = state.push(TOKEN, "", 0)
        token.content, token.block = inside.strip(), mark == "$$"
    state.pos = end + len(mark)
    return True


def _money(before: str, inside: str, after: str) -> bool:
    if inside[0].isspace() or inside[-1].isspace() or before.isdigit() or after.isdigit():
        return True
    return before.isalpha() and inside[0].isdigit()  # US$5


def _block(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    if state.is_code_block(first) or not _line(state, first).startswith("$$"):
        return False
    lines: list[str] = []
    for number in range(first, last):
        line = _line(state, number)
        if number > first and (not line.strip() or state.sCount[number] < state.blkIndent):
            return False
        begin = 2 if number == first else 0
        end = _closing(line, "$$", begin, len(line))
        lines.append(line[begin : end if end >= 0 else None])
        if end >= 0:
            if line[end + 2 :].strip() or not "".join(lines).strip():
                return False
            if not silent:
                token = state.push(TOKEN, "", 0)
                token.content, token.block, token.map = "\n".join(lines).strip(), True, [first, number + 1]
            state.line = number + 1
            return True
    return False


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]]


def _closing(text: str, mark: str, begin: int, end: int) -> int:
    """Where the mark stands next, not behind a backslash; -1 if nowhere before `end`."""
    at = begin
    while at < end:
        if text[at] == "\\":
            at += 2
        elif text.startswith(mark, at, end):
            return at
        else:
            at += 1
    return -1
