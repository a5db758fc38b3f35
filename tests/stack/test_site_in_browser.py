"""A published export in a real browser: opened by its link on the tenant's own origin, played to its end, found again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.player.node import node
from tests.support.exports import made
from tests.support.running import Running
from tests.support.tenants import Tenant

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """For the browser, which is unpacked there."""
    folder = tmp_path / "chromium"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_learner_opens_a_site_by_its_link_and_comes_back(running: Running, temporary: Path) -> None:
    school, other = Tenant(running), Tenant(running)
    course = school.course().text().picture("square", seed=3).film("film", captions=True).quiz()
    school.publish(course)
    school.built(course)
    site = made(school, course, "html", publish=True)["site"]
    assert site is not None
    stolen = site["url"].replace(school.name, other.name, 1)
    found = node("tests/play/site.mjs", site["link"], stolen, TMPDIR=str(temporary), HOME=str(temporary))
    assert found["shown"].partition("#")[0] == site["url"]
    assert (found["errors"], found["outside"]) == ([], [])
    assert found["finished"] and found["kept"] == found["finished"]
    assert all(width > 0 for width in found["pictures"])
    # Scripts of the page see no cookie; each is of this origin and this folder alone.
    folder = urlsplit(site["url"]).path.rpartition("/")[0] + "/"
    assert found["scripts"] == "" and len(found["cookies"]) == 4
    for cookie in found["cookies"]:
        assert (cookie["domain"], cookie["path"], cookie["httpOnly"]) == (urlsplit(site["url"]).hostname, folder, True)
    assert (found["elsewhere"], found["withoutLink"]) == (404, 403)
