"""What was found in a package: a code, a place, and a sentence for the author of the course.

Warnings say what was wrong and what was assumed; errors say why the package was refused. Several are told at once, each once.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from content.errors import ContentError
from content.scorm.model import Edition

MAX_TEXT = 500
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji are not written without


@dataclass(frozen=True)
class Finding:
    """`place`: a path in the zip, or a path and where in it (`imsmanifest.xml:12`, `imsmanifest.xml#item_1`)."""

    code: str
    place: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"code": self.code, "place": self.place, "message": self.message}


@dataclass(eq=False)
class PackageRefused(ContentError):
    """The package is not taken; all reasons that could be told."""

    errors: tuple[Finding, ...] = ()


@dataclass
class Findings:
    """Collects; of one code at most `most` are kept one by one, the others are counted. `edition`: as soon as it is known, so
    that a refusal tells it too."""

    most: int = 50
    warnings: list[Finding] = field(default_factory=list[Finding])
    errors: list[Finding] = field(default_factory=list[Finding])
    edition: Edition | None = None
    _counts: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def warn(self, code: str, place: str, message: str) -> None:
        self._add(self.warnings, "warning", code, place, message)

    def error(self, code: str, place: str, message: str) -> None:
        self._add(self.errors, "error", code, place, message)

    def refuse(self) -> PackageRefused:
        """What to raise once there is an error."""
        first = self.errors[0]
        more = len(self.errors) - 1
        message = first.message + (
            f" There {'is 1 more reason' if more == 1 else f'are {more} more reasons'}." if more else ""
        )
        return PackageRefused("package-refused", message, "See the report.", False, tuple(self.errors))

    def require(self) -> None:
        """Raises PackageRefused if there is an error."""
        if self.errors:
            raise self.refuse()

    def all_warnings(self) -> tuple[Finding, ...]:
        """With a line for those that were only counted."""
        rest = [
            (code, n - self.most) for (kind, code), n in self._counts.items() if kind == "warning" and n > self.most
        ]
        return (*self.warnings, *(Finding(code, "", f"There are {n} more of this kind.") for code, n in rest))

    def _add(self, to: list[Finding], kind: str, code: str, place: str, message: str) -> None:
        seen = self._counts.get((kind, code), 0)
        if seen < self.most:  # of what is only counted nothing is written down
            finding = Finding(code, printable(place), printable(message))
            if finding in to:
                return
            to.append(finding)
        self._counts[kind, code] = seen + 1


def printable(text: str) -> str:
    """The text as it may be shown in a terminal or page: no control or direction characters, of bounded length."""
    shown = "".join(map(_printable, text[: MAX_TEXT + 1]))
    return shown if len(shown) <= MAX_TEXT else f"{shown[:MAX_TEXT]}…"


def _printable(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    return " " if unicodedata.category(character) == "Zs" else "\N{REPLACEMENT CHARACTER}"
