"""The demo course out of the whole service, played: built, exported in every format, downloaded by signed addresses, unzipped, and
read from start to end in Chromium; the site and a preview from the edge behind their cookies. `make test-browser` runs it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from content.exports.options import FORMATS
from serve_app.demo_course import DemoCourse, make_demo_course
from tests.player.node import node
from tests.player.playing import check_quiet, recorded, told, verbs
from tests.support.courses import Course
from tests.support.exports import file_of, made
from tests.support.running import Running
from tests.support.tenants import Tenant

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
FINISHED = "You have finished this course. Score: 5 of 5 points (100%)"


@dataclass
class Demo(Course):
    """The demo course under an id of the test's own."""

    made: DemoCourse = field(kw_only=True)

    def draft(self) -> dict[str, Any]:
        ours = {"course_id": self.course_id, "draft_id": self.draft_id, "revision": self.revision}
        return {**self.made.draft, **ours}


@pytest.fixture(scope="module")
def played(running: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("demo")
    tenant, demo = Tenant(running), make_demo_course(folder / "media")
    course = Demo(folder, made=demo)
    types = {".mp4": "video/mp4", ".png": "image/png", ".jpg": "image/jpeg", ".wav": "audio/wav"}
    course.originals = {
        asset: (path, types.get(path.suffix, "application/x-subrip")) for asset, path in demo.media.items()
    }
    tenant.publish(course)
    tenant.built(course, deadline_s=240)
    jobs: dict[str, Any] = {}
    for form in FORMATS:
        shown = made(tenant, course, form, report="passed-failed", deadline_s=120)
        file_of(shown).extractall(folder / form)
        jobs[form] = {"folder": str(folder / form), "format": form, "page": "index.html", "mastery": 0.8}
    site = made(tenant, course, "html", publish=True, deadline_s=120)["site"]
    assert site is not None
    jobs["edge"] = {"folder": str(folder), "way": "edge", "url": site["link"]}
    asked = tenant.api.ask_preview(course.draft_id, course.revision)
    tenant.api.wait(asked["job_id"], deadline_s=120)
    jobs["preview"] = {"folder": str(folder), "way": "edge", "url": tenant.api.preview(asked["preview_id"])["url"]}
    (folder / "jobs.json").write_text(json.dumps(jobs))
    home = folder / "chromium"
    home.mkdir()
    return node("tests/play/exports.mjs", str(folder / "jobs.json"), TMPDIR=str(home), HOME=str(home))


@pytest.mark.parametrize("form", ["scorm12", "scorm2004-3rd", "scorm2004-4th"])
def test_on_a_scorm_platform(played: dict[str, Any], form: str) -> None:
    found = recorded(played, form)
    check_quiet(found)
    values = told(found["first"]["calls"])
    status = "cmi.core.lesson_status" if form == "scorm12" else "cmi.success_status"
    assert values[status] == "passed"
    assert FINISHED in found["resumed"]["text"]


def test_against_record_stores(played: dict[str, Any]) -> None:
    cmi5, xapi = recorded(played, "cmi5"), recorded(played, "xapi")
    assert [session["judged"] for session in cmi5["sessions"]] == [[], []]
    assert cmi5["problems"] == xapi["problems"] == []
    for statements in (cmi5["sessions"][0]["statements"], xapi["statements"]):
        assert {"completed", "passed", "terminated"} <= set(verbs(statements))


def test_as_a_site_from_the_disk_a_server_the_edge_and_as_a_preview(played: dict[str, Any]) -> None:
    for found in (*recorded(played, "html").values(), recorded(played, "edge"), recorded(played, "preview")):
        check_quiet(found)
        assert found["finished"] == FINISHED
    assert recorded(played, "html")["disk"]["captions"] == [["en", 3, "showing"], ["ar", None, "disabled"]]
    assert "Signature" not in recorded(played, "edge")["address"], "the signature does not stay in the address"
