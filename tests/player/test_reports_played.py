"""All four reports in both SCORM families, and the ways in which they differ; `make test-browser` runs them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.player.playing import Jobs, check_platform, check_quiet, play, recorded, verbs

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("player"), pytest.mark.timeout(900)]
REPORTS = ("passed-incomplete", "passed-failed", "completed-incomplete", "completed-failed")
# report → what is told of a learner who reached the mark, and of one who did not: 1.2, then completion and success of 2004
PROMISED = {
    "passed-incomplete": (("passed", "completed", "passed"), ("incomplete", "incomplete", "unknown")),
    "passed-failed": (("passed", "completed", "passed"), ("failed", "completed", "failed")),
    "completed-incomplete": (("completed", "completed", "unknown"), ("completed", "completed", "unknown")),
    "completed-failed": (("completed", "completed", "unknown"), ("failed", "completed", "failed")),
}
JOBS: Jobs = {
    **{f"1.2 {report} {right}": ("scorm12", report, right, None) for report in REPORTS for right in (True, False)},
    **{f"2004 {report} {right}": ("scorm2004-3rd", report, right, None) for report in REPORTS for right in (True, False)},
    "cmi5": ("cmi5", "completed-failed", True, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    names = {name: name.replace(" ", "-").replace(".", "-") for name in JOBS}
    found = play({names[name]: job for name, job in JOBS.items()}, tmp_path_factory.mktemp("reports"))
    return {name: found[there] for name, there in names.items()}


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("edition", ["1.2", "2004"])
def test_the_platform_is_told_what_the_report_promises(
    played: dict[str, Any], edition: str, report: str, right: bool
) -> None:
    lesson, completion, success = PROMISED[report][0 if right else 1]
    found = recorded(played, f"{edition} {report} {right}")
    check_quiet(found)
    if edition == "1.2":
        check_platform(found, {"cmi.core.lesson_status": lesson})
    else:
        check_platform(found, {"cmi.completion_status": completion, "cmi.success_status": success})


def test_cmi5_is_told_passed_beside_completed_where_it_moves_on_by_both(played: dict[str, Any]) -> None:
    (first, _) = recorded(played, "cmi5")["sessions"]
    assert first["judged"] == []
    assert verbs(first["statements"])[-3:] == ["completed", "passed", "terminated"]
