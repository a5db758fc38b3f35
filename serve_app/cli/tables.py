"""Lists for a terminal: a table where it fits, else each row over several lines. An id is never broken or shortened.

Free text wraps at words in what room is left. Where not even that helps, since ids alone are wider than the terminal, the
names of the columns move into the rows.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from serve_app.cli.output import console

GAP, INDENT, LEAST_TEXT = 2, 2, 16
COLOURS = {
    "published": "green", "ready": "green", "succeeded": "green", "active": "green", "delivered": "green", "ok": "green",
    "failed": "red", "withdrawn": "red", "revoked": "red", "cancelled": "dim", "superseded": "dim",
    "running": "yellow", "cancelling": "yellow", "queued": "yellow", "planned": "yellow", "claimed": "yellow",
    "paused": "yellow",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column: its heading, what stands in it, and whether it is free text, which may wrap."""

    heading: str
    value: Callable[[Mapping[str, Any]], Any]
    text: bool = False


def column(heading: str, name: str | None = None, *, text: bool = False) -> Column:
    """A column of the member `name` (the heading, if not given)."""
    member = name or heading
    return Column(heading, lambda row: row.get(member), text)


def moment(heading: str, name: str) -> Column:
    """A column of a time, to the minute, in UTC."""
    return Column(heading, lambda row: when(row.get(name)))


def when(told: str | None) -> str:
    """A time as people read it: `2026-01-31 12:00`."""
    return (told or "")[:16].replace("T", " ")


def show(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], empty: str) -> None:
    """Print a list; `empty` is what is said where there is nothing."""
    cells = [[_shown(each.value(row)) for each in columns] for row in rows]
    if not cells:
        console.print(empty, highlight=False, markup=False, soft_wrap=True)
        return
    for line in lay_out([each.heading for each in columns], [each.text for each in columns], cells, console.width):
        console.print(line, highlight=False, soft_wrap=True)


def lay_out(
    headings: Sequence[str], texts: Sequence[bool], cells: Sequence[Sequence[str]], width: int
) -> Iterator[Text]:
    """The lines of a list. None is wider than `width` unless a single id is."""
    widths = [max(cell_len(heading), *(cell_len(row[at]) for row in cells)) for at, heading in enumerate(headings)]
    fixed = sum(size for size, text in zip(widths, texts, strict=True) if not text) + GAP * (len(headings) - 1)
    free = [at for at, text in enumerate(texts) if text]
    room = (width - fixed) // len(free) if free else width - fixed
    longest = max((cell_len(word) for row in cells for at in free for word in row[at].split()), default=0)
    if room < (max(LEAST_TEXT, longest) if free else 0):
        for row in cells:
            yield from _stacked(headings, texts, row, width)
        return
    for at in free:
        widths[at] = min(widths[at], room)
    yield Text(_joined(headings, widths), style="bold")
    for row in cells:
        wrapped = [_wrap(cell, size) if text else [cell] for cell, size, text in zip(row, widths, texts, strict=True)]
        for line in range(max(map(len, wrapped))):
            yield _coloured(_joined([part[line] if line < len(part) else "" for part in wrapped], widths), row)


def _stacked(headings: Sequence[str], texts: Sequence[bool], row: Sequence[str], width: int) -> Iterator[Text]:
    """The first cell on a line of its own, then the others with their headings, as many to a line as fit."""
    yield Text(row[0], style="bold")
    line = ""
    for heading, text, cell in zip(headings[1:], texts[1:], row[1:], strict=True):
        if not cell:
            continue
        for piece in _wrap(f"{heading} {cell}", width - INDENT) if text else [f"{heading} {cell}"]:
            if line and INDENT + cell_len(line) + GAP + cell_len(piece) > width:
                yield _coloured(" " * INDENT + line, row)
                line = piece
            else:
                line = f"{line}{' ' * GAP}{piece}" if line else piece
    if line:
        yield _coloured(" " * INDENT + line, row)


def _wrap(cell: str, width: int) -> list[str]:
    return textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False) or [""]


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (size - cell_len(cell)) for cell, size in zip(cells, widths, strict=True)]
    return (" " * GAP).join(padded).rstrip()


def _coloured(line: str, row: Sequence[str]) -> Text:
    text = Text(line)
    for cell in row:
        if colour := COLOURS.get(cell):
            text.highlight_words([cell], colour)
    return text


def _shown(value: Any) -> str:
    return "" if value is None else " ".join(str(value).split())
