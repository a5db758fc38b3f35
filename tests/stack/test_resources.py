"""What the API shows and changes, resource by resource, through the typed client as a caller would use it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from cluster.local.identity import mint_token
from content.canonical import digest
from content.errors import ContentError
from serve_app.client import Client
from tests.support.populated import ENROLMENT, LEARNER, Populated
from tests.support.running import Running


@pytest.fixture(scope="module")
def tenant(running: Running) -> Populated:
    return Populated(running)


def client(tenant: Populated, *scopes: str) -> Client:
    return Client(tenant.running.settings.api_url, token=mint_token(tenant.home, tenant.name, scopes, "somebody"))


@pytest.fixture
def reader(tenant: Populated) -> Iterator[Client]:
    with client(tenant, "content:read", "audit:read") as api:
        yield api


def refusal(call: object, *arguments: object, **named: object) -> str:
    """The code that a call is refused with."""
    with pytest.raises(ContentError) as refused:
        call(*arguments, **named)  # type: ignore[operator]
    return refused.value.code


def test_everything_of_a_version_can_be_read(tenant: Populated, reader: Client) -> None:
    assert reader.me() == {
        "tenant": tenant.name, "subject": "somebody", "scopes": ["audit:read", "content:read"], "device_id": None,
    }  # fmt: skip
    (package,) = reader.packages(course_id=tenant.course_id)
    assert (package["package_id"], package["version"]) == (tenant.package_id, 1)
    assert package["created_at"].endswith("Z")
    (version,) = reader.versions(tenant.package_id, state="published")
    assert list(reader.versions(tenant.package_id, state="failed")) == []
    manifest = reader.manifest(tenant.package_id, 1)
    assert digest(manifest) == version["manifest_digest"]
    assert reader.report(tenant.package_id, 1)["made"] == 1
    (asset,) = reader.assets(tenant.package_id, 1)
    assert (asset["asset"], asset["role"], asset["media_type"]) == ("cover", "image", "image/webp")
    url = reader.manifest_url(tenant.package_id, 1)["url"]
    served = httpx.get(url, trust_env=False)
    assert (served.content, served.headers["cache-control"]) == (manifest, "max-age=60")
    assert httpx.get(url, headers={"If-None-Match": served.headers["etag"]}, trust_env=False).status_code == 304


def test_bundles_and_enrolments_are_found_by_each_filter(tenant: Populated, reader: Client) -> None:
    for name, value in {
        "state": "ready", "package_id": tenant.package_id, "device_id": tenant.enrolled.id, "enrollment_id": ENROLMENT,
        "learner_id": LEARNER, "created_from": "2026-01-01T00:00:00Z",
    }.items():  # fmt: skip
        assert [row["bundle_id"] for row in reader.bundles(**{name: value})] == [tenant.bundle_id], name
    assert list(reader.bundles(created_before="2026-01-01T00:00:00+00:00")) == []
    assert reader.enrolment(ENROLMENT) == next(reader.enrolments(course_id=tenant.course_id, state="active"))
    assert list(reader.enrolments(learner_id="nobody")) == []


def test_a_draft_is_judged_without_a_job(tenant: Populated, reader: Client) -> None:
    before = len(list(reader.jobs()))
    judged = reader.validate_draft({"language": "en", "title": {"ar": "x"}, "units": [{"id": "u", "blocks": 7}]})
    assert not judged["valid"]
    assert {"/units/0/blocks", "/license"} <= {finding["pointer"] for finding in judged["errors"]}
    course = tenant.course().text()
    assert reader.validate_draft(course.draft()) == {"valid": True, "errors": [], "warnings": []}
    assert len(list(reader.jobs())) == before


def test_a_large_draft_may_be_judged_and_a_larger_one_not(tenant: Populated, reader: Client) -> None:
    course = tenant.course()
    for _ in range(8):
        course.text("word " * 18_000)
    assert reader.validate_draft(course.draft())["valid"]
    much = b" " * (tenant.running.settings.draft_max_bytes + 1)
    token = mint_token(tenant.home, tenant.name, ["content:read"], "somebody")
    answer = httpx.post(
        f"{reader.url}/v1/drafts/validate", content=much, trust_env=False,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


def test_asking_for_a_build_twice_is_one_job(running: Running) -> None:
    tenant = Populated(running)
    with client(tenant, "content:read", "content:write") as api:
        first = api.build(course_id="asked-for", draft_id="d", revision=2)
        assert api.build(course_id="asked-for", draft_id="d", revision=2) == first
        assert api.job(first["job_id"])["subject"] == {"package_id": first["package_id"], "version": 1}
        assert refusal(api.build, course_id="asked-for", draft_id="d", revision=1) == "revision-outdated"
    with client(tenant, "content:read") as api:
        assert refusal(api.build, course_id="asked-for", draft_id="d", revision=3) == "forbidden"


def test_a_failed_bundle_is_made_again_on_request_only(running: Running) -> None:
    tenant = Populated(running)
    with client(tenant, "content:read", "content:write") as api:
        assert refusal(api.retry_bundle, tenant.bundle_id) == "bundle-not-failed"
        running.rows(
            """update bundles set state = 'failed', problem = '{"code": "x", "title": "X."}', seal_id = null
               where tenant = %s returning 1""",
            tenant.name,
        )
        assert next(api.bundles())["problem"] == {"code": "x", "title": "X.", "detail": "", "problems": None}
        again = api.retry_bundle(tenant.bundle_id)
        assert (again["state"], again["problem"]) == ("planned", None)


def test_a_device_that_is_deactivated_gets_nothing_more(running: Running) -> None:
    tenant = Populated(running)
    assert [offer["bundle_id"] for offer in tenant.enrolled.offers()] == [tenant.bundle_id]
    with client(tenant, "content:read") as api:
        assert refusal(api.deactivate_device, tenant.enrolled.id) == "forbidden"
    with client(tenant, "content:read", "device:revoke", "audit:read") as api:
        api.deactivate_device(tenant.enrolled.id)
        api.deactivate_device(tenant.enrolled.id)
        assert api.device(tenant.enrolled.id)["state"] == "revoked"
        assert [row["device_id"] for row in api.devices(state="revoked")] == [tenant.enrolled.id]
        assert [row["action"] for row in api.audit()].count("device.revoked") == 1
    assert refusal(next, tenant.enrolled.api.bundles()) == "proof-invalid"


def test_settings_change_only_what_was_seen(running: Running) -> None:
    tenant = Populated(running)
    name, origins = tenant.name, {"cors_origins": ["https://learn.example"]}
    with client(tenant, "content:read", "tenant:admin") as api:
        seen = api.request("GET", f"/v1/tenants/{name}").headers["etag"]
        assert api.request("GET", f"/v1/tenants/{name}", headers={"If-None-Match": seen}).status_code == 304
        changed = api.change_tenant(name, settings=origins, etag=seen)
        assert changed.get("settings") == {**origins, "drill": False, "failing_findings": [], "site_csp": None}
        assert refusal(api.change_tenant, name, settings={"cors_origins": []}, etag=seen) == "precondition-failed"
        assert refusal(api.request, "PATCH", f"/v1/tenants/{name}", body={}) == "precondition-required"
        assert refusal(api.change_tenant, name, limits={"devices_per_learner": 9}) == "forbidden"
        assert refusal(api.change_tenant, name, settings={"colour": "red"}) == "request-invalid"
        assert (
            refusal(api.change_tenant, name, settings={"cors_origins": ["https://x.example/path"]}) == "request-invalid"
        )
        assert refusal(next, api.tenants()) == "forbidden"
    limits = tenant.api.change_tenant(name, limits={"devices_per_learner": 9}).get("limits", {})
    assert limits["devices_per_learner"] == 9
    assert tenant.api.change_tenant(name, limits={"devices_per_learner": None})["limits"]["devices_per_learner"] is None
    assert name in [row["tenant"] for row in tenant.api.tenants()]


def test_the_audit_log_shows_who_did_what_and_that_nothing_was_changed(running: Running) -> None:
    tenant = Populated(running)
    with client(tenant, "content:read", "content:write", "audit:read") as api:
        api.withdraw(tenant.package_id, 1, "A mistake on page 3.")
        newest = next(api.audit())
        assert (newest["actor"], newest["action"]) == ("somebody", "version.withdrawn")
        assert newest["details"]["reason"] == "A mistake on page 3."
        whole = api.verify_audit()
        assert (whole["valid"], whole["first"], whole["head"]) == (True, 1, newest["hash"])
        second = "tenant = %s and n = 2 returning n"
        running.rows(f"update audit_log set actor = 'nobody' where {second}", tenant.name)
        assert (api.verify_audit()["valid"], api.verify_audit()["broken_at"]) == (False, 2)
        running.rows(f"delete from audit_log where {second}", tenant.name)
        assert api.verify_audit()["broken_at"] == 2
    with client(tenant, "content:read") as api:
        assert refusal(next, api.audit()) == "forbidden"


def test_schemas_and_keys_are_public_and_cacheable(tenant: Populated) -> None:
    with Client(tenant.running.settings.api_url) as nobody:
        names = [row["name"] for row in nobody.schemas()]
        assert {"draft", "enrollment.created.v1", "content.play_package.withdrawn.v1"} <= set(names)
        first = nobody.request("GET", "/v1/schemas/draft")
        assert first.headers["content-type"] == "application/schema+json"
        etag = {"If-None-Match": first.headers["etag"]}
        assert nobody.request("GET", "/v1/schemas/draft", headers=etag).status_code == 304
        assert refusal(nobody.schema, "nothing") == "not-found"
        (key,) = nobody.jwks(tenant.name)["keys"]
        active = [key["kid"] for key in tenant.api.tenant(tenant.name).get("keys", []) if key["purpose"] == "signing"]
        assert [key["kid"]] == active
