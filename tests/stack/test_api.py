"""The HTTP API from outside: who may ask, what errors look like, pages, conditional requests."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from cluster.local import publishing
from cluster.local.identity import AUDIENCE, ISSUER
from content.devices.identity import DeviceIdentity
from content.devices.proof import make_proof
from content.devices.registration import make_registration
from content.errors import ContentError
from content.jwk import b64
from tests.support.running import Running
from tests.support.tenants import Tenant, bearer
from tests.support.waiting import until


def test_health_names_its_parts(http: httpx.Client) -> None:
    assert http.get("/livez").json() == {"status": "alive"}
    ready = http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["parts"] == {"postgres": "ok", "storage": "ok", "keys": "ok"}


def test_openapi_is_3_1_and_names_every_route(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path in ("/v1/tenants", "/v1/packages", "/v1/devices", "/v1/bundles/{bundle_id}", "/v1/jobs/{job_id}"):
        assert path in document["paths"]
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]


@pytest.mark.parametrize("path", ["/v1/packages", "/v1/jobs", "/v1/bundles", "/v1/devices", "/v1/tenants/demo"])
def test_nothing_is_told_to_who_does_not_say_who_they_are(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthenticated"
    assert "Bearer" in answer.headers["www-authenticate"]
    assert answer.headers["content-type"] == "application/problem+json"


def forged(kind: str, tenant: str, home: Any) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "x", "tenant": tenant, "scope": "operator", "iat": now, "exp": now + 600,
    }  # fmt: skip
    real = ECKey.import_key((home / "keys" / "identity.pem").read_bytes())
    mine = ECKey.generate_key("P-256")
    header: dict[str, Any] = {"alg": "ES256", "kid": real.thumbprint()}
    match kind:
        case "another-key":
            return jwt.encode(header, claims, mine)
        case "brings-its-key":
            return jwt.encode({"alg": "ES256", "jwk": mine.as_dict(private=False)}, claims, mine)
        case "public-key-as-secret":
            signed = f"{segment({'alg': 'HS256'})}.{segment(claims)}"
            mac = hmac.new(real.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
            return f"{signed}.{b64(mac)}"
        case "expired":
            return jwt.encode(header, {**claims, "iat": now - 7200, "exp": now - 3600}, real)
        case "from-the-future":
            return jwt.encode(header, {**claims, "iat": now + 3600, "exp": now + 7200}, real)
        case "another-audience":
            return jwt.encode(header, {**claims, "aud": "billing"}, real)
        case "another-issuer":
            return jwt.encode(header, {**claims, "iss": "https://evil.example"}, real)
        case "for-ever":
            return jwt.encode(header, {**claims, "exp": now + 10 * 365 * 86400}, real)
        case "without-tenant":
            return jwt.encode(header, {name: value for name, value in claims.items() if name != "tenant"}, real)
        case _:  # alg none
            return f"{segment({'alg': 'none'})}.{segment(claims)}."


def segment(value: dict[str, Any]) -> str:
    return b64(json.dumps(value).encode())


@pytest.mark.parametrize(
    "kind",
    [
        "another-key", "brings-its-key", "public-key-as-secret", "expired", "from-the-future", "another-audience",
        "another-issuer", "for-ever", "without-tenant", "alg-none",
    ],
)  # fmt: skip
def test_a_forged_token_is_refused_the_same_way_for_every_reason(
    http: httpx.Client, running: Running, tenant: Tenant, kind: str
) -> None:
    token = forged(kind, tenant.name, running.home.path)
    answer = http.get("/v1/packages", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.json()["code"] == "token-invalid"
    assert answer.json()["detail"] == "The token is not valid here."


def test_scopes_are_asked_for_by_name(http: httpx.Client, tenant: Tenant) -> None:
    reader = bearer(tenant, "content:read")
    assert http.get("/v1/packages", headers=reader).status_code == 200
    refused = http.post("/v1/tenants", headers=reader, json={"tenant": "not-mine", "region": "eu"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "operator" in refused.json()["detail"]
    nobody = http.get("/v1/packages", headers=bearer(tenant, "something:else"))
    assert nobody.status_code == 403


def test_a_tenant_is_made_once_and_shows_its_keys(http: httpx.Client, tenant: Tenant) -> None:
    operator, body = bearer(tenant, "operator"), {"tenant": tenant.name, "region": "eu"}
    again = http.post("/v1/tenants", headers=operator, json=body)
    assert again.status_code == 201
    assert {key["purpose"] for key in again.json()["keys"]} == {"root", "signing"}
    assert again.headers["location"] == f"/v1/tenants/{tenant.name}"
    tenant.api.change_tenant(tenant.name, policy="shared")
    assert http.post("/v1/tenants", headers=operator, json=body).json()["policy"] == "shared"
    for wrong, status, code in (
        ({**body, "region": "us"}, 421, "wrong-region"),
        ({"tenant": f"{tenant.name}2", "policy": "everybody"}, 422, "request-invalid"),
        ({**body, "policy": "device"}, 409, "tenant-exists"),
        ({"tenant": "No Slug"}, 422, "request-invalid"),
        ({"region": "eu"}, 422, "request-invalid"),
    ):
        answer = http.post("/v1/tenants", headers=operator, json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (status, code), wrong


def test_lists_come_in_pages_by_key(http: httpx.Client, tenant: Tenant) -> None:
    reader = bearer(tenant, "content:read", "device:register", subject="learner-1")
    tenant.running.rows("update tenants set limits = '{}' where tenant = %s returning tenant", tenant.name)
    ids = [register(http, tenant, reader).id for _ in range(5)]
    seen: list[str] = []
    url: str | None = "/v1/devices?limit=2"
    while url:
        answer = http.get(url, headers=reader)
        seen += [row["device_id"] for row in answer.json()["items"]]
        assert answer.links["first"]["url"] == "/v1/devices?limit=2"
        assert ("next" in answer.links) == (answer.json()["next"] is not None)
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert seen == ids[::-1], "newest first, each once"
    cursor = http.get("/v1/devices?limit=2", headers=reader).json()["next"]
    assert http.get(f"/v1/devices?limit=3&cursor={cursor}", headers=reader).status_code == 200
    for other in ("devices?cursor=zzz", f"devices?cursor={cursor}&state=active", f"bundles?cursor={cursor}"):
        wrong = http.get(f"/v1/{other}", headers=reader)
        assert (wrong.status_code, wrong.json()["code"]) == (400, "cursor-invalid"), other
    assert http.get("/v1/devices?limit=0", headers=reader).status_code == 422


def register(http: httpx.Client, tenant: Tenant, headers: dict[str, str]) -> DeviceIdentity:
    device = DeviceIdentity.generate(tenant.name, os.urandom)
    challenge = http.post("/v1/devices/challenges", headers=headers, json={"encryption": device.encryption_jwk}).json()
    answer = make_registration(device, nonce=challenge["nonce"], challenge=challenge["challenge"])
    body = {"nonce": challenge["nonce"], "registration": answer, "profile": "phone"}
    made = http.post("/v1/devices", headers=headers, json=body)
    assert made.status_code == 201, made.text
    # The nonce is used up, so the same registration is refused.
    replayed = http.post("/v1/devices", headers=headers, json=body)
    assert (replayed.status_code, replayed.json()["code"]) == (409, "nonce-unknown")
    return device


def test_a_learner_has_only_so_many_devices(http: httpx.Client, tenant: Tenant) -> None:
    headers = bearer(tenant, "device:register", subject="collector")
    for _ in range(5):
        register(http, tenant, headers)
    device = DeviceIdentity.generate(tenant.name, os.urandom)
    challenge = http.post("/v1/devices/challenges", headers=headers, json={"encryption": device.encryption_jwk}).json()
    answer = make_registration(device, nonce=challenge["nonce"], challenge=challenge["challenge"])
    refused = http.post("/v1/devices", headers=headers, json={"nonce": challenge["nonce"], "registration": answer})
    assert (refused.status_code, refused.json()["code"]) == (409, "device-limit")


def test_a_challenge_is_its_learners_own(http: httpx.Client, tenant: Tenant) -> None:
    device = DeviceIdentity.generate(tenant.name, os.urandom)
    first, second = (bearer(tenant, "device:register", subject=name) for name in ("first", "second"))
    challenge = http.post("/v1/devices/challenges", headers=first, json={"encryption": device.encryption_jwk}).json()
    answer = make_registration(device, nonce=challenge["nonce"], challenge=challenge["challenge"])
    stolen = http.post("/v1/devices", headers=second, json={"nonce": challenge["nonce"], "registration": answer})
    assert (stolen.status_code, stolen.json()["code"]) == (409, "nonce-unknown")


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-384", "x": "A" * 64, "y": "A" * 64},
    ],
)
def test_a_key_that_is_no_point_of_p_256_is_refused(http: httpx.Client, tenant: Tenant, jwk: dict[str, str]) -> None:
    headers = bearer(tenant, "device:register")
    answer = http.post("/v1/devices/challenges", headers=headers, json={"encryption": jwk})
    assert answer.status_code == 400
    assert answer.json()["code"].startswith("jwk-")


def test_a_devices_proof_is_for_one_request_at_one_time(http: httpx.Client, running: Running, tenant: Tenant) -> None:
    device = register(http, tenant, bearer(tenant, "device:register"))
    url = f"{running.settings.api_url}/v1/bundles"

    def ask(target: str = url, method: str = "GET", at: timedelta = timedelta(0), who: str = tenant.name) -> Any:
        proof = make_proof(device, method=method, url=target, now=datetime.now(UTC) + at, rng=os.urandom)
        return http.get("/v1/bundles", headers={"DPoP": proof, "Content-Tenant": who})

    assert ask().json() == {"items": [], "next": None}
    for refused in (
        ask(target=f"{running.settings.api_url}/v1/jobs"),
        ask(method="POST"),
        ask(at=timedelta(minutes=-5)),
        ask(at=timedelta(minutes=5)),
        ask(who="demo"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (401, "proof-invalid"), refused.text
    proof = make_proof(device, method="GET", url=url, now=datetime.now(UTC), rng=os.urandom)
    headers = {"DPoP": proof, "Content-Tenant": tenant.name}
    assert http.get("/v1/bundles", headers=headers).status_code == 200
    again = http.get("/v1/bundles", headers=headers)
    assert (again.status_code, again.json()["code"]) == (401, "proof-replayed")
    # A device reads its own bundles and nothing of the tenant's.
    proof = make_proof(
        device, method="GET", url=url.replace("bundles", "packages"), now=datetime.now(UTC), rng=os.urandom
    )
    assert http.get("/v1/packages", headers={"DPoP": proof, "Content-Tenant": tenant.name}).status_code == 403


def test_a_manifest_is_asked_for_by_its_etag(http: httpx.Client, tenant: Tenant) -> None:
    course = tenant.course()
    tenant.publish(course)
    version = tenant.built(course)
    url, reader = f"/v1/packages/{tenant.package(course)}/versions/1/manifest", bearer(tenant, "content:read")
    first = http.get(url, headers=reader)
    assert first.headers["etag"] == f'"{version["manifest_digest"]}"'
    assert "max-age=60" in first.headers["cache-control"]
    again = http.get(url, headers={**reader, "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/packages/", "/v2/packages"])
def test_what_is_not_there_is_a_problem_too(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not-found"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_is_counted_before_anybody_is_asked_who_they_are(http: httpx.Client, running: Running) -> None:
    much = b"x" * (running.settings.api_max_body_bytes + 1)

    def unsaid() -> Iterator[bytes]:
        yield much[: len(much) // 2]
        yield much[len(much) // 2 :]

    for body in (much, unsaid()):
        answer = http.post("/v1/devices", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    within = http.post("/v1/devices", content=b"{}", headers={"Content-Type": "application/json"})
    assert (within.status_code, within.json()["code"]) == (401, "unauthenticated")


def test_what_was_cancelled_is_handed_out_no_more(running: Running, tenant: Tenant) -> None:
    course = tenant.course().text()
    tenant.publish(course)
    tenant.built(course)
    device = tenant.device("learner-1")
    enrolment = tenant.enrol(course, "learner-1")
    (row,) = tenant.ready(course, 1)
    assert [offer["bundle_id"] for offer in device.offers()] == [row["bundle_id"]]
    publishing.cancel(running.home.path, tenant.name, enrollment_id=enrolment, reason="left the class")

    def refused() -> bool:
        try:
            device.api.bundle(row["bundle_id"])
        except ContentError as error:
            return error.code == "enrolment-cancelled"
        return False

    until("the bundle refused", refused, 30.0)
    assert device.offers() == []
    assert len(tenant.bundles(course)) == 1, "the tenant's operators still see it"


def test_a_cancellation_that_overtakes_its_enrolment_holds(running: Running, tenant: Tenant) -> None:
    course = tenant.course().text()
    tenant.publish(course)
    tenant.built(course)
    tenant.device("learner-1")
    publishing.cancel(running.home.path, tenant.name, enrollment_id="enr-early", reason="")
    until("it is known", lambda: running.rows("select 1 from enrolments where tenant = %s", tenant.name), 30.0)
    tenant.enrol(course, "learner-1", "enr-early")
    seen = "select 1 from inbox where tenant = %s and type = 'enrollment.created.v1'"
    until("the enrolment taken in", lambda: running.rows(seen, tenant.name), 30.0)
    assert tenant.bundles(course) == []


def test_an_event_that_cannot_be_stored_goes_to_the_dead_letters_and_blocks_nobody(
    running: Running, tenant: Tenant
) -> None:
    odd = {"tenant_id": tenant.name, "enrollment_id": "e\u0000", "learner_id": "l", "course_id": "c"}
    publishing.publish(running.home.path, "enrollment.created.v1", "e", odd)
    course = tenant.course().text()
    tenant.publish(course)
    tenant.built(course)
    assert running.rows("select 1 from enrolments where tenant = %s", tenant.name) == []
