"""Exports on the running stack: asked for, made once, downloaded by a signed address, taken back; sites on their own origin."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from cluster.objects import PIECE
from cluster.uploads import Upload
from content.errors import ContentError
from content.exports.options import FORMATS
from tests.support.courses import Course
from tests.support.exports import ask, fetch, file_of, keys, made
from tests.support.running import Running
from tests.support.settled import assert_settled
from tests.support.sites import Visitor
from tests.support.tenants import EXPORT_EVENT, Tenant, bearer
from tests.support.waiting import promised, until

pytestmark = pytest.mark.timeout(300)

PAUSE = "update queues set paused_at = now(), paused_by = 'test' where name = 'export' returning name"
RESUME = "update queues set paused_at = null, paused_by = null where name = 'export' returning name"
WITHDRAWN_S = 2.0
"""How long after a withdrawal anything may still be served: what ADR 0017 promises."""


@pytest.fixture(scope="module")
def school(running: Running) -> Tenant:
    return Tenant(running)


@pytest.fixture(scope="module")
def course(school: Tenant) -> Course:
    found = school.course().text().picture("square", seed=1).film("film", captions=True).quiz()
    school.publish(found)
    school.built(found)
    return found


def small(tenant: Tenant) -> Course:
    """A course of the test's own, to be withdrawn and the like."""
    found = tenant.course().text().picture("square", seed=2)
    tenant.publish(found)
    tenant.built(found)
    return found


def refusal(tenant: Tenant, course: Course, format: str = "html", **options: Any) -> str:
    with pytest.raises(ContentError) as refused:
        ask(tenant, course, format, **options)
    return refused.value.code


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_made_once_and_downloaded(school: Tenant, course: Course, format: str) -> None:
    shown = made(school, course, format)
    assert (shown["state"], shown["format"], shown["version"]) == ("ready", format, 1)
    assert shown["download"] is not None and shown["site"] is None
    assert shown["download"]["file_name"] == f"{course.course_id}-v1-{format}.zip"
    names = set(file_of(shown).namelist())
    assert {"index.html", "course.js", "player.js", "player.css"} <= names
    assert shown["passport"], "what was checked"
    answer = httpx.post(
        f"{school.running.settings.api_url}/v1/exports", trust_env=False, headers=bearer(school, "content:write"),
        json={"package_id": school.package(course), "format": format},
    )  # fmt: skip
    again = answer.json()
    assert (answer.status_code, again["export_id"], again["job_id"]) == (200, shown["export_id"], shown["job_id"])
    assert len([key for key in keys(school) if shown["export_id"] in key]) == 1


def test_other_choices_are_another_file_and_the_same_ones_the_same_bytes(school: Tenant, course: Course) -> None:
    first = made(school, course, "html")
    other = made(school, course, "html", video=False, profile="phone")
    assert other["export_id"] != first["export_id"]
    assert not [name for name in file_of(other).namelist() if name.endswith(".mp4")]
    assert [name for name in file_of(first).namelist() if name.endswith(".mp4")]
    school.api.remove_export(first["export_id"])
    assert not [key for key in keys(school) if first["export_id"] in key]
    assert first["download"] is not None and fetch(first["download"]["url"]).status_code == 404
    second = made(school, course, "html")
    assert (second["export_id"], second["digest"]) == (first["export_id"], first["digest"])
    assert second["job_id"] != first["job_id"]


