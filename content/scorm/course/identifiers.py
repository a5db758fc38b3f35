"""Identifiers made valid (xs:ID, that is an NCName) and unique in the document; the same document gives the same ones.

White space around is dropped, as XML Schema has it. Letters that may not stand there become `_`, a first one that may not begin
gets one before it, and who comes second by a name gets `-2`. Names differ by case: SEQ01 and Seq01 are two.
"""

from __future__ import annotations

import re

from content.scorm.findings import Findings

MAX_LENGTH = 200
_START = (
    "A-Z_a-z\xc0-\xd6\xd8-\xf6\xf8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f"
    "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_MORE = f"{_START}.0-9\xb7\u0300-\u036f\u203f-\u2040-"
_VALID = re.compile(f"[{_START}][{_MORE}]*")
_BAD = re.compile(f"[^{_MORE}]")


class Identifiers:
    """Hands them out. Who asks first keeps its name, so whoever content calls by name asks first: items."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def reserve(self, name: str) -> None:
        """Stands in the document already and is kept as it is."""
        self._taken.add(name)

    def claim(self, raw: str | None, kind: str, place: str) -> str:
        """`kind`: what it is called where nothing is said (`item`, numbered) and in the report."""
        name = (raw or "").strip()
        if not name:
            made = self._free(f"{kind}-1")
            self._found.warn("identifier-missing", place, f"This {kind} has no identifier; it is called “{made}”.")
            return made
        valid = valid_id(name)
        made = self._free(valid)
        if valid != name:
            message = f"“{name}” is no valid identifier (xs:ID); it became “{made}”."
            self._found.warn("identifier-invalid", place, message)
        elif made != name:
            message = f"“{name}” is the identifier of something else too; this {kind} became “{made}”."
            self._found.warn("identifier-duplicate", place, message)
        return made

    def _free(self, wanted: str) -> str:
        made = wanted
        if made in self._taken:
            stem = wanted.removesuffix("-1")
            n = self._next.get(stem, 2)
            while (made := f"{stem}-{n}") in self._taken:
                n += 1
            self._next[stem] = n + 1
        self._taken.add(made)
        return made


def valid_id(name: str) -> str:
    """The nearest NCName of at most MAX_LENGTH characters."""
    if len(name) <= MAX_LENGTH and _VALID.fullmatch(name):
        return name
    made = _BAD.sub("_", name[:MAX_LENGTH])
    return made if _VALID.match(made) else f"_{made}"
