"""A server that everything leans on is away for a while; work goes on as far as it can, and catches up afterwards."""

from __future__ import annotations

import time

import pytest

from tests.support.courses import Course
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import always, until

pytestmark = pytest.mark.timeout(300)

LEARNER = "learner-1"
NATS_AWAY_S = 30.0


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
    relays = running.replicas("content-outbox-relay")

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
    assert running.replicas("content-outbox-relay") == relays, "an outage of NATS is waited out"

    later = course.changed("square", seed=2)  # and events are taken in again
    tenant.publish(later)
    tenant.built(later, 2)
    tenant.ready(later, 2, number=2)
    assert_settled(tenant)
    for device in (early, late):
        device.read(device.open(device.offers()[-1]))


def test_postgres_restarted_in_the_middle_of_a_build(tenant: Tenant) -> None:
    """Whoever lost its connection is replaced or connects again; the build that ran is taken over."""
    running = tenant.running
    pools = ("content-builder", "content-bundler")
    before = {pool: running.replicas(pool) for pool in pools}
    course = small(tenant).film("film", seconds=8, size="640x480")
    device = tenant.device(LEARNER)
    tenant.enrol(course, LEARNER)
    running.failpoints.arm("build.mid_transcode", "pause")
    tenant.publish(course)
    running.failpoints.reached("build.mid_transcode")

    running.stop_part("postgres")
    running.start_part()
    running.failpoints.release("build.mid_transcode")

    for pool in pools:  # a queue's listener cannot be mended: the worker is another one afterwards
        until(f"{pool} replaced", lambda pool=pool: (now := running.replicas(pool)) and not now & before[pool], 120)
    tenant.built(course, deadline_s=120)
    tenant.ready(course, 1, deadline_s=90)
    assert_settled(tenant)
    (offer,) = device.offers()
    device.read(device.open(offer))
    (job,) = tenant.api.items("/v1/jobs")
    assert job["state"] == "succeeded"


@pytest.mark.slow
def test_postgres_restarted_while_a_bundle_is_sealed(tenant: Tenant) -> None:
    running = tenant.running
    course = small(tenant)
    tenant.publish(course)
    tenant.built(course)
    device = tenant.device(LEARNER)
    running.failpoints.arm("bundle.after_upload", "pause")
    tenant.enrol(course, LEARNER)
    running.failpoints.reached("bundle.after_upload")
    before = running.replicas("content-bundler")

    running.stop_part("postgres")
    running.start_part()
    running.failpoints.release("bundle.after_upload")

    until("the bundler replaced", lambda: (now := running.replicas("content-bundler")) and not now & before, 120)
    tenant.ready(course, 1, deadline_s=90)
    assert_settled(tenant)
    (offer,) = device.offers()
    device.read(device.open(offer))