def test_who_asks_while_it_is_made_gets_the_same_job(tenant: Tenant) -> None:
    course = small(tenant)
    tenant.running.rows(PAUSE)
    try:
        first, second = ask(tenant, course, "html"), ask(tenant, course, "html")
        assert first["job_id"] == second["job_id"] and first["state"] == "planned"
        assert tenant.api.export(first["export_id"])["download"] is None
        (job,) = tenant.api.jobs(kind="export")
        assert job["subject"]["export_id"] == first["export_id"]
    finally:
        tenant.running.rows(RESUME)
    tenant.api.wait(first["job_id"])
    assert [row["state"] for row in tenant.api.exports(package_id=tenant.package(course))] == ["ready"]
    assert_settled(tenant)
    (event,) = tenant.running.heard(tenant.name, EXPORT_EVENT)
    shown = tenant.api.export(first["export_id"])
    data = event["data"]
    assert (data["result"], data["location"], data["digest"]) == (
        "ready",
        f"/v1/exports/{first['export_id']}",
        shown["digest"],
    )


def test_what_cannot_be_made_is_refused_when_it_is_asked_for(tenant: Tenant, school: Tenant, course: Course) -> None:
    assert refusal(school, course, languages=["fr"]) == "export-option"
    assert refusal(school, course, packaging="unit") == "export-option"
    assert refusal(school, course, profile="wall") == "export-option"
    assert refusal(school, course, format="scorm12", publish=True) == "export-option"
    assert refusal(school, course, format="zip") == "request-invalid"
    assert refusal(school, course, mastery=2) == "request-invalid"
    assert refusal(school, course, version=7) == "not-found"
    # Another tenant's package is as absent as one that never was.
    assert refusal(tenant, course, version=1) == refusal(tenant, course) == "not-found"
    assert list(tenant.api.exports()) == []


def test_a_tenant_with_too_many_that_wait_gets_no_further_one(tenant: Tenant) -> None:
    course, rows, most = small(tenant), tenant.running.rows, tenant.running.settings.exports_waiting_max
    rows(PAUSE)
    try:
        asked = ask(tenant, course, "html")
        # As many as the setting says, less the one that is there.
        copied = rows(
            f"""insert into exports (tenant, export_id, package_id, version, format, options, published, exporter_version,
                                     player_version, job_id)
                select tenant, 'exp_' || lpad(n::text, 26, '0'), package_id, version, format, options, published,
                       exporter_version, player_version, job_id
                from exports, generate_series(2, {most}) n
                where export_id = '{asked["export_id"]}' returning export_id"""
        )
        assert len(copied) == most - 1
        refused = httpx.post(  # the client would try again for a while
            f"{tenant.running.settings.api_url}/v1/exports", trust_env=False, headers=bearer(tenant, "content:write"),
            json={"package_id": tenant.package(course), "format": "html", "mastery": 0.5},
        )  # fmt: skip
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-waiting")
        assert ask(tenant, course, "html")["job_id"] == asked["job_id"]
        rows(f"delete from exports where export_id = '{copied[0]['export_id']}' returning export_id")
        assert ask(tenant, course, "html", mastery=0.5)["state"] == "planned"
        rows(
            f"""delete from exports where tenant = '{tenant.name}' and left(export_id, 10) = 'exp_000000'
                returning export_id"""
        )
    finally:
        rows(RESUME)
    assert_settled(tenant)


def test_it_is_cancelled_in_the_middle_and_asked_for_anew(tenant: Tenant) -> None:
    course, points = small(tenant), tenant.running.failpoints
    points.arm("export.mid_write", "pause")
    asked = ask(tenant, course, "scorm12")
    points.reached("export.mid_write")
    assert tenant.api.cancel_job(asked["job_id"])["state"] == "cancelling"
    # Who asks now does not get the job that is being stopped.
    anew = ask(tenant, course, "scorm12")
    assert anew["export_id"] == asked["export_id"] and anew["job_id"] != asked["job_id"]
    points.release("export.mid_write")
    until("the first job cancelled", lambda: tenant.api.job(asked["job_id"])["state"] == "cancelled", 30)
    tenant.api.wait(anew["job_id"])
    assert tenant.api.export(asked["export_id"])["state"] == "ready"
    with pytest.raises(ContentError) as refused:
        tenant.api.retry_job(asked["job_id"])
    assert refused.value.code == "job-not-retryable"
    assert_settled(tenant)


