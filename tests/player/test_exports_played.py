"""Every export played from start to end in Chromium, with all other addresses blocked, and launched twice.

SCORM in the run-time of scorm-again, in a frame and in a window; cmi5 and xAPI against an LRS that judges each statement;
HTML from the disk, from a server and installed without a network.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from content.exports import Options
from tests.player.courses import Media, export, small_draft
from tests.player.node import node

pytestmark = [pytest.mark.xdist_group("player"), pytest.mark.timeout(400)]
MASTERY = 0.8
# name → format, report, whether the learner answers right, and the way it is launched
JOBS: dict[str, tuple[str, str, bool, str | None]] = {
    "scorm12": ("scorm12", "passed-failed", True, None),
    "scorm12-missed": ("scorm12", "passed-failed", False, None),
    "scorm12-completed": ("scorm12", "completed-incomplete", False, None),
    "scorm2004-3rd": ("scorm2004-3rd", "passed-incomplete", True, None),
    "scorm2004-4th": ("scorm2004-4th", "passed-failed", True, None),
    "scorm2004-missed": ("scorm2004-4th", "completed-failed", False, None),
    "window": ("scorm2004-4th", "completed-incomplete", True, "window"),
    "unit": ("scorm2004-3rd", "completed-incomplete", True, None),
    "cmi5": ("cmi5", "passed-failed", True, None),
    "cmi5-completed": ("cmi5", "completed-failed", True, None),
    "xapi": ("xapi", "completed-failed", False, None),
    "html": ("html", "completed-incomplete", True, None),
    "installed": ("html", "completed-incomplete", True, "installed"),
}


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("chromium")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> dict[str, Any]:
    """What was recorded, by job; one browser for all."""
    folder = tmp_path_factory.mktemp("exports")
    media, jobs = Media(folder / "media"), dict[str, Any]()
    for name, (form, report, right, way) in JOBS.items():
        packaging = "unit" if name == "unit" else "course"
        export(small_draft(), media, folder / name, Options(form, report=report, mastery=MASTERY, packaging=packaging))
        # What the manifest tells the platform.
        mastery = MASTERY if report == "passed-failed" or form == "cmi5" else None
        page = "unit-02.html" if packaging == "unit" else "index.html"
        told = {"mastery": mastery, "moveOn": "Passed", "objectives": ["other", "done"] if packaging == "unit" else []}
        jobs[name] = {"folder": str(folder / name), "format": form, "page": page, "right": right, "way": way, **told}
    (folder / "jobs.json").write_text(json.dumps(jobs))
    return node("tests/play/exports.mjs", str(folder / "jobs.json"), TMPDIR=str(temporary), HOME=str(temporary))


def done(played: dict[str, Any], name: str) -> dict[str, Any]:
    assert "failed" not in played[name], played[name]["failed"]
    return played[name]


def told(calls: list[list[str]]) -> dict[str, str]:
    """The last value of each element that was set."""
    return {name: value for call, name, value, *_ in (c for c in calls if "SetValue" in c[0]) for call in [call]}


@pytest.mark.parametrize("name", [name for name in JOBS if name not in ("html", "installed")])
def test_nothing_is_fetched_from_elsewhere_and_nothing_goes_wrong(played: dict[str, Any], name: str) -> None:
    found = done(played, name)
    assert found["outside"] == []
    # A state that is not there yet is answered with 404 (xAPI 2.3), which Chromium writes to its console.
    assert [error for error in found["errors"] if "404" not in error] == []


STATUS = {
    "scorm12": {"cmi.core.lesson_status": "passed", "cmi.core.score.raw": "100"},
    "scorm12-missed": {"cmi.core.lesson_status": "failed", "cmi.core.score.raw": "0"},
    "scorm12-completed": {"cmi.core.lesson_status": "completed"},
    "scorm2004-3rd": {"cmi.completion_status": "completed", "cmi.success_status": "passed", "cmi.score.scaled": "1"},
    "scorm2004-4th": {
        "cmi.completion_status": "completed",
        "cmi.success_status": "passed",
        "cmi.progress_measure": "1",
    },
    "scorm2004-missed": {"cmi.completion_status": "completed", "cmi.success_status": "failed", "cmi.score.scaled": "0"},
}


@pytest.mark.parametrize("name", list(STATUS))
def test_the_platform_is_told_what_the_choice_of_report_promises(played: dict[str, Any], name: str) -> None:
    calls = done(played, name)["first"]["calls"]
    values = told(calls)
    assert STATUS[name].items() <= values.items()
    assert [call for call in calls if "SetValue" in call[0] and call[-1] != "0"] == [], "a value was refused"
    assert [call[-2] for call in calls if "Commit" in call[0]] == ["true"] * sum("Commit" in call[0] for call in calls)
    assert calls[0][0].endswith("Initialize") and calls[-1][0] in ("LMSFinish", "Terminate")
    kinds = [value for element, value in values.items() if element.endswith(".type")]
    assert kinds == ["choice", "choice", "true-false", "numeric", "fill-in", "matching", "sequencing"]


@pytest.mark.parametrize("name", list(STATUS))
def test_a_second_launch_goes_on_where_the_first_one_ended(played: dict[str, Any], name: str) -> None:
    found = done(played, name)
    assert found["resumed"]["heading"] == "Third"
    before, after = told(found["first"]["calls"]), told(found["second"]["calls"])
    assert before["cmi.suspend_data"].split(";")[3:] == after["cmi.suspend_data"].split(";")[3:]
    assert STATUS[name].items() <= after.items(), "the second launch told less than the first"
    assert "You have finished this course." in found["resumed"]["text"]


def test_where_the_score_decides_there_is_none_until_all_is_handed_in(played: dict[str, Any]) -> None:
    calls = done(played, "scorm12")["first"]["calls"]
    scored = next(at for at, call in enumerate(calls) if call[1] == "cmi.core.score.raw")
    assert any(call[1] == "cmi.suspend_data" and not call[2].endswith("!;") for call in calls[:scored]), (
        "it saved before"
    )
    assert "!" in next(call[2] for call in reversed(calls[:scored]) if call[1] == "cmi.suspend_data")


def test_a_unit_tells_those_that_wait_for_it_that_it_is_done(played: dict[str, Any]) -> None:
    found = done(played, "unit")
    values = told(found["first"]["calls"])
    assert values["cmi.objectives.1.success_status"] == "passed"
    assert values["cmi.completion_status"] == "completed"
    assert found["resumed"]["heading"] == "Second"
    assert found["resumed"]["results"] == ["8 of 8 points"]


def test_a_course_in_a_window_of_its_own_finds_its_platform(played: dict[str, Any]) -> None:
    calls = done(played, "window")["calls"]
    assert ["Initialize", "", "true", "0"] in calls
    assert ["Commit", "", "true", "0"] in calls
    assert calls[-1] == ["Terminate", "", "true", "0"]


def verbs(statements: list[dict[str, Any]]) -> list[str]:
    return [statement["verb"]["id"].rpartition("/")[2] for statement in statements]


def test_cmi5_sessions_are_as_the_profile_asks(played: dict[str, Any]) -> None:
    found = done(played, "cmi5")
    first, second = found["sessions"]
    assert found["problems"] == []
    assert first["judged"] == second["judged"] == []
    assert verbs(first["statements"]) == ["initialized", *["answered"] * 7, "completed", "passed", "terminated"]
    assert verbs(second["statements"]) == ["initialized", "terminated"], "completed and passed are told once"
    completed = done(played, "cmi5-completed")["sessions"][0]
    assert completed["judged"] == []
    assert verbs(completed["statements"])[-3:] == ["completed", "passed", "terminated"]
    passed = next(each for each in first["statements"] if each["verb"]["id"].endswith("passed"))
    assert passed["result"]["score"]["scaled"] == 1
    assert "You have finished this course." in second["shown"]


def test_xapi_statements_are_valid_and_the_state_comes_back(played: dict[str, Any]) -> None:
    found = done(played, "xapi")
    assert found["problems"] == []
    assert verbs(found["statements"]) == ["initialized", *["answered"] * 7, "completed", "failed", "terminated", "initialized", "terminated"]  # fmt: skip
    assert "You have finished this course." in found["shown"][1]


@pytest.mark.parametrize("origin", ["disk", "server"])
def test_a_site_plays_from_the_disk_and_from_a_server(played: dict[str, Any], origin: str) -> None:
    found = done(played, "html")[origin]
    assert found["outside"] == found["errors"] == []
    assert found["finished"] == found["again"]
    assert "8 of 8 points" in found["finished"]


def test_captions_show_from_the_disk_too(played: dict[str, Any]) -> None:
    for origin in ("disk", "server"):
        assert done(played, "html")[origin]["captions"] == [["en", 3, "showing"], ["ar", None, "disabled"]]


def test_an_installed_site_needs_no_network(played: dict[str, Any]) -> None:
    found = done(played, "installed")
    assert found["offline"] and found["broken"] == 0
    assert found["link"].endswith("manifest.webmanifest")
