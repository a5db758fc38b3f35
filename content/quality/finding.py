"""One finding of a quality report: where, what, why it counts, what to do; and the words for a place.

A place is told as its author sees the course (“unit 2 “Bleeding”, block 3 (film)”), and as the pointer that programs follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from content.drafts import Draft
from content.errors import Problem
from content.quality.rules import RULES, Severity

BLOCK_WORDS = {
    "text": "text",
    "image": "picture",
    "video": "film",
    "audio": "sound",
    "file": "file",
    "quiz": "quiz",
    "assistant": "assistant",
    "embed": "embedded package",
}
_NUMBERED = {"questions": "question", "choices": "choice", "pairs": "pair", "items": "item", "captions": "captions"}
_NAMED = {"/theme/colours": "the theme's colours", "/theme/logo": "the theme's logo", "/theme/logo_alt": "the logo"}
_MAPS = "text transcript prompt alt caption title description purpose left right correct incorrect unit logo_alt"
_LANGUAGE_MAPS = frozenset(_MAPS.split())


@dataclass(frozen=True)
class Finding:
    """`unit`: the id of the unit it is in, None for what concerns the whole course. `pointer` leads into the draft."""

    code: str
    severity: Severity
    pointer: str
    unit: str | None
    place: str
    message: str
    advice: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def finding(draft: Draft, problem: Problem) -> Finding:
    """The problem as a finding: its rule says how heavy it is. Raises KeyError for a code without a rule."""
    rule = RULES[problem.code]
    steps = _steps(problem.pointer)
    unit = draft.units[int(steps[1])].id if steps[:1] == ["units"] and len(steps) > 1 else None
    place = _NAMED.get(problem.pointer) or ", ".join(_words(draft, steps)) or "the course"
    return Finding(rule.code, rule.severity, problem.pointer, unit, place, problem.message, rule.advice, rule.reason)


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _words(draft: Draft, steps: list[str]) -> Iterator[str]:
    if steps[:1] == ["assets"] and len(steps) > 1:
        yield f"the file “{steps[1]}”"
        return
    if steps[:1] != ["units"] or len(steps) < 2:
        yield from _inner(steps)
        return
    unit = draft.units[int(steps[1])]
    yield f"unit {int(steps[1]) + 1} “{unit.title.get(draft.language, unit.id)}”"
    if steps[2:3] == ["blocks"] and len(steps) > 3:
        block = unit.blocks[int(steps[3])]
        yield f"block {int(steps[3]) + 1} ({BLOCK_WORDS[block.type]})"
        yield from _inner(steps[4:])
    else:
        yield from _inner(steps[2:])


def _inner(steps: list[str]) -> Iterator[str]:
    """What is inside of a block; the name of a language map is followed by its language."""
    before = ""
    for step in steps:
        if before in _NUMBERED and step.isdigit():
            yield f"{_NUMBERED[before]} {int(step) + 1}"
        elif before in _LANGUAGE_MAPS:
            yield f"in “{step}”"
        elif step not in _NUMBERED and step not in ("text", "asset", "feedback"):
            yield step
        before = step