def test_one_that_waits_is_cancelled_at_once_and_tried_again(tenant: Tenant) -> None:
    course = small(tenant)
    tenant.running.rows(PAUSE)
    try:
        asked = ask(tenant, course, "cmi5")
        assert tenant.api.cancel_job(asked["job_id"])["state"] == "cancelled"
        shown = tenant.api.export(asked["export_id"])
        assert (shown["state"], (shown["problem"] or {})["code"]) == ("failed", "job-cancelled")
        tenant.api.retry_job(asked["job_id"])
        assert tenant.api.export(asked["export_id"])["state"] == "planned"
    finally:
        tenant.running.rows(RESUME)
    tenant.api.wait(asked["job_id"])
    file_of(tenant.api.export(asked["export_id"]))
    assert_settled(tenant)


def test_one_that_is_removed_while_it_is_made_leaves_nothing(tenant: Tenant) -> None:
    course, points = small(tenant), tenant.running.failpoints
    points.arm("export.after_upload", "pause")
    asked = ask(tenant, course, "html")
    points.reached("export.after_upload")
    tenant.api.remove_export(asked["export_id"])
    points.release("export.after_upload")
    until("its job cancelled", lambda: tenant.api.job(asked["job_id"])["state"] == "cancelled", 30)
    assert list(tenant.api.exports()) == []
    assert_settled(tenant)
    assert keys(tenant) == []
    actions = [row["action"] for row in tenant.api.audit()]
    assert actions[:2] == ["export.removed", "export.requested"]


def test_a_withdrawn_version_takes_its_exports_along(tenant: Tenant) -> None:
    course = small(tenant)
    shown = made(tenant, course, "html", publish=True)
    assert shown["download"] is not None and shown["site"] is not None
    url, visitor = shown["download"]["url"], Visitor(tenant, shown["site"]["link"])
    assert (fetch(url).status_code, visitor.page().status_code) == (200, 200)
    tenant.api.withdraw(tenant.package(course), 1, "The dosage is wrong.")
    promised(
        "file and site gone", lambda: {fetch(url).status_code, visitor.page().status_code} <= {404, 410}, WITHDRAWN_S
    )
    after = tenant.api.export(shown["export_id"])
    assert (after["state"], after["download"], after["site"]) == ("withdrawn", None, None)
    assert refusal(tenant, course, version=1) == "version-withdrawn"
    assert refusal(tenant, course) == "version-not-published"
    assert keys(tenant) == []
    until("it says why", lambda: fetch(url).json().get("code") == "version-withdrawn", 10)


def test_a_revoked_package_takes_its_exports_along(tenant: Tenant) -> None:
    course = small(tenant)
    shown = made(tenant, course, "xapi")
    taken_back = "update packages set revoked_at = {} where tenant = %s and package_id = %s returning package_id"
    owned = tenant.name, tenant.package(course)
    tenant.running.rows(taken_back.format("now()"), *owned)  # no address is given from that moment on
    during = tenant.api.export(shown["export_id"])
    assert (during["state"], during["download"], during["site"]) == ("ready", None, None)
    tenant.running.rows(taken_back.format("null"), *owned)
    assert tenant.api.export(shown["export_id"])["download"] is not None
    tenant.api.revoke("package", tenant.package(course), "All of it is wrong.")
    assert shown["download"] is not None
    promised("the file gone", lambda: fetch(shown["download"]["url"]).status_code in (404, 410), WITHDRAWN_S)  # type: ignore[index]
    assert tenant.api.export(shown["export_id"])["state"] == "withdrawn"


