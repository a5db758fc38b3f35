"""What operators see of a running stack: one trace from a request to a bundle, lines with ids, numbers with help."""

from __future__ import annotations

import os
import re
import secrets
from datetime import UTC, datetime

import httpx
import psycopg
import pytest

from cluster import telemetry
from cluster.local.home import read_json
from cluster.local.identity import mint_token
from cluster.local.publishing import publish
from cluster.telemetry.metrics import METRICS
from content.devices.proof import make_proof
from tests.support.courses import Course
from tests.support.hooks import Hook
from tests.support.receiver import receiving
from tests.support.running import Running
from tests.support.tenants import BUNDLE_EVENT, PACKAGE_EVENT, Tenant
from tests.support.told import Seen, content, files, lines, numbers, spans
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)  # the first test also starts the stack


def small(tenant: Tenant) -> Course:
    return tenant.course().text().picture("square", seed=secrets.randbelow(1 << 30))


def of_trace(running: Running, trace: str, wanted: set[tuple[str, str]]) -> list[Seen]:
    """The spans of a trace, once all of `wanted` (service, name) are there."""

    def found() -> list[Seen] | None:
        seen = [span for span in spans(running) if span.trace == trace]
        return seen if wanted <= {(span.service, span.name) for span in seen} else None

    def missing() -> set[tuple[str, str]]:
        return wanted - {(span.service, span.name) for span in spans(running) if span.trace == trace}

    return until("every span of the trace", found, 20.0, missing)


def test_one_trace_from_a_draft_to_the_bundle_that_sync_hears_of(tenant: Tenant) -> None:
    trace, learner, course = secrets.token_hex(16), f"learner-{secrets.token_hex(4)}", small(tenant).film("clip")
    tenant.device(learner)
    tenant.enrol(course, learner)
    with telemetry.span("what authoring-service does", parent=f"00-{trace}-{secrets.token_hex(8)}-01"):
        tenant.publish(course)
    tenant.built(course)
    (row,) = tenant.ready(course, 1)
    (event,) = tenant.heard_of({row["bundle_id"]})

    assert event["traceparent"].split("-")[1] == trace
    (told,) = tenant.running.heard(tenant.name, PACKAGE_EVENT)
    assert told["traceparent"].split("-")[1] == trace
    seen = of_trace(
        tenant.running,
        trace,
        {
            ("content-outbox-relay", "receive authoring.course_draft.published.v1"),
            ("content-builder", "take build"),
            ("content-builder", "build"),
            ("content-builder", "draft"),
            ("content-builder", "neighbour authoring"),
            ("content-builder", "assets"),
            ("content-render", "look at an original"),
            ("content-render", "render"),
            ("content-builder", "publish"),
            ("content-builder", "storage put"),
            ("content-builder", "keys sign"),
            ("content-outbox-relay", f"publish {PACKAGE_EVENT}"),
            ("content-bundler", "take bundle"),
            ("content-bundler", "bundles"),
            ("content-bundler", "bundle"),
            ("content-bundler", "seal"),
            ("content-bundler", "sign"),
            ("content-outbox-relay", f"publish {BUNDLE_EVENT}"),
        },
    )
    (bundle,) = [span for span in seen if span.name == "bundle"]
    assert bundle.attributes["content.bundle"] == row["bundle_id"]
    assert {span.attributes["content.tenant"] for span in seen if "content.tenant" in span.attributes} == {tenant.name}
    (job,) = tenant.running.rows("select traceparent from jobs where tenant = %s", tenant.name)
    assert job["traceparent"].split("-")[1] == trace


def test_one_trace_from_a_request_to_the_bundle(tenant: Tenant) -> None:
    """A learner is enrolled; the device that registers later calls for the bundle. The log line of the request leads to
    the trace, and the trace to the bundle, though others' rows may have been served with it."""
    learner, course = f"learner-{secrets.token_hex(4)}", small(tenant)
    tenant.publish(course)
    tenant.built(course)
    tenant.enrol(course, learner)
    until("the enrolment", lambda: tenant.running.rows("select 1 from enrolments where tenant = %s", tenant.name))
    tenant.device(learner)
    (row,) = tenant.ready(course, 1)
    (event,) = tenant.heard_of({row["bundle_id"]})

    (line,) = [
        line
        for line in lines(tenant.running, "content-api")
        if line.get("tenant") == tenant.name and (line["method"], line["route"]) == ("POST", "/v1/devices")
    ]
    assert (line["status"], line["level"], line["event"]) == (201, "info", "request")
    assert event["traceparent"].split("-")[1] == line["trace_id"]
    of_trace(
        tenant.running,
        line["trace_id"],
        {
            ("content-api", "POST /v1/devices"),
            ("content-bundler", "bundle"),
            ("content-outbox-relay", f"publish {BUNDLE_EVENT}"),
        },
    )


