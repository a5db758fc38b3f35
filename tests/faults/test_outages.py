"""A server that everything leans on is away for a while; work goes on as far as it can, and catches up afterwards."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil
import pytest

from tests.support.courses import Course
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant, hold_build
from tests.support.waiting import always, until

pytestmark = pytest.mark.timeout(300)

LEARNER = "learner-1"
NATS_AWAY_S = 30.0
QUEUE_POOLS, RELAY = ("content-builder", "content-bundler"), "content-outbox-relay"


def small(tenant: Tenant) -> Course:
    return tenant.course().text().picture("square", seed=1)


def test_nats_away_for_half_a_minute(tenant: Tenant) -> None:
    """What is planned already is made meanwhile; what was said meanwhile is heard afterwards, once."""
    running = tenant.running
    course = small(tenant)
    tenant.publish(course)
    tenant.built(course)
    early = tenant.device(LEARNER, "phone")
    tenant.enrol(course, LEARNER)
    tenant.ready(course, 1)
    relays = running.replicas(RELAY)

    running.stop_part("nats")
    try:
        away_since = time.monotonic()
        late = tenant.device(LEARNER, "tablet")
        rows = tenant.ready(course, 2)
        (offer,) = late.offers()
        late.read(late.open(offer))
        told_late = [row["bundle_id"] for row in rows if row["device_id"] == late.id]
        left_s = NATS_AWAY_S - (time.monotonic() - away_since)
        always(
            "only the first device heard of",
            lambda: told_late[0] not in {event["data"].get("bundle_id") for event in running.heard(tenant.name)},
            left_s,
        )
    finally:
        running.start_part()
    tenant.heard_of({row["bundle_id"] for row in rows}, deadline_s=60)
    assert running.replicas(RELAY) == relays, "an outage of NATS is waited out"

    later = course.changed("square", seed=2)  # and events are taken in again
    tenant.publish(later)
    tenant.built(later, 2)
    tenant.ready(later, 2, number=2)
    assert_settled(tenant)
    for device in (early, late):
        device.read(device.open(device.offers()[-1]))


def named(process: psutil.Process) -> str:
    """Its name; nothing of one that has just ended."""
    with suppress(psutil.Error):
        return process.name()
    return ""


def test_rays_head_killed_and_started_again(tenant: Tenant) -> None:
    """Everything on Ray is disposable: `up` brings back a cluster that lost its head, and the work goes on."""
    running, course = tenant.running, small(tenant)
    device = tenant.device(LEARNER)
    tenant.enrol(course, LEARNER)
    (head,) = (process for process in running.processes("ray") if named(process) == "gcs_server")
    head.kill()
    until("Ray unwell", lambda: running.health("ray") != "ok", 60)
    tenant.publish(course)
    kept = running.stack.up().kept
    assert "postgres" in kept
    assert not {"ray", "serve"} & set(kept)
    tenant.built(course, deadline_s=120)
    tenant.ready(course, 1)
    assert_settled(tenant)
    (offer,) = device.offers()
    device.read(device.open(offer))


def restart_postgres(tenant: Tenant, let_go: str) -> None:
    """Restart it while a worker is held at the point `let_go`; whoever lost its listener is another one afterwards."""
    running = tenant.running
    before = {pool: running.replicas(pool) for pool in QUEUE_POOLS}
    relays = running.replicas(RELAY)
    running.stop_part("postgres")
    running.start_part()
    running.failpoints.release(let_go)
    for pool in QUEUE_POOLS:

        def replaced(pool: str = pool) -> bool:
            now = running.replicas(pool)
            return bool(now) and not now & before[pool]

        until(f"{pool} replaced", replaced, 120)
    assert running.replicas(RELAY) == relays, "the relay connects again"


def test_postgres_restarted_in_the_middle_of_a_build(tenant: Tenant) -> None:
    """The workers that lost it are replaced; the build that ran is finished or taken over."""
    course = small(tenant).film("film", seconds=8, size="640x480")
    device = tenant.device(LEARNER)
    tenant.enrol(course, LEARNER)
    hold_build(tenant, course)
    restart_postgres(tenant, "build.mid_transcode")
    tenant.built(course, deadline_s=120)
    tenant.ready(course, 1, deadline_s=90)
    assert_settled(tenant)
    (offer,) = device.offers()
    device.read(device.open(offer))
    (job,) = tenant.api.items("/v1/jobs")
    assert job["state"] == "succeeded"


@pytest.mark.slow
def test_postgres_restarted_while_a_bundle_is_sealed(tenant: Tenant) -> None:
    course = small(tenant)
    tenant.publish(course)
    tenant.built(course)
    device = tenant.device(LEARNER)
    tenant.running.failpoints.arm("bundle.after_upload", "pause")
    tenant.enrol(course, LEARNER)
    tenant.running.failpoints.reached("bundle.after_upload")
    restart_postgres(tenant, "bundle.after_upload")
    tenant.ready(course, 1, deadline_s=90)
    assert_settled(tenant)
    (offer,) = device.offers()
    device.read(device.open(offer))
