"""Texts of strangers made fit to be shown: in a terminal, a page, a log.

What could move a cursor or turn the direction of a line is replaced; what languages need to be written (the joiners of Persian,
of Indic scripts and of emoji, spaces of other widths) is kept or becomes a plain space. Markup is no matter of this module:
whoever writes a page escapes.
"""

from __future__ import annotations

import re

MOST = 500
_JOINERS = "\u200c\u200d"
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
_DROPPED = dict.fromkeys(map(ord, "\ufeff\u00ad\u200b\u2060\u200e\u200f\u061c"))


def shown(text: str, most: int = MOST) -> str:
    """One line of at most `most` characters (and an ellipsis)."""
    line = " ".join(text[: 4 * most].translate(_DROPPED).split())
    line = "".join(each if _may_stand(each) else "\N{REPLACEMENT CHARACTER}" for each in line[: most + 1])
    return line if len(line) <= most else f"{line[:most]}…"


def is_shown(text: str, most: int = MOST) -> bool:
    """Whether a text that came from elsewhere is as `shown`, or `content.scorm.findings.printable`, leaves it."""
    return len(text) <= most + 1 and all(map(_may_stand, text))


def as_path(text: str, most: int) -> str:
    """A path or an address as it is, to be opened; only what controls a terminal, or is half a character, is escaped."""
    kept = text if is_path(text, len(text)) else "".join(each if is_path(each, 1) else _escaped(each) for each in text)
    return kept[:most]


def is_path(text: str, most: int) -> bool:
    """Whether it is as `as_path` leaves it: characters of any language, but none that controls."""
    return len(text) <= most and _CONTROL.search(text) is None


def _may_stand(character: str) -> bool:
    return character.isprintable() or character in _JOINERS


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
