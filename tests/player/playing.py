"""Playing exports in Chromium: which ones, how, and what was recorded. One browser plays all that a test file asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from content.exports import Options
from tests.player.courses import Media, export, small_draft
from tests.player.node import node

MASTERY = 0.8
Jobs = dict[str, tuple[str, str, bool, str | None]]
"""Name → format, report, whether the learner answers right, and the way it is launched."""


def play(jobs: Jobs, folder: Path) -> dict[str, Any]:
    """What was recorded, by name."""
    media, told = Media(folder / "media"), dict[str, Any]()
    for name, (form, report, right, way) in jobs.items():
        packaging = "unit" if name == "unit" else "course"
        export(small_draft(), media, folder / name, Options(form, report=report, mastery=MASTERY, packaging=packaging))
        # What the manifest tells the platform.
        mastery = MASTERY if report == "passed-failed" or form == "cmi5" else None
        page = "unit-02.html" if packaging == "unit" else "index.html"
        more = {"mastery": mastery, "moveOn": "Passed", "objectives": ["other", "done"] if packaging == "unit" else []}
        told[name] = {"folder": str(folder / name), "format": form, "page": page, "right": right, "way": way, **more}
    (folder / "jobs.json").write_text(json.dumps(told))
    home = folder / "chromium"
    home.mkdir()
    return node("tests/play/exports.mjs", str(folder / "jobs.json"), TMPDIR=str(home), HOME=str(home))


def recorded(played: dict[str, Any], name: str) -> dict[str, Any]:
    assert "failed" not in played[name], played[name]["failed"]
    return played[name]


def told(calls: list[list[str]]) -> dict[str, str]:
    """The last value of each element that was set."""
    return {call[1]: call[2] for call in calls if "SetValue" in call[0]}


def verbs(statements: list[dict[str, Any]]) -> list[str]:
    return [statement["verb"]["id"].rpartition("/")[2] for statement in statements]


def check_platform(found: dict[str, Any], status: dict[str, str]) -> None:
    """A SCORM platform was told what the choice of report promises, refused nothing, and a second launch went on from there."""
    calls = found["first"]["calls"]
    values = told(calls)
    assert status.items() <= values.items()
    assert [call for call in calls if "SetValue" in call[0] and call[-1] != "0"] == [], "a value was refused"
    assert {call[-2] for call in calls if "Commit" in call[0]} == {"true"}
    assert calls[0][0].endswith("Initialize") and calls[-1][0] in ("LMSFinish", "Terminate")
    kinds = [value for element, value in values.items() if element.endswith(".type")]
    assert kinds == ["choice", "choice", "true-false", "numeric", "fill-in", "matching", "sequencing"]
    assert found["resumed"]["heading"] == "Third"
    after = told(found["second"]["calls"])
    assert values["cmi.suspend_data"].split(";")[3:] == after["cmi.suspend_data"].split(";")[3:]
    lower = {name for name, value in status.items() if after.get(name, value) != value}
    assert not lower, "the second launch took back what the first one told"
    assert "You have finished this course." in found["resumed"]["text"]


def check_quiet(found: dict[str, Any]) -> None:
    """Nothing was asked of any other address, and nothing went wrong in the page."""
    assert found["outside"] == []
    # A state that is not there yet is answered with 404 (xAPI 2.3), which Chromium writes to its console.
    assert [error for error in found["errors"] if "404" not in error] == []
