"""A process that is stopped in the middle (a paused machine) and wakes up when others have done its work; a wrong clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from cluster.local import publishing
from tasks.relay_partitions import PRESENCE_LOCK
from tests.support.courses import Course
from tests.support.light import Light
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)

LEARNER = "learner-1"


@pytest.fixture
def tenant(bare: Light) -> Tenant:
    return Tenant(bare)


@pytest.fixture
def course(tenant: Tenant) -> Course:
    return tenant.course().text()


def deliveries(running: Light, tenant: Tenant) -> dict[str, int]:
    """How often sync-service was brought each event of a tenant."""
    answer = httpx.get(f"{running.settings.sync_url}/v1/events", trust_env=False, timeout=60).raise_for_status()
    return {
        entry["event"]["id"]: entry["deliveries"]
        for entry in answer.json()["events"]
        if entry["event"]["data"]["tenant_id"] == tenant.name
    }


def present(running: Light) -> int:
    """How many relays hold a session."""
    locks = "select count(*) as n from pg_locks where locktype = 'advisory' and classid = %s and granted"
    return running.rows(locks, PRESENCE_LOCK)[0]["n"]


def waiting(running: Light, tenant: Tenant) -> list[Any]:
    return running.rows("select id from outbox where tenant = %s and published_at is null", tenant.name)


def next_version(tenant: Tenant, course: Course, number: int) -> None:
    course.revision = number
    course.text(f"Version {number}.")
    tenant.publish(course)
    tenant.built(course, number)


def test_a_frozen_relay_wakes_up_when_another_has_its_partitions(bare: Light, tenant: Tenant, course: Course) -> None:
    """It had published and not yet marked. Postgres ends its silent session; its successor sends nothing twice that the
    stream would take twice, and when it wakes up, it stands behind."""
    bare.worker("builder")
    bare.worker("bundler")
    device = tenant.device(LEARNER)
    first = bare.worker("relay")
    tenant.enrol(course, LEARNER)
    bare.failpoints.arm("relay.after_publish", "pause")
    tenant.publish(course)
    bare.failpoints.reached("relay.after_publish", 90)
    first.freeze()
    second = bare.worker("relay")
    tenant.ready(course, 1)
    until("the second has its partitions", lambda: not waiting(bare, tenant), 90, second.log)
    next_version(tenant, course, 2)
    tenant.ready(course, 1, number=2)
    until("all told by the second", lambda: not waiting(bare, tenant), 60)
    bare.failpoints.release("relay.after_publish")
    first.thaw()
    until("the first there again, with a session of its own", lambda: present(bare) == 2, 90, first.log)
    second.end()
    next_version(tenant, course, 3)
    tenant.ready(course, 1, number=3)
    until("all told by the first", lambda: not waiting(bare, tenant), 90, first.log)
    assert_settled(tenant)
    told = deliveries(bare, tenant)
    assert set(told.values()) == {1}, told
    device.read(device.open(device.offers()[-1]))


@pytest.mark.parametrize(
    ("policy", "point"),
    [pytest.param("device", "bundle.after_upload", marks=pytest.mark.slow), ("shared", "seal.after_upload")],
)
def test_a_bundler_frozen_beyond_its_lease(
    bare: Light, tenant: Tenant, course: Course, policy: str, point: str
) -> None:
    """Another makes the bundle, or the payload of all; the late one finds it made and leaves, and its blobs are nobody's."""
    tenant.api.change_tenant(tenant.name, policy=policy)
    bare.worker("relay")
    bare.worker("builder")
    tenant.publish(course)
    tenant.built(course)
    device = tenant.device(LEARNER)
    first = bare.worker("bundler")
    bare.failpoints.arm(point, "pause")
    tenant.enrol(course, LEARNER)
    bare.failpoints.reached(point)
    first.freeze()
    second = bare.worker("bundler")
    (made,) = tenant.ready(course, 1, deadline_s=90)
    keys = bare.keys()
    bare.failpoints.release(point)
    first.thaw()
    assert_settled(tenant)
    assert tenant.bundles(course)[0]["index_digest"] == made["index_digest"]
    assert bare.keys() < keys, "what the late one had uploaded was collected"
    (offer,) = device.offers()
    device.read(device.open(offer))
    second.end()  # and the late one works again
    next_version(tenant, course, 2)
    tenant.ready(course, 1, number=2, deadline_s=90)
    assert_settled(tenant)


def test_a_builder_frozen_beyond_its_lease(bare: Light, tenant: Tenant, course: Course) -> None:
    """Frozen while it waits for the draft."""
    bare.worker("relay")
    first = bare.worker("builder")
    publishing.control(bare.home.path, "authoring", "slow", 3.0)
    try:
        tenant.publish(course)
        until("the build under way", lambda: tenant.jobs() and tenant.jobs()[0][0] == "running", 90)
        first.freeze()
    finally:
        publishing.control(bare.home.path, "authoring", "ok")
    bare.worker("builder")
    built = tenant.built(course, deadline_s=120)
    first.thaw()
    bare.worker("bundler")
    device = tenant.device(LEARNER)
    tenant.enrol(course, LEARNER)
    tenant.ready(course, 1)
    assert_settled(tenant)
    assert tenant.version(course) == built
    assert [state for state, *_ in tenant.jobs()] == ["succeeded"]
    (offer,) = device.offers()
    device.read(device.open(offer))


@pytest.mark.slow
def test_workers_whose_clock_is_an_hour_ahead(bare: Light, tenant: Tenant, course: Course) -> None:
    """What they sign begins now, not in an hour: the database's clock counts. The store refuses requests that are
    signed in the future, so such a worker ends nothing that needs it; a right one does."""
    bare.worker("relay", clock_ahead_s=3600)
    ahead = [bare.worker(kind, clock_ahead_s=3600) for kind in ("builder", "bundler")]
    device = tenant.device(LEARNER)
    tenant.enrol(course, LEARNER)
    tenant.publish(course)
    if until("built, or refused", lambda: _built_or_refused(tenant, course), 120) == "refused":
        for worker in ahead:
            worker.end()
        bare.worker("builder")
        bare.worker("bundler")
    tenant.built(course, deadline_s=120)
    tenant.ready(course, 1, deadline_s=90)
    assert_settled(tenant)
    (row,) = bare.rows("select issued_at, not_after from licences where tenant = %s", tenant.name)
    assert row["issued_at"] < datetime.now(UTC) + timedelta(minutes=1)
    device.read(device.open(device.offers()[0]))


def _built_or_refused(tenant: Tenant, course: Course) -> str | None:
    if any("RequestTimeTooSkewed" in str(message) for _, _, message, _ in tenant.jobs()):
        return "refused"
    return "built" if tenant.version(course) else None
