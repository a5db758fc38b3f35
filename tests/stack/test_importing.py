"""Imports on the running stack: uploaded by addresses, read by the importer, published or refused, told, bundled, kept apart."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from actors.importer import given
from cluster import places
from cluster.connections import Connections
from cluster.edge.cdn import UrlSigner
from cluster.importer import Order, token_digest
from cluster.local import publishing
from cluster.presigned import CHECKSUM, Presigner
from cluster.topology import IMPORTER
from content.canonical import digest
from content.errors import ContentError
from serve_app.client import Import
from tasks.keeping import gc
from tests.content.scorm.packages import manifest_12, zip_of
from tests.support.imports import broken_package, imported, keys, package, upload
from tests.support.running import Running
from tests.support.settled import assert_settled
from tests.support.tenants import IMPORT_EVENT, Tenant, bearer
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)

LEARNER = "learner-1"
REASON = "web-site"
SMALL = 50
"""Packages that come behind a large one."""


@pytest.fixture
def points(running: Running) -> Any:
    running.failpoints.clear()
    yield running.failpoints
    running.failpoints.clear()


def large_package(running: Running) -> bytes:
    """So large that it takes the place of large ones, of bytes that nothing packs."""
    return zip_of(
        {"imsmanifest.xml": manifest_12(title="Large"), "index.html": "<h1>Large</h1>", "film.mp4": secrets.token_bytes(running.settings.import_large_bytes)},
        deflated=False,
    )  # fmt: skip


def enrol(tenant: Tenant, course: str) -> None:
    publishing.enrol(
        tenant.home, tenant.name, enrollment_id=f"enr-{secrets.token_hex(4)}", learner_id=LEARNER, course_id=course
    )


def offers(tenant: Tenant, device: Any, version: int) -> list[Any]:
    def ready() -> list[Any] | None:
        rows = [row for row in device.api.bundles(state="ready") if row["version"] == version]
        return [device.api.bundle(row["bundle_id"]) for row in rows] or None

    return until(f"a bundle of version {version}", ready, 60)


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(ContentError) as refused:
        call(*arguments, **options)
    return refused.value.code


# -- uploads ----------------------------------------------------------------------------------------------------------


def test_one_request_gives_all_addresses_and_plain_http_does_the_rest(tenant: Tenant, http: httpx.Client) -> None:
    """As a script in any language would do it: no client of ours."""
    data, piece = package(extra=secrets.token_bytes(6 << 20)), 5 << 20
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    asked = {
        "file_name": "a course.zip", "size_bytes": len(data), "piece_bytes": piece, "digest": digest(data), "course_id": "c-1",
        "pieces": [{"number": number, "digest": digest(each)} for number, each in enumerate(pieces, 1)],
    }  # fmt: skip
    sent = {**bearer(tenant, "content:write", "content:read"), "Idempotency-Key": secrets.token_hex(8)}
    first, second = (http.post("/v1/imports", json=asked, headers=sent) for _ in range(2))
    assert (first.status_code, second.headers["idempotent-replayed"]) == (201, "true")
    made = first.json()
    assert second.json() == made and first.headers["location"] == f"/v1/imports/{made['import_id']}"
    assert [part["size_bytes"] for part in made["parts"]] == [len(each) for each in pieces]
    part = made["parts"][1]
    wrong = httpx.put(part["url"], content=b"x" * len(pieces[1]), headers=part["headers"], trust_env=False)
    longer = httpx.put(part["url"], content=pieces[1] + b"x", headers=part["headers"], trust_env=False)
    lying = {CHECKSUM: Presigner.__name__}
    other = httpx.put(part["url"], content=pieces[1], headers=lying, trust_env=False)
    assert (wrong.status_code, longer.status_code, other.status_code) == (400, 403, 403)
    path = first.headers["location"]
    missing = http.post(f"{path}/complete", headers=sent | {"Idempotency-Key": "a"})
    assert (missing.status_code, missing.json()["code"]) == (409, "upload-incomplete")
    assert "2 are missing: 1, 2" in missing.json()["detail"]
    for part, each in zip(made["parts"], pieces, strict=True):
        assert httpx.put(part["url"], content=each, headers=part["headers"], trust_env=False).status_code == 200
    shown = http.get(path, headers=sent).json()["upload"]
    assert [(each["number"], each["digest"]) for each in shown["uploaded"]] == [(n, digest(d)) for n, d in enumerate(pieces, 1)]  # fmt: skip
    done, again = (http.post(f"{path}/complete", headers=sent | {"Idempotency-Key": key}) for key in ("b", "c"))
    assert done.status_code == again.status_code == 202 and done.json()["job_id"] == again.json()["job_id"]
    tenant.api.wait(done.json()["job_id"])
    found = tenant.api.import_(made["import_id"])
    assert (found["state"], found["digest"], found["course_id"], found["version"]) == (
        "accepted",
        digest(data),
        "c-1",
        1,
    )
    assert refusal(tenant.api.import_parts, made["import_id"], {1: digest(b"")}) == "import-ended"
    assert_settled(tenant)


def test_an_expired_address_is_made_anew(tenant: Tenant) -> None:
    data = package()
    begun = tenant.api.begin_import("course.zip", len(data))
    key = places.uploaded(tenant.name, begun["import_id"])
    (row,) = tenant.running.rows("select upload_id from imports where import_id = %s", begun["import_id"])
    signed = Presigner(tenant.running.settings).piece(key, row["upload_id"], 1, len(data), digest(data), 1)
    put = lambda url, headers: httpx.put(url, content=data, headers=headers, trust_env=False).status_code  # noqa: E731
    until("the address expired", lambda: put(signed.url, signed.headers) == 403, 10)
    (part,) = tenant.api.import_parts(begun["import_id"], {1: digest(data)})["parts"]
    assert put(part["url"], part["headers"]) == 200
    tenant.api.complete_import(begun["import_id"])
    tenant.api.remove_import(begun["import_id"])


def test_what_cannot_be_is_refused_at_once(tenant: Tenant) -> None:
    api = tenant.api
    assert refusal(api.begin_import, "course.zip", tenant.running.settings.import_zip_bytes + 1) == "import-too-large"
    one = api.begin_import("course.zip", 7)
    assert refusal(api.import_parts, one["import_id"], {2: digest(b"")}) == "import-pieces"
    assert refusal(api.import_report, one["import_id"]) == "report-not-ready"
    assert refusal(api.begin_import, "course.zip", 0) == refusal(api.begin_import, "a\nb", 7) == "request-invalid"
    api.remove_import(one["import_id"])
    assert refusal(api.import_, one["import_id"]) == "not-found" and list(api.imports()) == []
    assert tenant.running.objects.uploads(places.imports(tenant.name, one["import_id"])) == []


def test_a_tenant_with_too_many_under_way_gets_no_further_one(tenant: Tenant, http: httpx.Client) -> None:
    most = tenant.running.settings.imports_waiting_max
    tenant.running.rows(
        f"""insert into imports (tenant, import_id, file_name, size_bytes, piece_bytes, upload_id)
            select '{tenant.name}', 'imp_' || n, 'course.zip', 7, 7, '' from generate_series(1, {most}) n returning 1"""
    )
    sent = bearer(tenant, "content:write")
    answer = http.post("/v1/imports", json={"file_name": "course.zip", "size_bytes": 7}, headers=sent)
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-waiting")
    tenant.running.rows("delete from imports where tenant = %s returning 1", tenant.name)


def test_a_file_that_is_not_the_one_that_was_said_fails(tenant: Tenant) -> None:
    data = package()
    begun = tenant.api.begin_import("course.zip", len(data), digest=digest(b"another"))
    (part,) = tenant.api.import_parts(begun["import_id"], {1: digest(data)})["parts"]
    httpx.put(part["url"], content=data, headers=part["headers"], trust_env=False).raise_for_status()
    done = tenant.api.complete_import(begun["import_id"])
    assert refusal(tenant.api.wait, done["job_id"]) == "upload-digest"
    found = tenant.api.import_(begun["import_id"])
    assert (found["state"], (found["problem"] or {})["code"], found["version"]) == ("failed", "upload-digest", None)
    (event,) = until("the event", lambda: tenant.running.heard(tenant.name, IMPORT_EVENT), 20)
    assert (event["data"]["result"], event["data"]["problem"]["code"]) == ("failed", "upload-digest")


# -- what comes of it -------------------------------------------------------------------------------------------------


def test_a_package_becomes_a_version_that_devices_get(tenant: Tenant, http: httpx.Client) -> None:
    enrol(tenant, "safety")
    device = tenant.device(LEARNER)
    data = package("Safety", **{"pages/one.html": "<p>One"})
    found = imported(tenant, data, course="safety", name="safety.zip")
    assert (found["state"], found["edition"], found["title"], found["version"]) == ("accepted", "1.2", "Safety", 1)
    assert found["removed_at"] is not None and keys(tenant) == []
    job = tenant.api.job(str(found["job_id"]))
    assert job["result"] is not None and job["result"]["accepted"] is True
    assert job["links"]["import"] == found["links"]["self"]  # type: ignore[index]
    (shown,) = tenant.api.packages(course_id="safety")
    assert (shown["kind"], shown["version"]) == ("scorm", 1)
    version = tenant.api.get(f"/v1/packages/{found['package_id']}/versions/1")
    assert (version["state"], version["import_id"], version["draft_id"]) == ("published", found["import_id"], None)
    assert version["report"]["sandboxed"] is True
    manifest = json.loads(tenant.api.manifest(str(found["package_id"]), 1))
    assert (manifest["kind"], manifest["source"]["digest"]) == ("scorm", digest(data))
    assert set(manifest["assets"]) == {"imsmanifest.xml", "index.html", "pages/one.html"}
    (offer,) = offers(tenant, device, 1)
    read, files = device.read(device.open(offer))
    assert read == manifest and b"<p>One" in files.values()
    report = tenant.api.import_report(found["import_id"])
    assert (
        report["accepted"]
        and report["launch"] == ["index.html"]
        and report["sandbox"].split()[0] in ("bubblewrap", "runsc")
    )
    page = http.get(f"{found['links']['report']}.html", headers=bearer(tenant, "content:read"))
    assert page.headers["content-type"].startswith("text/html") and "Safety" in page.text
    assert "script" not in page.headers["content-security-policy"] or "script-src 'none'" in page.headers["content-security-policy"]  # fmt: skip
    by_accept = http.get(found["links"]["report"], headers=bearer(tenant, "content:read") | {"Accept": "text/html"})
    assert by_accept.text == page.text
    assert_settled(tenant)
    (event,) = tenant.running.heard(tenant.name, IMPORT_EVENT)
    assert {name: event["data"][name] for name in ("result", "course_id", "package_id", "version", "edition", "errors")} == {
        "result": "accepted", "course_id": "safety", "package_id": found["package_id"], "version": 1, "edition": "1.2", "errors": [],
    }  # fmt: skip
    assert [row["action"] for row in tenant.api.audit()][:2] == ["import.requested", "import.begun"]


def test_a_new_zip_of_the_same_course_is_its_next_version_and_only_what_is_new_is_stored(tenant: Tenant) -> None:
    film = secrets.token_bytes(9 << 20)  # more than one piece
    first = imported(tenant, package("Safety", **{"film.mp4": film, "a.txt": "one"}))
    course = str(first["course_id"])
    assert course.startswith("safety-")
    enrol(tenant, course)
    device = tenant.device(LEARNER)
    before = offers(tenant, device, 1)[0]
    device.read(device.open(before))
    second = imported(tenant, package("Safety", **{"film.mp4": film, "a.txt": "two"}))
    assert (second["course_id"], second["package_id"], second["version"]) == (course, first["package_id"], 2)
    version = tenant.api.get(f"/v1/packages/{second['package_id']}/versions/2")
    assert (version["report"]["made"], version["report"]["reused"]) == (1, 3)
    (after,) = offers(tenant, device, 2)
    _, files = device.read(device.open(after))
    assert film in files.values()
    new = {part["path"] for part in after["parts"]} - {part["path"] for part in before["parts"]}
    assert sum(part["size"] for part in after["parts"] if part["path"] in new) < len(film), "the film came again"
    other = imported(tenant, package("Fire"))
    assert other["course_id"] != course and other["version"] == 1
    assert_settled(tenant)


def test_a_refused_package_is_an_answer_and_stays_in_quarantine_for_a_while(tenant: Tenant, http: httpx.Client) -> None:
    data = broken_package()
    found = imported(tenant, data)
    assert (found["state"], found["version"], found["package_id"]) == ("refused", None, None)
    job = tenant.api.job(str(found["job_id"]))
    assert (job["state"], (job["result"] or {})["accepted"], (job["result"] or {})["errors"]) == ("succeeded", False, [REASON])  # fmt: skip
    report = tenant.api.import_report(found["import_id"])
    assert not report["accepted"] and [each["code"] for each in report["errors"]] == [REASON]
    assert list(tenant.api.packages()) == []
    (event,) = until("the event", lambda: tenant.running.heard(tenant.name, IMPORT_EVENT), 20)
    assert (event["data"]["result"], event["data"]["errors"]) == ("refused", [REASON])
    # There it lies, and the edge serves it to nobody, not even by an address that is signed.
    key = places.uploaded(tenant.name, found["import_id"])
    assert keys(tenant) == [key]
    settings = tenant.running.settings
    signer = UrlSigner.of(settings.edge_url, settings.edge_key_id, settings.edge_private_key.get_secret_value(), 60)
    from datetime import UTC, datetime

    assert httpx.get(signer.url(f"/{key}", datetime.now(UTC)), trust_env=False).status_code in (403, 404)
    assert_settled(tenant)
    assert keys(tenant) == [key], "garbage collection left it"
    age = "update imports set created_at = created_at - interval '31 days' where tenant = %s returning 1"
    tenant.running.rows(age, tenant.name)
    assert asyncio.run(_collect(tenant.running)).ended_imports >= 1
    after = tenant.api.import_(found["import_id"])
    assert keys(tenant) == [] and after["state"] == "refused" and after["removed_at"] is not None
    assert tenant.api.import_report(found["import_id"])["errors"], "the report stays"


def test_an_upload_that_nobody_completes_is_removed(tenant: Tenant) -> None:
    begun = tenant.api.begin_import("course.zip", 7)
    prefix = places.imports(tenant.name, begun["import_id"])
    asyncio.run(_collect(tenant.running))
    assert len(tenant.running.objects.uploads(prefix)) == 1, "it is still under way"
    tenant.running.rows("update imports set created_at = created_at - interval '31 days' where tenant = %s returning 1", tenant.name)  # fmt: skip
    asyncio.run(_collect(tenant.running))
    assert tenant.running.objects.uploads(prefix) == []
    found = tenant.api.import_(begun["import_id"])
    assert (found["state"], (found["problem"] or {})["code"]) == ("failed", "import-expired")
    assert refusal(tenant.api.complete_import, begun["import_id"]) == "import-ended"


async def _collect(running: Running) -> gc.Report:
    connections = await Connections.open(running.settings, "worker", size=2)
    try:
        return await gc.collect(connections, grace_s=0)
    finally:
        await connections.close()


def test_a_course_is_built_or_imported_and_never_both(tenant: Tenant) -> None:
    course = tenant.course().text()
    tenant.publish(course)
    tenant.built(course)
    assert refusal(tenant.api.begin_import, "course.zip", 7, course_id=course.course_id) == "course-built"
    imported(tenant, package(), course="theirs")
    asked = {"course_id": "theirs", "draft_id": "d", "revision": 1}
    assert refusal(tenant.api.build, **asked) == "course-imported"
    # And the database itself does not take the one for the other.
    insert = """insert into package_versions (tenant, package_id, version, draft_id, revision, drafted_at)
                select tenant, package_id, 9, 'd', 1, now() from packages where tenant = %s and course_id = 'theirs' returning 1"""
    with pytest.raises(Exception, match="foreign key"):
        tenant.running.rows(insert, tenant.name)


def test_the_one_handed_in_later_wins_although_the_other_ends_later(tenant: Tenant, points: Any) -> None:
    points.arm("import.after_upload", "pause")
    slow = upload(tenant, package(extra="slow"), course="c")
    points.reached("import.after_upload")
    fast = imported(tenant, package(extra="fast"), course="c")
    points.release("import.after_upload")
    assert fast["version"] == 1
    job = tenant.api.wait(str(slow["job_id"]))
    assert (job["result"] or {})["state"] == "superseded"
    found = tenant.api.import_(slow["import_id"])
    assert (found["state"], found["version"]) == ("superseded", None)
    assert [row["version"] for row in tenant.api.versions(str(fast["package_id"]))] == [1]
    assert_settled(tenant)


def test_several_at_once_for_one_course_are_several_versions(tenant: Tenant) -> None:
    tenant.running.rows("update queues set paused_at = now(), paused_by = 'test' where name = 'import' returning name")
    try:
        asked = [upload(tenant, package(extra=f"{n}"), course="c") for n in range(4)]
    finally:
        tenant.running.rows("update queues set paused_at = null, paused_by = null where name = 'import' returning name")
    ends = [tenant.api.wait(str(each["job_id"])) for each in asked]
    states = [(end["result"] or {})["state"] for end in ends]
    assert set(states) <= {"accepted", "superseded"} and states[-1] == "accepted"
    (shown,) = tenant.api.packages(course_id="c")
    versions = sorted(row["version"] for row in tenant.api.versions(shown["package_id"]))
    assert versions == list(range(1, states.count("accepted") + 1))
    newest = tenant.api.get(f"/v1/packages/{shown['package_id']}/versions/{versions[-1]}")
    assert newest["import_id"] == asked[-1]["import_id"]
    assert_settled(tenant)


# -- steering ---------------------------------------------------------------------------------------------------------


def test_it_is_cancelled_in_the_middle_and_tried_again(tenant: Tenant, points: Any) -> None:
    points.arm("importer.mid_read", "pause")
    asked = upload(tenant, package())
    points.reached("importer.mid_read")
    stages = until("stages told", lambda: tenant.api.get(f"/v1/jobs/{asked['job_id']}")["stages"], 10)
    assert [stage["name"] for stage in stages] == ["read", "check", "store", "publish"]
    assert tenant.api.cancel_job(str(asked["job_id"]))["state"] == "cancelling"
    points.release("importer.mid_read")
    until("cancelled", lambda: tenant.api.job(str(asked["job_id"]))["state"] == "cancelled", 30)
    found = tenant.api.import_(asked["import_id"])
    assert (found["state"], (found["problem"] or {})["code"]) == ("failed", "job-cancelled")
    tenant.api.retry_job(str(asked["job_id"]))
    tenant.api.wait(str(asked["job_id"]))
    assert tenant.api.import_(asked["import_id"])["state"] == "accepted"
    assert_settled(tenant)
    assert keys(tenant) == []


def test_one_that_is_given_up_while_it_is_read_leaves_nothing(tenant: Tenant, points: Any) -> None:
    points.arm("importer.mid_read", "pause")
    asked = upload(tenant, package())
    points.reached("importer.mid_read")
    tenant.api.remove_import(asked["import_id"])
    points.release("importer.mid_read")
    until("its job cancelled", lambda: tenant.api.job(str(asked["job_id"]))["state"] == "cancelled", 30)
    assert list(tenant.api.imports()) == []
    assert_settled(tenant)
    assert keys(tenant) == []
    assert next(row["action"] for row in tenant.api.audit()) == "import.removed"


def test_one_from_which_a_version_came_is_not_given_up(tenant: Tenant) -> None:
    found = imported(tenant, package())
    assert refusal(tenant.api.remove_import, found["import_id"]) == "import-ended"


# -- the importer -----------------------------------------------------------------------------------------------------


def test_the_importer_knows_no_secret_and_not_where_they_are(running: Running) -> None:
    secret = {name: value.get_secret_value() for name, value in running.settings if hasattr(value, "get_secret_value")}
    known = [value for value in secret.values() if value]
    assert len(known) > 10
    told = json.dumps(given(running.settings))
    assert token_digest(running.settings) in told
    for pid in running.replicas(IMPORTER.name):
        environment = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
        told += "\n".join(environment) + " ".join(psutil.Process(pid).cmdline())
        named = [each for each in environment if each.startswith("CONTENT_") and not each.endswith("=")]
        assert named == [], "it is told where the stack's settings are"
    assert running.replicas(IMPORTER.name)
    assert [name for name, value in secret.items() if value and value in told] == []
    assert str(running.home.settings) not in told


def test_the_importer_takes_orders_of_the_service_alone_and_goes_nowhere_else(running: Running) -> None:
    settings = running.settings
    url, token = settings.importer_url, settings.importer_token.get_secret_value()
    good = f"{settings.s3_endpoint}/content/x"
    order = Order(good, 7, good, good, (good,), 7)

    def ask(order: Order, token: str = token) -> tuple[int, str]:
        answer = httpx.post(f"{url}/imports", content=order.to_bytes(), headers={"Authorization": f"Bearer {token}"}, trust_env=False)  # fmt: skip
        return answer.status_code, answer.json()["code"]

    assert ask(order, "guessed") == ask(order, "-") == (401, "unauthenticated")
    for other in (
        settings.openbao_url,
        settings.api_url,
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "gopher://x/",
    ):
        for name in ("source", "report", "course"):
            moved = Order(**{**{n: getattr(order, n) for n in Order.__dataclass_fields__}, name: f"{other}/x"})
            assert ask(moved) == (403, "origin-refused"), (other, name)
        assert ask(Order(good, 7, good, good, (good, f"{other}/x"), 7)) == (403, "origin-refused")
    assert ask(Order(good, 0, good, good, (good,), 7)) == (400, "order-malformed")
    lines = httpx.post(f"{url}/imports", content=order.to_bytes(), headers={"Authorization": f"Bearer {token}"}, trust_env=False).text  # fmt: skip
    last = json.loads(lines.splitlines()[-1])
    assert (last["type"], last["code"], last["retryable"]) == ("failed", "address-expired", True)
    assert httpx.get(f"{url}/status", headers={"Authorization": f"Bearer {token}"}, trust_env=False).json()["works"]
    assert (
        httpx.get(f"{url}/elsewhere", headers={"Authorization": f"Bearer {token}"}, trust_env=False).status_code == 404
    )


def test_small_ones_are_not_held_up_by_a_large_one(tenant: Tenant, points: Any) -> None:
    """Fifty that come behind a large one, which is held in the middle of the importer all the while; and a second large one."""
    giant = large_package(tenant.running)
    points.arm("importer.mid_read", "pause")
    first = upload(tenant, giant, name="giant.zip", course="giant")
    points.reached("importer.mid_read")
    with ThreadPoolExecutor(4) as uploaders:
        names = [Tenant.__name__ + str(n) for n in range(SMALL)]
        asked = list(uploaders.map(lambda name: upload(tenant, package(name), course=name), names))
    second = upload(tenant, giant[:-1] + giant[-1:], name="giant-2.zip", course="giant-2")
    for each in asked:
        tenant.api.wait(str(each["job_id"]), deadline_s=120)
    assert {row["state"] for row in tenant.api.imports() if row["size_bytes"] < 1 << 20} == {"accepted"}
    assert tenant.api.import_(first["import_id"])["state"] == "importing", "all others have ended, and it is still held"
    points.release("importer.mid_read")
    for each in (first, second):
        tenant.api.wait(str(each["job_id"]), deadline_s=120)
    assert len(list(tenant.api.packages())) == SMALL + 2
    assert_settled(tenant, 120)


def test_those_that_wait_are_counted_and_bring_another_replica(tenant: Tenant, points: Any) -> None:
    """The one replica is held at both of its places, so whatever is read is read by another one."""
    until("one replica", lambda: len(tenant.running.replicas(IMPORTER.name)) == 1, 120)
    held: list[Import] = []
    for name, data in (("large", large_package(tenant.running)), ("small", package("Small"))):
        points.arm("importer.mid_read", "pause")  # who is held already waits on
        held.append(upload(tenant, data, course=name))
        points.reached("importer.mid_read")
    waiting = [upload(tenant, package(f"{n}"), course=f"c-{n}") for n in range(10)]
    until("another replica", lambda: len(tenant.running.replicas(IMPORTER.name)) == 2, 90)
    for each in waiting:
        tenant.api.wait(str(each["job_id"]), deadline_s=90)
    assert {tenant.api.import_(each["import_id"])["state"] for each in held} == {"importing"}
    points.release("importer.mid_read")
    for each in held:
        tenant.api.wait(str(each["job_id"]), deadline_s=90)
    assert_settled(tenant)


def test_its_file_is_what_was_uploaded_whatever_came_after(tenant: Tenant, points: Any) -> None:
    """Who has an address that still works cannot change what is read once it was completed: the store has ended that upload."""
    data = package()
    begun = tenant.api.begin_import("course.zip", len(data))
    (part,) = tenant.api.import_parts(begun["import_id"], {1: digest(data)})["parts"]
    put = lambda: httpx.put(part["url"], content=data, headers=part["headers"], trust_env=False).status_code  # noqa: E731
    assert put() == 200
    done = tenant.api.complete_import(begun["import_id"])
    assert put() == 404
    tenant.api.wait(str(done["job_id"]))
    assert hashlib.sha256(data).hexdigest() in str(tenant.api.import_(begun["import_id"])["digest"])
