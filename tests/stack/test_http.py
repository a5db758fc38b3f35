"""What all routes share, from outside: keys of idempotency, budgets, origins, bounds, ids, the page of the documentation."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import uuid
from typing import Any

import httpx
import psycopg
import pytest

from cluster.connections import Connections
from content.devices.identity import DeviceIdentity
from tasks import idempotency_keys
from tests.support.running import Running
from tests.support.tenants import Tenant, bearer
from tests.support.waiting import until


def challenge(tenant: Tenant) -> dict[str, Any]:
    return {"encryption": DeviceIdentity.generate(tenant.name, os.urandom).encryption_jwk}


# -- idempotency ------------------------------------------------------------------------------------------------------


def test_the_same_request_with_the_same_key_is_done_once(http: httpx.Client, running: Running, tenant: Tenant) -> None:
    headers = {**bearer(tenant, "device:register"), "Idempotency-Key": str(uuid.uuid4())}
    body = challenge(tenant)
    first = http.post("/v1/devices/challenges", headers=headers, json=body)
    again = http.post("/v1/devices/challenges", headers=headers, json=body)
    quoted = {**headers, "Idempotency-Key": f'"{headers["Idempotency-Key"]}"'}
    third = http.post("/v1/devices/challenges", headers=quoted, json=body)
    assert first.status_code == again.status_code == third.status_code == 201
    assert first.content == again.content == third.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == third.headers["idempotent-replayed"] == "true"
    made = running.rows("select count(*) as n from device_challenges where tenant = %s", tenant.name)
    assert made == [{"n": 1}]
    # Another caller's key is another key.
    other = {**headers, **bearer(tenant, "device:register", subject="somebody-else")}
    assert http.post("/v1/devices/challenges", headers=other, json=body).content != first.content


def test_a_key_is_for_one_request_and_only_for_what_was_done(http: httpx.Client, tenant: Tenant) -> None:
    headers = {**bearer(tenant, "device:register", "operator"), "Idempotency-Key": str(uuid.uuid4())}
    refused = http.post("/v1/devices/challenges", headers=headers, json={"encryption": {}})
    assert refused.status_code == 400
    body = challenge(tenant)  # nothing was done under the key, so it is free
    assert http.post("/v1/devices/challenges", headers=headers, json=body).status_code == 201
    for path, wrong in (("/v1/devices/challenges", challenge(tenant)), ("/v1/tenants", {"tenant": tenant.name})):
        answer = http.post(path, headers=headers, json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    for key in ("", "x" * 256, "\u00e9".encode()):
        odd: Any = [*bearer(tenant, "device:register").items(), ("Idempotency-Key", key)]
        answer = http.post("/v1/devices/challenges", headers=odd, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency-key-invalid"), key


def test_a_key_holds_across_the_tenant_that_the_request_changes(http: httpx.Client, tenant: Tenant) -> None:
    headers = {**bearer(tenant, "operator"), "Idempotency-Key": str(uuid.uuid4())}
    name = f"made-{uuid.uuid4().hex[:8]}"
    first = http.post("/v1/tenants", headers=headers, json={"tenant": name})
    assert first.status_code == 201, first.text
    again = http.post("/v1/tenants", headers=headers, json={"tenant": name})
    assert (again.headers["idempotent-replayed"], again.headers["location"]) == ("true", f"/v1/tenants/{name}")
    other = http.post("/v1/tenants", headers=headers, json={"tenant": f"{name}x"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


def test_two_at_once_with_one_key_are_one(http: httpx.Client, running: Running, tenant: Tenant) -> None:
    headers = {**bearer(tenant, "device:register"), "Idempotency-Key": str(uuid.uuid4())}
    body = challenge(tenant)

    def send(_: int) -> httpx.Response:
        return http.post("/v1/devices/challenges", headers=headers, json=body)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    codes = {answer.json().get("code", "made") for answer in answers}
    assert codes <= {"made", "idempotency-in-progress"}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.headers["retry-after"]
    made = running.rows("select count(*) as n from device_challenges where tenant = %s", tenant.name)
    assert made == [{"n": 1}]


def test_a_request_that_runs_is_not_waited_for(http: httpx.Client, running: Running, tenant: Tenant) -> None:
    key, subject = str(uuid.uuid4()), "tester"
    headers = {**bearer(tenant, "device:register", subject=subject), "Idempotency-Key": key}
    name = "\n".join(("idempotency", tenant.name, f"token:{subject}", key))
    with psycopg.connect(running.settings.postgres_api.get_secret_value()) as first:
        first.execute("select pg_advisory_xact_lock(hashtextextended(%s, 1))", [name])
        answer = http.post("/v1/devices/challenges", headers=headers, json=challenge(tenant))
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-in-progress")
    assert http.post("/v1/devices/challenges", headers=headers, json=challenge(tenant)).status_code == 201


async def test_keys_are_forgotten_after_their_time(http: httpx.Client, running: Running, tenant: Tenant) -> None:
    headers = {**bearer(tenant, "device:register"), "Idempotency-Key": str(uuid.uuid4())}
    body = challenge(tenant)
    first = http.post("/v1/devices/challenges", headers=headers, json=body)
    expire = "update idempotency_keys set expires_at = now() where tenant = %s returning key"
    assert running.rows(expire, tenant.name)
    anew = http.post("/v1/devices/challenges", headers=headers, json=challenge(tenant))
    assert anew.status_code == 201 and anew.content != first.content
    running.rows(expire, tenant.name)
    connections = await Connections.open(running.settings, "api", size=1)
    try:
        assert await idempotency_keys.forget_expired(connections) >= 1
    finally:
        await connections.close()
    assert running.rows("select 1 from idempotency_keys where tenant = %s", tenant.name) == []


# -- limits, origins, ids, bounds -------------------------------------------------------------------------------------


def test_a_tenant_has_its_budget_and_no_other_pays_for_it(http: httpx.Client, running: Running, tenant: Tenant) -> None:
    running.rows(
        """update tenants set limits = limits || '{"requests_per_minute": 5}' where tenant = %s returning tenant""",
        tenant.name,
    )
    reader = bearer(tenant, "content:read")

    def ask() -> httpx.Response:
        return http.get("/v1/me", headers=reader)

    policy = '"tenant";q=5;w=60'
    until("the new limit holds", lambda: ask().headers["ratelimit-policy"] == policy, 30.0)
    answers = [ask() for _ in range(8)]
    statuses = [answer.status_code for answer in answers]
    assert statuses == sorted(statuses) and statuses[-2:] == [429, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {policy}
    left = [int(re.findall(r";r=(\d+)", answer.headers["ratelimit"])[0]) for answer in answers]
    assert left == sorted(left, reverse=True) and left[-1] == 0
    refused = answers[-1]
    assert refused.json()["code"] == "rate-limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 12
    other = Tenant(running)
    assert http.get("/v1/me", headers=bearer(other, "content:read")).status_code == 200


def test_a_page_of_a_listed_origin_may_read_its_own_tenants_answers(
    http: httpx.Client, running: Running, tenant: Tenant
) -> None:
    mine, other = f"https://{tenant.name}.example", Tenant(running)
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    unknown = http.options("/v1/packages", headers={"Origin": "https://evil.example", **preflight})
    assert "access-control-allow-origin" not in unknown.headers
    running.rows(
        "update tenants set settings = %s where tenant = %s returning tenant",
        json.dumps({"cors_origins": [mine]}),
        tenant.name,
    )

    def allowed() -> httpx.Response | None:
        answer = http.options("/v1/packages", headers={"Origin": mine, **preflight})
        return answer if "access-control-allow-origin" in answer.headers else None

    answer = until("the new origin is known", allowed, 40.0)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == mine
    assert "idempotency-key" in answer.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in answer.headers
    own = http.get("/v1/me", headers={"Origin": mine, **bearer(tenant, "content:read")})
    assert own.headers["access-control-allow-origin"] == mine
    assert "Origin" in own.headers["vary"]
    foreign = http.get("/v1/me", headers={"Origin": mine, **bearer(other, "content:read")})
    assert foreign.status_code == 200 and "access-control-allow-origin" not in foreign.headers


@pytest.mark.parametrize("told", [None, "mine-12345", "x", 'a"b<script>', "y" * 300])
def test_an_answer_has_one_request_id(http: httpx.Client, told: str | None) -> None:
    answer = http.get("/v1/packages", headers={"X-Request-Id": told} if told else {})
    ids = answer.headers.get_list("x-request-id")
    assert len(ids) == 1
    if told == "mine-12345":
        assert ids == [told] and answer.json()["instance"] == told
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,128}", answer.json()["instance"])


def test_every_answer_carries_the_header_fields_for_safety(http: httpx.Client, tenant: Tenant) -> None:
    for path, headers in (("/v1/me", bearer(tenant, "content:read")), ("/v1/me", {}), ("/problems", {}), ("/docs", {})):
        answer = http.get(path, headers=headers)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert http.get("/v1/me", headers=bearer(tenant, "content:read")).headers["cache-control"] == "no-store"


def test_what_is_out_of_bounds_is_refused_and_breaks_nothing(http: httpx.Client, tenant: Tenant) -> None:
    headers = bearer(tenant, "content:read", "device:register", "operator")
    json_headers = {**headers, "Content-Type": "application/json"}
    for path in ("/v1/packages/a%00b", "/v1/packages/%ff%fe", "/v1/packages/" + "x" * 400, "/v1/packages/%0d%0a"):
        answer = http.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path
    assert http.get("/v1/packages?course_id=" + "x" * 9000, headers=headers).json()["code"] == "uri-too-long"
    assert http.get("/v1/packages?course_id=%00", headers=headers).status_code in (400, 422)
    assert http.get("/v1/packages?course_id=%ff", headers=headers).status_code == 200
    many = {**headers, **{f"X-Filler-{n}": "x" * 6000 for n in range(6)}}
    assert http.get("/v1/packages", headers=many).status_code == 431
    for body, code in (
        (b"{", "json-malformed"),
        (b"\xff", "json-malformed"),
        (b"[" * 30_000, "json-malformed"),
        (b'{"tenant": ' + b"9" * 5000 + b"}", "json-malformed"),
        (b'{"tenant": NaN}', "request-invalid"),
        (b'{"tenant": "a\\u0000b"}', "request-invalid"),
        (b"[]", "request-invalid"),
        (b"null", "request-invalid"),
        (b"", "request-invalid"),
    ):
        answer = http.post("/v1/tenants", headers=json_headers, content=body)
        assert answer.json()["code"] == code, (body[:20], answer.text)
    lone = http.post(
        "/v1/devices",
        headers=json_headers,
        content=b'{"nonce": "aaaaaaaaaaaaaaaa\\ud800", "registration": "x"}',
    )
    assert lone.status_code in (400, 409, 422), lone.text
    text = http.post("/v1/tenants", headers={**headers, "Content-Type": "text/plain"}, content=b"x")
    assert (text.status_code, text.json()["code"]) == (415, "media-type-not-supported")
    for method in ("DELETE", "PUT"):
        answer = http.request(method, "/v1/packages", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
        assert "GET" in answer.headers["allow"]


def test_a_token_of_another_region_is_sent_there(http: httpx.Client, running: Running, tenant: Tenant) -> None:
    answer = http.post("/v1/tenants", headers=bearer(tenant, "operator"), json={"tenant": "far-away", "region": "us"})
    assert (answer.status_code, answer.json()["home_region"]["region"]) == (421, "us")


def test_the_docs_need_nothing_but_this_address(http: httpx.Client) -> None:
    page = http.get("/docs")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) >= 4 and all(source.startswith("/static/") for source in sources)
    assert not re.search(r"<script>|<style|style=|onload=", page.text)
    for source in sources:
        found = http.get(source)
        assert found.status_code == 200 and found.content, source
        assert not re.search(rb"(?:import|url)\(?['\"]?https?://", found.content[:2000]), source
    assert http.get("/static/../api.py").status_code == 404
