"""The learner's page in Chromium, against the whole stack: a device is set up, a bundle comes, and it plays without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from cluster.local import publishing
from cluster.local.identity import DEMO_LEARNER
from cluster.local.learner_page import PATH
from tasks.bootstrap import FIRST_TENANT
from tests.player.node import NODE, PLAYER
from tests.support.courses import Course
from tests.support.running import Running

pytestmark = pytest.mark.timeout(300)


def test_a_device_in_the_browser_syncs_goes_offline_and_plays(running: Running, tmp_path: Path) -> None:
    course = Course(running.media).text().picture("square", seed=3).film("film", captions=True).sound("note").quiz()
    publishing.publish_draft(
        running.home.path, FIRST_TENANT, course.draft(), course.originals, course_id=course.course_id,
        draft_id=course.draft_id, revision=course.revision,
    )  # fmt: skip
    publishing.enrol(
        running.home.path, FIRST_TENANT, enrollment_id=f"page-{course.course_id}", learner_id=DEMO_LEARNER,
        course_id=course.course_id,
    )  # fmt: skip
    url = f"{running.settings.learner_origin}{PATH}/"
    done = subprocess.run(
        [NODE, "tests/play/learner.mjs", url], cwd=PLAYER, capture_output=True, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    shutil.rmtree(tmp_path, ignore_errors=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["errors"] == []
    assert found["offline"] == "You are offline. What is on this device can be used."
    assert all(found["images"])
    assert found["finished"].startswith("You have finished this course.")
    assert found["again"] == found["finished"], "what was done is there again after the page was closed"


def test_the_page_has_a_strict_policy_and_its_sign_in_gives_a_token_for_registering_alone(running: Running) -> None:
    url = f"{running.settings.learner_origin}{PATH}/"
    page = httpx.get(url)
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy and "unsafe" not in policy
    session = httpx.post(f"{url}session").json()
    assert (session["tenant"], session["learner"]) == (FIRST_TENANT, DEMO_LEARNER)
    refused = httpx.get(
        f"{running.settings.api_url}/v1/packages", headers={"Authorization": f"Bearer {session['token']}"}
    )
    assert refused.status_code == 403
