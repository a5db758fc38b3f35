"""`python -m tests.player.measured`: the checks of an export's passport that only a browser can make, for this exporter and player.

Plays a course with every sort of block and question in each format and writes `cluster/player/measured.json`, which goes into
the repository. It holds for exactly the player and exporter that it names; a test says when it has to be made anew.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster import player
from content.exports import EXPORTER_VERSION, FORMATS
from tests.player.playing import Jobs, check_quiet, play

PASSED, FAILED = "passed", "failed"
FINISHED = "You have finished this course."


def main() -> int:
    jobs: Jobs = {}
    for form in FORMATS:
        jobs[form] = (form, "completed-incomplete", True, None)
        jobs[f"{form}-launches"] = (form, "completed-incomplete", True, "launches")
    with tempfile.TemporaryDirectory(prefix="content-measured-") as folder:
        found = play(jobs, Path(folder))
    browser = f"Chromium {found['browser']}"
    document = {
        "player": player.load().version,
        "exporter": EXPORTER_VERSION,
        "browser": browser,
        "formats": {form: _checks(form, found, browser) for form in FORMATS},
    }
    player.MEASURED.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    results = [check["result"] for checks in document["formats"].values() for check in checks.values()]
    sys.stderr.write(f"{results.count(PASSED)} of {len(results)} passed in {browser}\n")
    return 0 if results.count(PASSED) == len(results) else 1


def _checks(form: str, found: dict[str, Any], browser: str) -> dict[str, dict[str, str]]:
    whole, opened = found[form], found[f"{form}-launches"]
    checks = {
        "network-blocked-play": _result(lambda: _quiet(form, whole), f"Played from start to end in {browser}."),
        "resume": _result(lambda: _resumed(form, whole), f"Launched again in {browser}: it went on where it was."),
    }
    if form != "html":
        for name, how in (("iframe-launch", "iframe"), ("popup-launch", "popup")):
            checks[name] = _result(lambda how=how: check_quiet(opened[how]), f"Opened and saved in {browser}.")
    return checks


def _result(check: Callable[[], None], detail: str) -> dict[str, str]:
    try:
        check()
    except (AssertionError, KeyError) as error:
        return {"result": FAILED, "detail": f"{type(error).__name__}: {error}"[:300]}
    return {"result": PASSED, "detail": detail}


def _quiet(form: str, whole: dict[str, Any]) -> None:
    for each in whole.values() if form == "html" else (whole,):
        check_quiet(each)


def _resumed(form: str, whole: dict[str, Any]) -> None:
    shown = {
        "html": lambda: [whole["disk"]["again"], whole["server"]["again"]],
        "cmi5": lambda: [whole["sessions"][1]["shown"]],
        "xapi": lambda: [whole["shown"][1]],
    }.get(form, lambda: [whole["resumed"]["text"]])()
    assert all(FINISHED in text for text in shown), shown


if __name__ == "__main__":
    sys.exit(main())