def test_a_version_that_is_withdrawn_while_it_is_exported_is_not(tenant: Tenant) -> None:
    course, points = small(tenant), tenant.running.failpoints
    points.arm("export.after_upload", "pause")
    asked = ask(tenant, course, "html")
    points.reached("export.after_upload")
    tenant.api.withdraw(tenant.package(course), 1, "The dosage is wrong.")
    points.release("export.after_upload")
    with pytest.raises(ContentError) as failed:
        tenant.api.wait(asked["job_id"])
    assert failed.value.code == "version-withdrawn"
    assert tenant.api.export(asked["export_id"])["state"] == "withdrawn"
    assert_settled(tenant)
    assert keys(tenant) == []
    (event,) = tenant.running.heard(tenant.name, EXPORT_EVENT)
    assert (event["data"]["result"], event["data"]["problem"]["code"]) == ("failed", "version-withdrawn")


def test_a_published_site_opens_by_its_link_on_the_tenants_origin_alone(tenant: Tenant, school: Tenant) -> None:
    course = small(tenant)
    plain = made(tenant, course, "html")
    shown = made(tenant, course, "html", publish=True)
    assert shown["digest"] == plain["digest"] and shown["published"] and shown["site"] is not None
    host = urlsplit(shown["site"]["url"]).netloc
    assert host.startswith(f"{tenant.name}.localhost:")
    visitor = Visitor(tenant, shown["site"]["link"])
    assert (visitor.answer.status_code, visitor.answer.headers["location"]) == (
        303,
        urlsplit(shown["site"]["url"]).path,
    )
    zipped = file_of(shown)
    types = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "webp": "image/webp"}
    for name in zipped.namelist():
        answer = visitor.page(name)
        assert (answer.status_code, answer.content) == (200, zipped.read(name)), name
        assert answer.headers["content-type"] == types.get(name.rpartition(".")[2], answer.headers["content-type"])
        assert answer.headers["content-security-policy"].endswith("frame-ancestors 'self'")
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(keys(tenant)) == len(zipped.namelist()) + 2
    # On no other origin, and without cookies on none.
    for wrong in (
        f"{school.name}.localhost:{host.rpartition(':')[2]}",
        urlsplit(tenant.running.settings.edge_url).netloc,
    ):
        assert visitor.page(host=wrong).status_code in (403, 404)
    visitor_without = Visitor(tenant, shown["site"]["url"])
    assert visitor_without.answer.status_code == 403
    assert_settled(tenant)


def test_a_tenant_says_who_may_frame_its_sites(tenant: Tenant) -> None:
    course = small(tenant)
    shown = made(tenant, course, "html", publish=True)
    tenant.api.change_tenant(tenant.name, settings={"site_csp": "frame-ancestors https://lms.example"})
    assert shown["site"] is not None
    visitor = Visitor(tenant, shown["site"]["link"])
    assert visitor.page().headers["content-security-policy"] == "frame-ancestors https://lms.example"


@pytest.mark.parametrize("size", [5, 3 * PIECE + 5])
def test_a_file_of_any_size_is_written_front_to_back(tenant: Tenant, size: int) -> None:
    """In one PUT, or in several pieces: the store keeps the name under which it is to be saved."""
    objects, key, data = (
        tenant.running.objects,
        f"exports/{tenant.name}/pkg_x/1/exp_x/0f/a.zip",
        b"0123456789abcdef" * (1 << 21),
    )
    with Upload(objects, key, "application/zip", file_name="a.zip") as out:
        for at in range(0, size, 1 << 20):
            out.write(data[at : min(at + (1 << 20), size)])
        assert objects.size(key) is None
        out.finish()
    head = objects.client.head_object(Bucket=objects.bucket, Key=key)
    assert (head["ContentDisposition"], head["ContentType"]) == ('attachment; filename="a.zip"', "application/zip")
    assert objects.get(key) == data[:size]
    with pytest.raises(RuntimeError), Upload(objects, f"{key}.not") as out:
        out.write(data[:size])
        raise RuntimeError
    assert objects.size(f"{key}.not") is None and objects.uploads(f"{key}.not") == []
    objects.delete([key])
