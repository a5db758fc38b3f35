"""A tenant may choose findings that it does not publish courses with: the build then ends with the place of each."""

from __future__ import annotations

from collections.abc import Iterable

from content.errors import InvalidInput, Problem
from content.quality.assessment import Report


def refuse_findings(report: Report, failing: Iterable[str]) -> None:
    """Raises InvalidInput `quality-refused` if the report has a finding of these codes."""
    chosen = frozenset(failing)
    found = [each for each in report.findings if each.code in chosen]
    if not found:
        return
    problems = tuple(Problem(each.pointer, each.code, f"{each.message} {each.advice}") for each in found)
    what = "One finding" if len(found) == 1 else f"{len(found)} findings"
    message = f"{what} of the quality report may not be in a published course here."
    remedy = "Mend what is named and publish again, or have an administrator change the setting failing_findings."
    raise InvalidInput("quality-refused", message, remedy, False, problems)
