"""The learner's saved state as a short text: docs/player-state.md is the specification, this its Python side.

The player writes such a text into `suspend_data` (SCORM), the State API (cmi5, xAPI) or the browser's storage. Here it is
written and read to prove that both sides agree (tests/vectors/state), and measured: `worst_case` is what a passport
compares with the limit of a format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from content.errors import ContentError
from content.exports.suspend_answers import (
    below,
    decode_answer,
    encode_answer,
    from_base36,
    from_bitmap,
    longest_answer,
    to_base36,
    to_bitmap,
)

SHAPE = "1"
MAX_ATTEMPTS = 36**3 - 1
MAX_POSITION_S = 36**4 - 1
# Characters that a learning platform must keep; the other formats have no limit that a course could reach.
LIMITS = {"scorm12": 4096, "scorm2004-3rd": 64000, "scorm2004-4th": 64000}

State = Mapping[str, Any]


@dataclass(frozen=True)
class _Outline:
    """What of a course the text depends on: its blocks in document order."""

    version: int
    blocks: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, course: Mapping[str, Any]) -> _Outline:
        units = course["structure"]["units"]
        return cls(course["version"], tuple(block for unit in units for block in unit["blocks"]))

    @property
    def quizzes(self) -> list[Mapping[str, Any]]:
        return [block for block in self.blocks if block["type"] == "quiz"]

    @property
    def timed(self) -> list[Mapping[str, Any]]:
        return [block for block in self.blocks if block["type"] in ("video", "audio")]


def encode(course: Mapping[str, Any], state: State) -> str:
    """The text of a state: ASCII, without spaces or quotes.

    Attempts and positions above what the text can hold are cut to it, texts of answers to 120 characters. Raises
    ContentError `state-invalid` if the state is not one of this course.
    """
    outline = _Outline.of(course)
    try:
        if state["version"] != outline.version:
            raise ValueError(state["version"])
        quizzes = [_encode_quiz(*each) for each in zip(outline.quizzes, state["quizzes"], strict=True)]
        positions = [to_base36(min(each, MAX_POSITION_S)) if each else "" for each in state["positions"]]
        if len(positions) != len(outline.timed):
            raise ValueError(positions)
        seen = to_bitmap([below(each, len(outline.blocks)) for each in state["seen"]])
        place = to_base36(below(state["place"], max(1, len(outline.blocks))))
        return ";".join(
            (SHAPE, to_base36(outline.version), place, seen, _joined("~", quizzes), _joined(".", positions))
        )
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise ContentError("state-invalid", "This is no saved state of this course.") from error


def decode(course: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The state in a text that `encode` wrote for this course.

    Raises ContentError `state-other-version` if it is of another version of the package, `state-invalid` for any text
    that `encode` would not write; the learner then begins at the beginning.
    """
    outline = _Outline.of(course)
    try:
        shape, version, place, seen, quizzes, positions = text.split(";")
        other = from_base36(version)
    except ValueError as error:
        raise _unreadable() from error
    if shape == SHAPE and other != outline.version:
        message = f"The saved state is of version {other}, this is version {outline.version}."
        raise ContentError("state-other-version", message)
    try:
        entries = _parts("~", quizzes, len(outline.quizzes))
        state = {
            "version": outline.version,
            "place": from_base36(place),
            "seen": from_bitmap(seen, len(outline.blocks)),
            "quizzes": [_decode_quiz(*each) for each in zip(outline.quizzes, entries, strict=True)],
            "positions": [from_base36(p) if p else 0 for p in _parts(".", positions, len(outline.timed))],
        }
        if encode(course, state) != text:
            raise ValueError(text)
    except (KeyError, ValueError, ContentError) as error:
        raise _unreadable() from error
    return state


def _unreadable() -> ContentError:
    return ContentError("state-invalid", "The saved state cannot be read.")


def worst_case(course: Mapping[str, Any], unit: str | None = None) -> int:
    """Characters of the longest text that this course can lead to; with `unit`, of a learner who plays that unit alone."""
    outline = _Outline.of(course)
    if unit is None:
        played = outline.blocks
    else:
        units = course["structure"]["units"]
        played = tuple(block for each in units if each["id"] == unit for block in each["blocks"])
    ids = {block["id"] for block in played}
    last = max((at for at, block in enumerate(outline.blocks) if block["id"] in ids), default=0)
    fields = (
        len(SHAPE),
        len(to_base36(outline.version)),
        len(to_base36(last)),
        last // 6 + 1,
        _longest([_longest_quiz(quiz) if quiz["id"] in ids else 0 for quiz in outline.quizzes]),
        _longest([_longest_position(course, each) if each["id"] in ids else 0 for each in outline.timed]),
    )
    return sum(fields) + len(fields) - 1


def _encode_quiz(quiz: Mapping[str, Any], entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return ""
    attempts = to_base36(min(max(1, entry["attempts"]), quiz.get("attempts") or MAX_ATTEMPTS))
    pairs = zip(quiz["questions"], entry["answers"], strict=True)
    answers = "".join(f".{encode_answer(question, answer)}" for question, answer in pairs)
    return attempts + answers + ("!" if entry["submitted"] else "")


def _decode_quiz(quiz: Mapping[str, Any], text: str) -> dict[str, Any] | None:
    if not text:
        return None
    attempts, *answers = text.removesuffix("!").split(".")
    pairs = zip(quiz["questions"], answers, strict=True)
    return {
        "attempts": from_base36(attempts),
        "submitted": text.endswith("!"),
        "answers": [decode_answer(question, answer) for question, answer in pairs],
    }


def _longest_quiz(quiz: Mapping[str, Any]) -> int:
    attempts = len(to_base36(quiz.get("attempts") or MAX_ATTEMPTS))
    return attempts + sum(1 + longest_answer(question) for question in quiz["questions"]) + 1


def _longest_position(course: Mapping[str, Any], block: Mapping[str, Any]) -> int:
    asset = cast("Mapping[str, Any] | None", course.get("assets", {}).get(block["asset"]))
    if asset is None:
        return len(to_base36(MAX_POSITION_S))
    # A film may be given as its sound alone.
    played = [each for each in asset["renditions"] if each["role"] in (block["type"], "audio")]
    seconds = max((each.get("duration_s", MAX_POSITION_S) for each in played), default=0)
    return len(to_base36(min(math.ceil(seconds), MAX_POSITION_S))) if seconds else 0


def _longest(lengths: list[int]) -> int:
    """Of entries joined by one character, trailing empty ones cut."""
    while lengths and not lengths[-1]:
        lengths = lengths[:-1]
    return sum(lengths) + max(0, len(lengths) - 1)


def _joined(separator: str, entries: list[str]) -> str:
    return separator.join(entries).rstrip(separator)


def _parts(separator: str, text: str, count: int) -> list[str]:
    parts = text.split(separator) if text else []
    if len(parts) > count:
        raise ValueError(text)
    return [*parts, *[""] * (count - len(parts))]
