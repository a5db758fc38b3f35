"""What operators see of a running stack: one trace from a request to a bundle, lines with ids, numbers with help."""

from __future__ import annotations

import secrets

import pytest

from cluster import telemetry
from tests.support.courses import Course
from tests.support.running import Running
from tests.support.tenants import BUNDLE_EVENT, PACKAGE_EVENT, Tenant
from tests.support.told import Seen, lines, spans
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)  # the first test also starts the stack


@pytest.fixture
def tenant(running: Running) -> Tenant:
    return Tenant(running)


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
    trace, learner, course = secrets.token_hex(16), f"learner-{secrets.token_hex(4)}", small(tenant)
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
