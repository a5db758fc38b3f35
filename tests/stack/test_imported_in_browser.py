"""An imported package in a real browser, against the whole stack: online on an origin of its own, and out of a bundle without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest

from cluster.edge.content_origins import address_of, label_of
from cluster.local import publishing
from cluster.local.identity import DEMO_LEARNER, mint_token
from cluster.local.learner_page import PATH
from serve_app.client import Client
from tasks.bootstrap import FIRST_TENANT
from tests.player.node import node
from tests.player.packages import shared
from tests.player.playing import told
from tests.support.imports import imported
from tests.support.running import Running
from tests.support.sites import Visitor
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
COURSE, TITLE, AROUND = "golf-in-browser", "Golf Explained", "A course around it"


@dataclass(frozen=True)
class Demo:
    """The tenant whose learner the page is of."""

    running: Running
    api: Client
    name: str = FIRST_TENANT


@pytest.fixture
def demo(running: Running) -> Tenant:
    token = mint_token(running.home.path, FIRST_TENANT, ["operator"], "operator")
    return cast("Tenant", Demo(running, Client(running.settings.api_url, token=token)))


@pytest.fixture
def enrolled(running: Running) -> Iterator[None]:
    """The page's learner, in both courses and out of them again: others set up devices of the same learner."""
    courses = (COURSE, f"around-{COURSE}")
    for course in courses:
        publishing.enrol(
            running.home.path, FIRST_TENANT, enrollment_id=f"e-{course}", learner_id=DEMO_LEARNER, course_id=course
        )
    yield
    for course in courses:
        publishing.cancel(running.home.path, FIRST_TENANT, enrollment_id=f"e-{course}", reason="the test is over")
    left = "select 1 from enrolments where enrollment_id = any(%s) and state = 'active'"
    until("nobody is in them", lambda: not running.rows(left, [f"e-{course}" for course in courses]), 30)


@pytest.fixture
def temporary(tmp_path: Path) -> Iterator[Path]:
    """For the browser, which is unpacked there."""
    folder = tmp_path / "chromium"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _course_with(running: Running, package_id: str) -> None:
    """A course that embeds the package, for the same learner."""
    blocks = [
        {"type": "text", "id": "t1", "text": {"en": "Now play."}},
        {"type": "embed", "id": "e1", "package": package_id, "title": {"en": "Golf"}},
    ]
    draft = {
        "language": "en", "title": {"en": AROUND}, "description": {"en": "For tests"}, "license": "CC-BY-4.0",
        "units": [{"id": "u1", "title": {"en": "One"}, "blocks": blocks}],
    }  # fmt: skip
    publishing.publish_draft(
        running.home.path, FIRST_TENANT, draft, {}, course_id=f"around-{COURSE}", draft_id=f"d-{COURSE}", revision=1
    )


def published(tenant: Tenant, package: str, course: str) -> tuple[str, dict[str, Any]]:
    """(package's id, its site)."""
    found = imported(tenant, shared(package).read_bytes(), course=course)
    assert found["state"] == "accepted" and found["package_id"] is not None
    asked = tenant.api.ask_export(found["package_id"], "html", publish=True)
    tenant.api.wait(asked["job_id"], deadline_s=60)
    site = tenant.api.export(asked["export_id"])["site"]
    assert site is not None
    return found["package_id"], cast("dict[str, Any]", site)


@pytest.mark.usefixtures("enrolled")
def test_a_package_is_imported_and_played_online_and_out_of_its_bundle(
    running: Running, demo: Tenant, temporary: Path
) -> None:
    package_id, site = published(demo, "scorm12__RuntimeBasicCalls_SCORM12", COURSE)
    _course_with(running, package_id)
    own = address_of(running.settings.site_url, FIRST_TENANT, package_id)
    assert site["url"].startswith(f"{own}/exports/{FIRST_TENANT}/{package_id}/1/")
    plain = running.settings.site_url.format(tenant=FIRST_TENANT)
    page, stolen = f"{running.settings.learner_origin}{PATH}/", site["url"].replace(own, plain)
    found = node(
        "tests/play/learner-package.mjs", page, site["link"], stolen, TITLE, AROUND, TMPDIR=str(temporary), HOME=str(temporary),
    )  # fmt: skip
    assert [error for error in found["errors"] if "404" not in error] == []
    # Online: on its own origin, with cookies of that alone; the tenant's origin knows nothing of it.
    assert told(found["online"]) == {"cmi.core.lesson_status": "incomplete", "cmi.core.lesson_location": "2"}
    assert found["again"][2] == ["LMSGetValue", "cmi.core.lesson_location", "2", "0"]
    assert found["shown"] == site["url"] and found["stolen"] == 404
    assert {(each["domain"], each["httpOnly"]) for each in found["cookies"]} == {(urlsplit(own).hostname, True)}
    # Offline: decrypted by the page, played on the package's origin, kept by the page.
    assert found["status"] == "This device has everything." and found["offline"].startswith("You are offline.")
    assert found["origin"] == own and found["reach"] == "SecurityError"
    assert told(found["played"]) == {"cmi.core.lesson_status": "incomplete", "cmi.core.lesson_location": "3"}
    assert found["pictures"] and all(width > 0 for width in found["pictures"])
    assert found["resumed"][2] == ["LMSGetValue", "cmi.core.lesson_location", "3", "0"]
    (kept,) = found["kept"]
    assert kept["items"]["item_1"]["cmi"]["cmi.core.lesson_location"] == "3"
    # Inside a course, offline too: on the same origin, with a record of its own.
    inside = found["embedded"]
    assert inside["origin"] == own and inside["calls"][1] == [
        "LMSGetValue",
        "cmi.core.lesson_status",
        "not attempted",
        "0",
    ]
    assert told(inside["calls"])["cmi.core.lesson_status"] == "completed"


def test_the_edge_serves_it_on_its_own_origin_under_a_policy_of_its_own_until_it_is_withdrawn(
    tenant: Tenant,
) -> None:
    package_id, site = published(tenant, "scorm12__ContentPackagingWithMetadata_SCORM12", "c-1")
    visitor = Visitor(tenant, site["link"])
    assert visitor.answer.status_code == 303
    page = visitor.page()
    assert page.status_code == 200 and page.headers["content-security-policy"].startswith("sandbox allow-scripts")
    content = visitor.page("content/index.html")
    assert content.headers["content-security-policy"] == page.headers["content-security-policy"]
    tenants = urlsplit(tenant.running.settings.site_url.format(tenant=tenant.name)).netloc
    other = tenants.replace(tenant.name, f"{label_of('pkg_other')}--{tenant.name}")
    for host in (tenants, other):
        assert visitor.page(host=host).status_code == 404, host
    # The shell is there without a signature, and may be framed by the learner's page.
    own = urlsplit(site["url"]).netloc

    def policy() -> str:
        shell = httpx.get(f"{tenant.running.settings.edge_url}/_player/", headers={"Host": own}, trust_env=False)
        assert shell.status_code == 200
        return shell.headers["content-security-policy"]

    assert policy().endswith(tenant.running.settings.learner_origin)
    tenant.api.change_tenant(tenant.name, settings={"cors_origins": ["https://learn.example"]})
    until("the tenant's own learner page may frame it", lambda: policy().endswith(" https://learn.example"), 15)
    tenant.api.withdraw(package_id, 1, reason="wrong")
    assert visitor.page().status_code in (404, 410)
    until("it says why", lambda: visitor.page().status_code == 410, 10)
