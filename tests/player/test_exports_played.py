"""Every export played from start to end in Chromium, with all other addresses blocked, and launched twice.

SCORM in the run-time of scorm-again, in a frame and in a window; cmi5 and xAPI against an LRS that judges each statement;
HTML from the disk, from a server and installed without a network. The other reports: `test_reports_played.py`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.player.playing import Jobs, check_platform, check_quiet, play, recorded, told, verbs

pytestmark = [pytest.mark.xdist_group("player"), pytest.mark.timeout(400)]
JOBS: Jobs = {
    "scorm12": ("scorm12", "passed-failed", True, None),
    "scorm2004-4th": ("scorm2004-4th", "completed-failed", False, None),
    "window": ("scorm2004-4th", "completed-incomplete", True, "window"),
    "unit": ("scorm2004-3rd", "completed-incomplete", True, None),
    "cmi5": ("cmi5", "passed-failed", True, None),
    "xapi": ("xapi", "completed-failed", False, None),
    "html": ("html", "completed-incomplete", True, None),
    "installed": ("html", "completed-incomplete", True, "installed"),
    "middle": ("html", "completed-incomplete", True, "middle"),
    "failing": ("scorm12", "completed-incomplete", True, "failing"),
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return play(JOBS, tmp_path_factory.mktemp("exports"))


@pytest.mark.parametrize("name", [name for name in JOBS if name not in ("html", "installed")])
def test_nothing_is_fetched_from_elsewhere_and_nothing_goes_wrong(played: dict[str, Any], name: str) -> None:
    check_quiet(recorded(played, name))


def test_a_scorm_1_2_platform_is_told_that_it_is_passed(played: dict[str, Any]) -> None:
    status = {"cmi.core.lesson_status": "passed", "cmi.core.score.raw": "100", "cmi.core.exit": "suspend"}
    check_platform(recorded(played, "scorm12"), status)


def test_a_scorm_2004_platform_is_told_that_it_is_failed(played: dict[str, Any]) -> None:
    status = {"cmi.completion_status": "completed", "cmi.success_status": "failed", "cmi.score.scaled": "0"}
    check_platform(recorded(played, "scorm2004-4th"), status)


def test_where_the_score_decides_there_is_none_until_all_is_handed_in(played: dict[str, Any]) -> None:
    calls = [call for call in recorded(played, "scorm12")["first"]["calls"] if "SetValue" in call[0]]
    scored = next(at for at, call in enumerate(calls) if call[1] == "cmi.core.score.raw")
    states = [call[2] for call in calls[scored:] if call[1] == "cmi.suspend_data"]
    assert "!" in states[0], "the first score comes with a quiz that is handed in"


def test_a_unit_tells_those_that_wait_for_it_that_it_is_done(played: dict[str, Any]) -> None:
    found = recorded(played, "unit")
    values = told(found["first"]["calls"])
    assert values["cmi.objectives.1.success_status"] == "passed"
    assert values["cmi.completion_status"] == "completed"
    assert found["resumed"]["heading"] == "Second"
    assert found["resumed"]["results"] == ["8 of 8 points"]


def test_a_course_in_a_window_of_its_own_finds_its_platform(played: dict[str, Any]) -> None:
    calls = recorded(played, "window")["calls"]
    assert ["Initialize", "", "true", "0"] in calls
    assert ["Commit", "", "true", "0"] in calls
    assert calls[-1] == ["Terminate", "", "true", "0"]


def test_cmi5_sessions_are_as_the_profile_asks(played: dict[str, Any]) -> None:
    found = recorded(played, "cmi5")
    first, second = found["sessions"]
    assert found["problems"] == []
    assert first["judged"] == second["judged"] == []
    assert verbs(first["statements"]) == ["initialized", *["answered"] * 7, "completed", "passed", "terminated"]
    assert verbs(second["statements"]) == ["initialized", "terminated"], "completed and passed are told once"
    passed = next(each for each in first["statements"] if each["verb"]["id"].endswith("passed"))
    assert passed["result"]["score"]["scaled"] == 1
    assert "You have finished this course." in second["shown"]


def test_xapi_statements_are_valid_and_the_state_comes_back(played: dict[str, Any]) -> None:
    found = recorded(played, "xapi")
    assert found["problems"] == []
    first = ["initialized", *["answered"] * 7, "completed", "failed", "terminated"]
    assert verbs(found["statements"]) == [*first, "initialized", "terminated"]
    assert "You have finished this course." in found["shown"][1]


@pytest.mark.parametrize("origin", ["disk", "server"])
def test_a_site_plays_from_the_disk_and_from_a_server(played: dict[str, Any], origin: str) -> None:
    found = recorded(played, "html")[origin]
    assert found["outside"] == found["errors"] == []
    assert found["finished"] == found["again"]
    assert "8 of 8 points" in found["finished"]


def test_captions_show_from_the_disk_too(played: dict[str, Any]) -> None:
    for origin in ("disk", "server"):
        captions = recorded(played, "html")[origin]["captions"]
        assert captions == [["en", 3, "showing"], ["ar", None, "disabled"]]


def test_an_installed_site_needs_no_network(played: dict[str, Any]) -> None:
    found = recorded(played, "installed")
    assert found["offline"] and found["broken"] == 0
    assert found["link"].endswith("manifest.webmanifest")


def test_one_goes_on_in_the_middle_of_a_film_and_of_a_quiz(played: dict[str, Any]) -> None:
    found = recorded(played, "middle")
    assert found["heading"] == "Second"
    single, _multiple, _true_false, _numeric, words, pairs, _order = found["answers"]
    assert (single, words, pairs) == (["1"], ["Ibn al-Haytham"], ["0", "1", "2"])
    assert found["film"] == pytest.approx(found["filmed"], abs=1.0)


def test_what_a_platform_does_not_take_is_kept_and_told_and_sent_at_the_next_launch(played: dict[str, Any]) -> None:
    found = recorded(played, "failing")
    assert "Not saved yet: it is kept on this device" in found["sign"]
    assert found["again"] == {"heading": "Second", "results": ["8 of 8 points"]}
    assert found["handedOver"]
