"""The player for everybody: axe-core on every page of the demo course and of one with all question kinds, in both directions,
wide and narrow; by keyboard; printed; with less motion."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from content.exports import Options
from tests.player.courses import Media, export, small_draft
from tests.player.node import node

pytestmark = [pytest.mark.xdist_group("player"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("access")
    media, jobs = Media(folder / "media"), dict[str, Any]()
    dark = {"colours": {"text": "#f2f2f2", "background": "#14181f", "accent": "#8fc1ff"}}
    courses = {"small": small_draft(), "demo": dict(media.demo.draft), "dark": small_draft(theme=dark)}
    for name, document in courses.items():
        export(document, media, folder / name, Options("html"))
        jobs[name] = {"folder": str(folder / name), "page": "index.html"}
    (folder / "jobs.json").write_text(json.dumps(jobs))
    home = folder / "chromium"
    home.mkdir()
    yield node("tests/play/access.mjs", str(folder / "jobs.json"), TMPDIR=str(home), HOME=str(home))
    shutil.rmtree(home, ignore_errors=True)


def test_axe_finds_nothing_in_either_direction(seen: dict[str, Any]) -> None:
    assert seen["axe"] == []
    assert seen["pages"] == 2 * 2 * (3 + 2 + 3) + 2 * 2
    assert seen["rules"] > 20, "axe did not look"


def test_nothing_is_wider_than_320_pixels(seen: dict[str, Any]) -> None:
    assert seen["wide"] == []


def test_everything_is_reached_by_keyboard_and_shows_that_it_is(seen: dict[str, Any]) -> None:
    assert seen["focus"] == []
    keyboard = seen["keyboard"]
    assert (keyboard["skip"], keyboard["landed"]) == ("skip", "H1")
    assert (keyboard["heading"], keyboard["focused"]) == ("Second", "H1"), "the focus follows to the next unit"


def test_the_whole_course_is_printed_with_its_transcripts(seen: dict[str, Any]) -> None:
    assert seen["prints"] == {"parts": ["First", "Second", "Third"], "hidden": True, "transcripts": True, "after": 1}


def test_who_wants_less_motion_gets_less(seen: dict[str, Any]) -> None:
    assert seen["motion"] == "auto"
