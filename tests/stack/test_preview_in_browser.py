"""A preview in a real browser: it says what it is in every language, plays like the course, and leaves nothing that would outlive it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster.local import publishing
from tests.player.node import PLAYER, node
from tests.support.tenants import Tenant

pytestmark = pytest.mark.timeout(300)
LANGUAGES = ("en", "ar", "fr", "es")


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """For the browser, which is unpacked there."""
    folder = tmp_path / "chromium"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_an_author_sees_that_it_is_a_preview(tenant: Tenant, temporary: Path) -> None:
    course = tenant.course().text().picture("square", seed=6).quiz()
    draft = course.draft()
    draft["translations"] = [tag for tag in LANGUAGES if tag != "en"]
    draft["title"] |= dict.fromkeys(draft["translations"], "Another title")
    publishing.put_media(tenant.home, tenant.name, course.originals)
    publishing.put_draft(tenant.home, tenant.name, draft, draft_id=course.draft_id, revision=1)
    asked = tenant.api.ask_preview(course.draft_id, 1)
    tenant.api.wait(asked["job_id"])
    link = tenant.api.preview(asked["preview_id"])["url"]
    assert link is not None
    found = node("tests/play/preview.mjs", link, TMPDIR=str(temporary), HOME=str(temporary))
    words = {tag: json.loads((PLAYER / "locales" / f"{tag}.json").read_text())["preview"] for tag in LANGUAGES}
    assert found["told"] == words and len(set(words.values())) == len(LANGUAGES)
    assert found["seen"] and not found["wide"] and found["errors"] == []
    assert "You have finished this course." in found["finished"]
    assert found["address"].partition("#")[0] == link.partition("?")[0].replace("/_open/", "/", 1)
    # No worker keeps it; what the player keeps stands under the preview's own id, away from the published course.
    assert found["workers"] == 0
    assert found["kept"] and all(urlsplit(key).path.split("/")[2] == asked["preview_id"] for key in found["kept"])
