"""The door to drafts: `validate` tells everything that is wrong at once, `parse` gives the draft or refuses it.

Before: the JSON that authoring-service answered with. After: `content.packages` builds from the frozen `Draft`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from content.canonical import canonical
from content.drafts.checks import check
from content.drafts.course import Draft
from content.drafts.limits import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_PROBLEMS
from content.drafts.markup import one_course
from content.drafts.parts import take_apart
from content.errors import ContentError, InvalidInput, Problem


@dataclass(frozen=True)
class DraftReport:
    """What was found, in the order of the document; `draft` only if nothing stops a build."""

    draft: Draft | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity != "error")

    @property
    def ok(self) -> bool:
        return self.draft is not None


def validate(document: Any) -> DraftReport:
    """Judge any JSON value as a draft. Never raises."""
    if refused := _refuse(document):
        return DraftReport(None, (refused,))
    parts = take_apart(cast("dict[str, Any]", document))
    with one_course():
        problems = parts.problems + list(check(parts))
    errors = any(problem.severity == "error" for problem in problems)
    draft = None if errors else Draft.model_validate_json(json.dumps(document))
    return DraftReport(draft, _limited(problems))


def parse(document: Any) -> Draft:
    """The draft. Raises InvalidInput `draft-invalid` with every problem."""
    report = validate(document)
    if report.draft is None:
        count = len(report.errors)
        message = f"The draft has {count} {'mistake' if count == 1 else 'mistakes'}."
        raise InvalidInput("draft-invalid", message, "Correct what is named and publish again.", False, report.problems)
    return report.draft


def _refuse(document: Any) -> Problem | None:
    """What makes looking closer pointless or dear."""
    if not isinstance(document, dict):
        return Problem("", "wrong-type", "A draft is a JSON object.")
    if _too_deep(cast("Any", document)):
        return Problem("", "too-deep", f"The draft is nested deeper than {MAX_DEPTH} levels.")
    try:
        size = len(canonical(document))
    except (ContentError, UnicodeError) as error:
        return Problem("", "not-json", f"The draft holds something that JSON cannot carry: {error}")
    if size > MAX_DOCUMENT_BYTES:
        return Problem("", "too-large", f"The draft is larger than {MAX_DOCUMENT_BYTES >> 20} MiB.")
    return None


def _too_deep(document: Any) -> bool:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for value in level
            if isinstance(value, (dict, list))
            for child in (
                cast("dict[Any, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
            )
        ]
        if not level:
            return False
    return any(isinstance(value, (dict, list)) and len(cast("list[Any]", value)) > 0 for value in level)


def _limited(problems: list[Problem]) -> tuple[Problem, ...]:
    # Errors first where the list is cut, so that nothing that stops a build is hidden behind warnings.
    if len(problems) > MAX_PROBLEMS:
        problems = sorted(problems, key=lambda problem: problem.severity != "error")
        rest = len(problems) - MAX_PROBLEMS
        last = Problem("", "more-problems", f"{rest} more problems are not listed.", problems[MAX_PROBLEMS].severity)
        return (*problems[:MAX_PROBLEMS], last)
    return tuple(problems)