def test_rows_of_a_batch_keep_their_own_traces(tenant: Tenant) -> None:
    """One of them goes on in the batch; the batch links to all, and each has a span that links to the batch."""
    course, learners = small(tenant), [f"learner-{secrets.token_hex(4)}" for _ in range(3)]
    tenant.publish(course)
    tenant.built(course)
    for learner in learners:
        tenant.device(learner)
    tenant.running.failpoints.arm("bundle.before_seal", "pause")
    traces = [secrets.token_hex(16) for _ in learners]
    first = tenant.course().text()  # keeps the bundler busy until all have enrolled
    with telemetry.span("x", parent=f"00-{traces[0]}-{secrets.token_hex(8)}-01"):
        tenant.enrol(course, learners[0])
    tenant.running.failpoints.reached("bundle.before_seal")
    for trace, learner in zip(traces[1:], learners[1:], strict=True):
        with telemetry.span("x", parent=f"00-{trace}-{secrets.token_hex(8)}-01"):
            tenant.enrol(course, learner)
    planned = "select 1 from bundles where tenant = %s and state = 'planned'"
    until("two planned", lambda: len(tenant.running.rows(planned, tenant.name)) == 2)
    tenant.running.failpoints.release("bundle.before_seal")
    rows = tenant.ready(course, 3)
    events = tenant.heard_of({row["bundle_id"] for row in rows})
    assert sorted(event["traceparent"].split("-")[1] for event in events) == sorted(traces)
    for trace in traces:
        of_trace(tenant.running, trace, {("content-bundler", "bundle")})
    assert first is not None
    together = [span for span in spans(tenant.running) if span.name == "bundles" and set(span.links) & set(traces[1:])]
    assert any(set(traces[1:]) <= set(span.links) for span in together)


# -- numbers ------------------------------------------------------------------------------------------------------------

RARE = {
    "content_publish_failures", "content_rate_limited",
    "content_release_share", "content_release_compared", "content_release_decisions",
    "content_parts_damaged", "content_lists_not_renewed",
    "content_keys_throttled", "content_keys_rate",
    "content_edge_oldest_seconds", "content_edge_words",
    "content_region_lag", "content_region_silence_seconds", "content_foreign_events",
}  # fmt: skip
"""Told only when something went wrong, which no test here makes happen; by the promoter of a release; with AWS KMS; with a CDN; or
where there are other regions."""


def test_every_number_of_the_page_is_told_with_its_help(tenant: Tenant) -> None:
    course, learner = small(tenant), f"learner-{secrets.token_hex(4)}"
    tenant.enrol(course, learner)
    device = tenant.device(learner)
    tenant.publish(course)
    tenant.ready(course, 1, deadline_s=120)
    refused = httpx.get(
        f"{tenant.running.settings.api_url}/v1/devices/{device.id}",
        headers={"dpop": "x", "content-tenant": tenant.name},
    )
    assert refused.status_code == 401
    with receiving() as receiver:
        hook = Hook(tenant.running, receiver.url)
        hook.ended(hook.test(), "delivered")
    wanted = {f"# HELP {metric.exported} {metric.help}\n" for metric in METRICS if metric.name not in RARE}

    def missing() -> list[str]:
        told = numbers(tenant.running)
        return [line for line in wanted if line not in told]

    until("every number", lambda: not missing(), 40.0, missing)
    told = numbers(tenant.running)
    ready = re.findall(r'ray_content_bundles_total\{[^}]*result="ready"[^}]*\} (\S+)', told)
    assert sum(float(value) for value in ready) >= 1
    assert 'route="/v1/devices/{device_id}"' in told
    assert tenant.name not in told


# -- what is never told -------------------------------------------------------------------------------------------------


