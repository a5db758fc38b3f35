"""The same thing said or done twice, and a slow one that comes to its end after a newer one."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import nats
import pytest

from cluster.local import publishing
from cluster.local.home import read_json
from content.canonical import rfc3339
from content.errors import ContentError
from tests.support.courses import Course
from tests.support.devices import Device
from tests.support.settled import assert_settled
from tests.support.tenants import BUNDLE_EVENT, PACKAGE_EVENT, Tenant, hold_build
from tests.support.waiting import until
from tests.support.worker import drain_here

pytestmark = pytest.mark.timeout(300)

LEARNER = "learner-1"


def small(tenant: Tenant) -> Course:
    return tenant.course().text().picture("square", seed=1)


@pytest.fixture
def course(tenant: Tenant) -> Course:
    """A course that is published already."""
    found = small(tenant)
    tenant.publish(found)
    tenant.built(found)
    return found


def deliver(tenant: Tenant, kind: str, subject: str, data: dict[str, Any], times: int) -> str:
    """Publish one CloudEvent several times as messages that NATS takes for different ones; returns its id."""
    event_id, now = str(uuid.uuid4()), rfc3339(datetime.now(UTC))
    event = {
        "specversion": "1.0", "id": event_id, "source": f"/{kind.split('.')[0]}-service", "type": kind, "subject": subject,
        "time": now, "datacontenttype": "application/json", "data": {"tenant_id": tenant.name, **data},
    }  # fmt: skip
    asyncio.run(_send(tenant, kind, json.dumps(event).encode(), times))
    return event_id


async def _send(tenant: Tenant, subject: str, body: bytes, times: int) -> None:
    user = read_json(tenant.running.home.keys / "neighbours.json")
    client = await nats.connect(
        tenant.running.settings.nats_url, user=user["nats_user"], password=user["nats_password"]
    )
    try:
        for _ in range(times):
            await client.jetstream().publish(subject, body, headers={"Nats-Msg-Id": str(uuid.uuid4())})
    finally:
        await client.close()


def intake_is_through(tenant: Tenant) -> bool:
    """Whether the service's consumer has nothing left to be brought or acknowledged."""
    return asyncio.run(_pending(tenant)) == (0, 0)


async def _pending(tenant: Tenant) -> tuple[int, int]:
    settings = tenant.running.settings
    client = await nats.connect(
        settings.nats_url, user=settings.nats_user, password=settings.nats_password.get_secret_value()
    )
    try:
        info = await client.jetstream().consumer_info("DOMAIN", "content-intake")
        return info.num_pending or 0, info.num_ack_pending or 0
    finally:
        await client.close()


def test_the_same_event_delivered_three_times(tenant: Tenant) -> None:
    course, device = small(tenant), tenant.device(LEARNER)
    home = tenant.home
    publishing.put_media(home, tenant.name, course.originals)
    publishing.put_listing(home, tenant.name, publishing.Listing(course_id=course.course_id, title={"en": "T"}))
    publishing.put_draft(home, tenant.name, course.draft(), draft_id=course.draft_id, revision=1)
    drafted = {
        "course_id": course.course_id,
        "draft_id": course.draft_id,
        "revision": 1,
        "published_at": rfc3339(datetime.now(UTC)),
    }
    enrolled = {"enrollment_id": "enr-1", "learner_id": LEARNER, "course_id": course.course_id}
    ids = {
        deliver(tenant, "authoring.course_draft.published.v1", course.course_id, drafted, 3),
        deliver(tenant, "enrollment.created.v1", "enr-1", enrolled, 3),
    }
    until("all six taken in", lambda: intake_is_through(tenant), 30)
    tenant.ready(course, 1, deadline_s=90)
    assert_settled(tenant)
    assert {row["event_id"] for row in tenant.running.rows("select event_id from inbox where tenant = %s", tenant.name)} == ids  # fmt: skip
    assert len(list(tenant.api.items("/v1/jobs"))) == 1
    assert [event["type"] for event in tenant.running.heard(tenant.name)] == [PACKAGE_EVENT, BUNDLE_EVENT]
    (offer,) = device.offers()
    device.read(device.open(offer))


def test_two_enrolments_of_one_device_in_one_breath(tenant: Tenant, course: Course) -> None:
    device = tenant.device(LEARNER)
    data = {"tenant_id": tenant.name, "learner_id": LEARNER, "course_id": course.course_id}
    publishing.publish_many(
        tenant.home,
        [("enrollment.created.v1", name, {**data, "enrollment_id": name}) for name in ("enr-1", "enr-2")],
    )
    tenant.ready(course, 2)
    assert_settled(tenant)
    assert _sequences(tenant) == [[1, 1, 1], [1, 1, 2]]
    opened = [device.read(device.open(offer)) for offer in device.offers()]
    assert opened[0] == opened[1]


