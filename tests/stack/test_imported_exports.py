"""Imported packages on the running stack: exported again, compared, opened on a device, and embedded in courses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from content.canonical import digest
from content.errors import ContentError
from serve_app.client import ImportShown
from serve_app.device import reading
from serve_app.device.unpack import unpack
from tests.support.courses import Course
from tests.support.exports import file_of
from tests.support.imports import imported, package
from tests.support.phones import Phone, now
from tests.support.tenants import Tenant, bearer
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)

SCRIPT = b"const api = parent.API_1484_11 ?? parent.API; parent.API?.LMSInitialize('')"
FILES: dict[str, bytes | str] = {"api.js": SCRIPT, "pages/Über uns.html": "<p>Hallo</p>", "empty.txt": b""}


@pytest.fixture(scope="module")
def school(running: Any) -> Tenant:
    return Tenant(running)


@pytest.fixture(scope="module")
def birds(school: Tenant) -> ImportShown:
    shown = imported(school, package("Birds", **FILES), course="birds")
    assert shown["state"] == "accepted", shown
    return shown


def made(tenant: Tenant, package_id: str, format: str, **options: Any) -> Any:
    asked = tenant.api.ask_export(package_id, format, **options)
    tenant.api.wait(asked["job_id"], deadline_s=60)
    return tenant.api.export(asked["export_id"])


def refusal(tenant: Tenant, package_id: str, format: str, **options: Any) -> ContentError:
    with pytest.raises(ContentError) as refused:
        tenant.api.ask_export(package_id, format, **options)
    return refused.value


def with_embed(course: Course, package_id: str) -> Course:
    block = {"type": "embed", "id": f"embed-{len(course.blocks)}", "package": package_id, "title": {"en": "Birds"}}
    course.unit().blocks.append(block)
    return course


# -- exports of what was imported -------------------------------------------------------------------------------------------------


def test_what_was_imported_goes_out_and_comes_back(school: Tenant, birds: ImportShown) -> None:
    shown = made(school, str(birds["package_id"]), "scorm12")
    file = file_of(shown)
    for path, data in FILES.items():
        assert file.read(path) == (data if isinstance(data, bytes) else data.encode())
    assert {check["result"] for check in shown["passport"]["checks"]} <= {"passed", "not-run"}
    with httpx.stream("GET", shown["download"]["url"], trust_env=False) as answer:
        again = imported(school, answer.read(), course="birds-again")
    assert again["state"] == "accepted", again
    reports = [school.api.get(f"/v1/imports/{each['import_id']}/report") for each in (birds, again)]
    assert reports[0]["tree"] == reports[1]["tree"]
    assert reports[0]["launch"] == reports[1]["launch"]


def test_its_scripts_decide_what_else_it_can_be(school: Tenant, birds: ImportShown) -> None:
    package_id = str(birds["package_id"])
    assert made(school, package_id, "scorm2004-4th")["state"] == "ready"
    plain = imported(school, package("Plain"), course="plain")
    asked = school.api.ask_export(str(plain["package_id"]), "scorm2004-4th")
    with pytest.raises(ContentError) as refused:
        school.api.wait(asked["job_id"], deadline_s=60)
    assert refused.value.code == "export-option"
    assert "API_1484_11" in refused.value.message
    assert school.api.job(asked["job_id"])["attempt"] == 1


def test_what_can_be_known_is_refused_at_once(school: Tenant, birds: ImportShown) -> None:
    package_id = str(birds["package_id"])
    assert refusal(school, package_id, "cmi5").code == "export-option"
    error = refusal(school, package_id, "scorm12", packaging="unit")
    assert error.code == "export-option"
    assert "imported package" in error.message


def test_a_site_plays_it(school: Tenant, birds: ImportShown) -> None:
    names = file_of(made(school, str(birds["package_id"]), "html")).namelist()
    assert {"index.html", "course.js", "player.js", "content/index.html", "content/pages/Über uns.html"} <= set(names)


# -- whoever reads manifests ---------------------------------------------------------------------------------------------------


def test_versions_are_compared_by_file_and_nothing_is_there_to_plan_or_judge(school: Tenant) -> None:
    first = imported(school, package("One", **FILES), course="two-versions")
    imported(school, package("One", **{**FILES, "api.js": b"other"}), course="two-versions")
    package_id = str(first["package_id"])
    found = school.api.get(f"/v1/packages/{package_id}/versions/1...2")
    assert [(each["id"], each["change"]) for each in found["assets"]] == [("api.js", "changed")]
    plan = school.api.get(f"/v1/packages/{package_id}/plan")
    assert (plan["units"], plan["steps"]) == ([], [])
    with pytest.raises(ContentError) as refused:
        school.api.get(f"/v1/packages/{package_id}/versions/1/quality")
    assert refused.value.code == "quality-not-assessed"
    assert str(first["import_id"]) in (refused.value.remedy or refused.value.message)


def test_a_device_unpacks_it(school: Tenant, birds: ImportShown, tmp_path: Path) -> None:
    phone = Phone(school, tmp_path / "phone")
    phone.enrol(Course(tmp_path, course_id="birds"))
    until("the package is on the phone", lambda: [each for each in phone.sync().taken if each.new] or None, 60)
    with reading.open_offline(phone.folder, phone.folder.shelf.find(None), now()) as bundle:
        opened = unpack(bundle, tmp_path / "out")
    assert (opened.folder / "content/pages/Über uns.html").read_bytes() == b"<p>Hallo</p>"
    assert "Birds" in opened.page.read_text()


# -- embedded in a course --------------------------------------------------------------------------------------------------------


def test_a_course_pins_the_newest_version_of_what_it_embeds(school: Tenant, birds: ImportShown, tmp_path: Path) -> None:
    package_id = str(birds["package_id"])
    course = with_embed(school.course().text(), package_id)
    school.publish(course)
    school.built(course)
    manifest = school.manifest(course)
    body = school.api.manifest(package_id, 1)
    assert manifest["inputs"]["packages"] == {package_id: {"version": 1, "manifest": digest(body)}}
    paths = {each["path"] for each in manifest["assets"][package_id]["renditions"]}
    assert paths == {"imsmanifest.xml", "index.html", *FILES}
    phone = Phone(school, tmp_path / "phone")
    phone.enrol(course)
    until("the course is on the phone", lambda: [each for each in phone.sync().taken if each.new] or None, 60)
    with reading.open_offline(phone.folder, phone.folder.shelf.find(None), now()) as bundle:
        opened = unpack(bundle, tmp_path / "out")
    assert (opened.folder / "embedded" / package_id / "api.js").read_bytes() == SCRIPT
    shown = made(school, school.package(course), "scorm12")
    inside = set(file_of(shown).namelist())
    assert {f"embed/{package_id}/index.html", f"embed/{package_id}/content/pages/Über uns.html"} <= inside
    assert {check["result"] for check in shown["passport"]["checks"]} <= {"passed", "not-run"}


def test_no_site_of_such_a_course_is_published(school: Tenant, birds: ImportShown) -> None:
    course = with_embed(school.course().text(), str(birds["package_id"]))
    school.publish(course)
    school.built(course)
    asked = school.api.ask_export(school.package(course), "html", publish=True)
    with pytest.raises(ContentError) as refused:
        school.api.wait(asked["job_id"], deadline_s=60)
    assert refused.value.code == "export-option"
    assert "made" not in [each["state"] for each in school.api.exports(package_id=school.package(course))]


def test_what_cannot_be_embedded_is_named_with_its_place(school: Tenant, birds: ImportShown) -> None:
    own = school.course().text()
    school.publish(own)
    school.built(own)
    other = Tenant(school.running)
    foreign = imported(other, package("Theirs"), course="theirs")
    gone = imported(school, package("Gone"), course="gone")
    school.api.withdraw(str(gone["package_id"]), 1, "a test")
    names = ["pkg_" + "0" * 26, school.package(own), str(foreign["package_id"]), str(gone["package_id"])]
    course = school.course().text()
    for name in names:
        course = with_embed(course, name)
    school.publish(course)
    failed = until("the build has failed", lambda: school.version(course), 60)
    assert failed is not None and failed["state"] == "failed"
    (job,) = [
        each for each in school.api.jobs(kind="build") if each["subject"].get("package_id") == school.package(course)
    ]
    problems = job["problem"]["problems"]
    assert [(each["pointer"], each["code"]) for each in problems] == [
        ("/units/1/blocks/0/package", "embed-unknown"),
        ("/units/2/blocks/0/package", "embed-kind"),
        ("/units/3/blocks/0/package", "embed-unknown"),
        ("/units/4/blocks/0/package", "embed-withdrawn"),
    ]


def test_a_preview_shows_the_course_without_it(school: Tenant, birds: ImportShown) -> None:
    course = with_embed(school.course().text(), str(birds["package_id"]))
    school.publish(course)
    shown = httpx.post(
        f"{school.running.settings.api_url}/v1/previews", trust_env=False, timeout=30,
        headers=bearer(school, "content:write", "content:read"), json={"draft_id": course.draft_id, "revision": 1},
    ).json()  # fmt: skip
    school.api.wait(shown["job_id"], deadline_s=60)
    found = school.api.get(f"/v1/previews/{shown['preview_id']}")
    assert "export-block-left-out" in {each["code"] for each in found["report"]["problems"]}