def test_no_file_of_the_stack_holds_a_secret_or_a_person(tenant: Tenant) -> None:
    """Markers go through requests, refusals, builds that work and builds that fail; then every file is searched."""
    running = tenant.running
    mark = secrets.token_hex(5)
    learner, author, asset = f"learner-{mark}", f"Ann {mark} Author", f"portrait-{mark}"
    token = mint_token(tenant.home, tenant.name, ["device:register", "content:read"], learner)
    api_url, bearer = running.settings.api_url, {"authorization": f"Bearer {token}"}

    course = tenant.course().text(f"Written by {author}.").picture("square", seed=7)
    tenant.enrol(course, learner)
    device = tenant.device(learner)
    tenant.publish(course)
    (row,) = tenant.ready(course, 1, deadline_s=120)
    (offer,) = device.offers()
    device.open(offer)
    signature = offer["index"]["url"].partition("Signature=")[2].partition("&")[0]
    tenant.heard_of({row["bundle_id"]})

    # requests that are refused, whatever they bring
    proof = make_proof(
        device.identity,
        method="GET",
        url=f"{api_url}/v1/devices/{device.id}",
        now=datetime.now(UTC),
        rng=os.urandom,
    )
    proven = {"dpop": proof, "content-tenant": tenant.name}
    with httpx.Client(base_url=api_url, trust_env=False) as http:
        assert http.get(f"/v1/devices/{device.id}", headers=proven).status_code == 200
        assert http.get(f"/v1/devices/{device.id}", headers=proven).status_code == 401  # used before
        assert http.get(f"/v1/devices?learner_id={learner}", headers=bearer).status_code == 200
        assert http.get(f"/v1/nowhere/{learner}?token={token}", headers=bearer).status_code == 404
        assert http.get(f"/v1/bundles/{learner}", headers=bearer).status_code == 404
        assert http.get("/v1/packages", headers={"authorization": f"Bearer {token}x"}).status_code == 401
        assert http.post("/v1/devices", headers=bearer, json={"nonce": 7, "registration": [author, learner]}).is_error
    assert httpx.get(offer["index"]["url"].replace("Signature=", "Signature=A")).is_error

    # builds that fail: a draft with mistakes, a picture that is none
    mistaken = tenant.course().text(author)
    mistaken.blocks.append({"type": "image", "id": "no-alt", "asset": asset, "caption": {"en": author}})
    tenant.publish(mistaken)
    broken = running.media / f"{mark}.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    unreadable = tenant.course().picture("square", seed=8)
    unreadable.blocks.append({"type": "image", "id": "none", "asset": asset, "alt": {"en": author}})
    unreadable.originals[asset] = broken, "image/png"
    tenant.publish(unreadable)
    for failing in (mistaken, unreadable):
        assert until("the build's end", lambda c=failing: tenant.version(c), 90.0, tenant.jobs)["state"] == "failed"

    # an event that is none, and a row that Postgres refuses
    publish(tenant.home, "enrollment.created.v1", "e", {"tenant_id": tenant.name, "learner_id": {"name": learner}})
    with psycopg.connect(running.settings.postgres_worker.get_secret_value()) as db, pytest.raises(psycopg.Error):
        db.execute("select set_config('app.tenant', %s, true)", [tenant.name])
        db.execute(f"insert into enrolments (tenant, enrollment_id, learner_id, course_id) select tenant, enrollment_id, '{learner}', '' from enrolments".encode())  # fmt: skip

    def refused() -> bool:
        return any(line["event"] == "event refused" for line in lines(running, "content-outbox-relay"))

    until("the refusal", refused)
    own = read_json(running.home.keys / "secrets.json")
    needles = {"mark": mark, "token": token, "proof": proof, "signature": signature, "licence": offer["licence"][:60]}
    needles |= {name: value.strip().splitlines()[1 if "\n" in value.strip() else 0] for name, value in own.items()}
    found = [
        (path.name, name, excerpt(data, needle))
        for path in files(running)
        for data in [content(path)]
        for name, needle in needles.items()
        if needle.encode() in data
    ]
    assert not found
    seen = {path.name for path in files(running) if tenant.name.encode() in content(path)}
    assert {"content-api.log", "content-builder.log", "content-bundler.log"} <= seen, "the search sees what is there"


def excerpt(data: bytes, needle: str) -> str:
    at = data.index(needle.encode())
    return data[max(0, at - 200) : at + 60].decode(errors="replace")