def test_two_enrolments_of_one_device_sealed_at_once(tenant: Tenant, course: Course) -> None:
    """The first is held before its commit until the second is through; it is made again with the next number."""
    points = tenant.running.failpoints
    device = tenant.device(LEARNER)
    points.arm("bundle.after_upload", "pause")
    slow = tenant.enrol(course, LEARNER, "enr-slow")
    points.reached("bundle.after_upload")
    quick = tenant.enrol(course, LEARNER, "enr-quick")
    until("both planned", lambda: len(tenant.bundles(course)) == 2)
    drain_here(tenant.running, tenant.name, tenant.package(course), 1)
    assert [row["enrollment_id"] for row in _ready_of(tenant, course)] == [quick]
    points.release("bundle.after_upload")
    tenant.ready(course, 2)
    assert_settled(tenant)
    events = tenant.running.heard(tenant.name, BUNDLE_EVENT)
    assert [event["data"]["enrollment_id"] for event in events] == [quick, slow]
    assert _sequences(tenant) == [[1, 1, 2], [1, 1, 3]]
    for offer in device.offers():
        device.read(device.open(offer))


@pytest.mark.parametrize("point", [pytest.param("bundle.before_seal", marks=pytest.mark.slow), "bundle.after_upload"])
def test_a_slow_bundle_of_an_old_version(tenant: Tenant, course: Course, point: str) -> None:
    """It ends as superseded: no event of it, before or after, and the device opens the newer one."""
    device = tenant.device(LEARNER)
    tenant.running.failpoints.arm(point, "pause")
    tenant.enrol(course, LEARNER)
    tenant.running.failpoints.reached(point)
    newer = course.changed("square", seed=2)
    tenant.publish(newer)
    until("the newer one planned", lambda: tenant.bundles(newer, 2), 90)
    drain_here(tenant.running, tenant.name, tenant.package(newer), 2)
    tenant.ready(newer, 1, number=2)
    tenant.running.failpoints.release(point)
    old = until("the old one at its end", lambda: _ended(tenant, course, 1), 60)
    assert old["state"] == "superseded"
    with pytest.raises(ContentError) as refused:
        device.api.bundle(old["bundle_id"])
    assert refused.value.code == "bundle-superseded"
    assert_settled(tenant)
    assert [event["data"]["version"] for event in tenant.running.heard(tenant.name, BUNDLE_EVENT)] == [2]
    (offer,) = device.offers()
    assert device.open(offer).licence.version == 2


def test_a_slow_build_of_an_old_version(tenant: Tenant) -> None:
    """Nobody gets bundles of a version that was overtaken before it was published."""
    course = small(tenant).film("film", seconds=8, size="640x480")
    device = tenant.device(LEARNER)
    tenant.enrol(course, LEARNER)
    hold_build(tenant, course)
    newer = small(tenant)
    newer.course_id, newer.revision = course.course_id, 2
    tenant.publish(newer)
    tenant.ready(newer, 1, number=2, deadline_s=120)
    tenant.running.failpoints.release("build.mid_transcode")
    until("the old one at its end", lambda: not _running_jobs(tenant), 90)
    assert_settled(tenant)
    assert [row["version"] for row in tenant.bundles(course)] == [2]
    (offer,) = device.offers()
    assert device.read(device.open(offer))[0] == tenant.manifest(newer, 2)


@pytest.mark.slow
def test_the_version_that_a_package_shows_is_its_newest(tenant: Tenant, course: Course) -> None:
    """A device that registers while the next version is being built gets the one that is published."""
    tenant.enrol(course, LEARNER)
    newer = course.changed("square", seed=2).film("film", seconds=8, size="640x480")
    tenant.running.failpoints.arm("build.mid_transcode", "pause")
    tenant.publish(newer)
    tenant.running.failpoints.reached("build.mid_transcode")
    device: Device = tenant.device(LEARNER)
    tenant.ready(course, 1, number=1)
    tenant.running.failpoints.release("build.mid_transcode")
    tenant.ready(course, 1, number=2, deadline_s=90)
    assert_settled(tenant)
    assert _sequences(tenant) == [[1, 1, 1], [1, 2, 1]]
    assert [device.open(offer).licence.version for offer in device.offers()] == [1, 2]


def _ready_of(tenant: Tenant, course: Course) -> list[dict[str, Any]]:
    return [dict(row) for row in tenant.bundles(course) if row["state"] == "ready"]


def _ended(tenant: Tenant, course: Course, number: int) -> dict[str, Any] | None:
    rows = [dict(row) for row in tenant.bundles(course, number) if row["state"] not in ("planned", "claimed")]
    return rows[0] if rows else None


def _running_jobs(tenant: Tenant) -> list[Any]:
    return [job for job in tenant.api.items("/v1/jobs") if job["state"] in ("queued", "running")]


def _sequences(tenant: Tenant) -> list[list[int]]:
    return [event["data"]["sequence"] for event in tenant.running.heard(tenant.name, BUNDLE_EVENT)]
