"""A process is killed (SIGKILL) at a named point; the work is done once all the same, and nothing is left over."""

from __future__ import annotations

from contextlib import suppress

import psutil
import pytest

from cluster import places
from tests.support import exports
from tests.support.courses import Course
from tests.support.devices import Device
from tests.support.killing import BUILDER, BUNDLER, EXPORTER, RELAY, killed_at
from tests.support.settled import assert_settled, named_keys
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)

LEARNER = "learner-1"


def small(tenant: Tenant) -> Course:
    return tenant.course().text().picture("square", seed=1)


def test_builder_killed_mid_transcode(tenant: Tenant) -> None:
    course = small(tenant).film("film", seconds=8, size="640x480")
    with killed_at(tenant, BUILDER, "build.mid_transcode"):
        tenant.publish(course)
    tenant.built(course, deadline_s=120)
    (job,) = tenant.api.items("/v1/jobs")
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    tenant.manifest(course)
    assert_settled(tenant)


@pytest.mark.slow
def test_builder_killed_after_its_commit(tenant: Tenant) -> None:
    """The result stands; the queue's entry, taken over later, finds the job ended and makes nothing."""
    course = small(tenant)
    with killed_at(tenant, BUILDER, "build.after_commit"):
        tenant.publish(course)
    assert_settled(tenant)
    (job,) = tenant.api.items("/v1/jobs")
    assert (job["state"], job["attempt"]) == ("succeeded", 1)


@pytest.mark.parametrize(
    "point",
    [pytest.param("bundle.before_seal", marks=pytest.mark.slow), "bundle.after_upload", "bundle.after_commit"],
)
def test_bundler_killed(tenant: Tenant, point: str) -> None:
    """Before it seals, between its upload and its commit, between its commit and the queue's acknowledgement."""
    course = small(tenant)
    tenant.publish(course)
    tenant.built(course)
    devices = [tenant.device(LEARNER, "phone") for _ in range(2)]
    with killed_at(tenant, BUNDLER, point):
        tenant.enrol(course, LEARNER)
    assert len(orphans(tenant)) == (4 if point == "bundle.after_upload" else 0)  # an index and a part for each device
    tenant.ready(course, 2, deadline_s=90)
    assert_settled(tenant)
    for device in devices:
        (offer,) = device.offers()
        device.read(device.open(offer))


def test_a_shared_seal_of_a_killed_bundler_is_made_by_another(tenant: Tenant) -> None:
    """Its claim runs out; until then the others wait for it, and in the end there is one payload for all."""
    tenant.api.change_tenant(tenant.name, policy="shared")
    course = small(tenant)
    tenant.publish(course)
    tenant.built(course)
    devices = [tenant.device(LEARNER) for _ in range(3)]
    with killed_at(tenant, BUNDLER, "seal.after_upload"):
        tenant.enrol(course, LEARNER)
    assert len(orphans(tenant)) == 2  # an index and a part for all of them
    tenant.ready(course, 3, deadline_s=90)
    assert_one_payload(tenant, devices)


def orphans(tenant: Tenant) -> list[str]:
    """The tenant's bundle blobs that no row names. Others' are no matter of the test: a fault may have left them just before."""
    found = {key for key, _ in tenant.running.objects.keys(places.bundles(tenant.name))}
    return sorted(found - named_keys(tenant.running))


def assert_one_payload(tenant: Tenant, devices: list[Device]) -> None:
    rows = tenant.running.rows("select state, index_path from seals where tenant = %s", tenant.name)
    assert [row["state"] for row in rows] == ["ready"]
    for device in devices:
        (offer,) = device.offers()
        assert offer["index"]["path"] == rows[0]["index_path"]
        device.read(device.open(offer))
    assert_settled(tenant)


def test_no_row_is_forgotten_by_the_heir_of_a_batch(tenant: Tenant) -> None:
    """The entry that is taken over serves one suspect alone and lets go of the others, although their lease still holds."""
    course = small(tenant)
    tenant.publish(course)
    tenant.built(course)
    for _ in range(4):
        tenant.device(LEARNER)
    with killed_at(tenant, BUNDLER, "bundle.before_seal"):
        tenant.enrol(course, LEARNER)
    held = tenant.running.rows(
        """update bundles set claimed_until = now() + interval '1 hour'
           where tenant = %s and state = 'claimed' returning bundle_id""",
        tenant.name,
    )
    assert len(held) == 4
    tenant.ready(course, 4, deadline_s=90)
    assert_settled(tenant)


def test_relay_killed_between_publishing_and_marking(tenant: Tenant) -> None:
    course = small(tenant)
    with killed_at(tenant, RELAY, "relay.after_publish", deadline_s=90):
        tenant.publish(course)
    until("the event marked", lambda: not tenant.running.rows("select 1 from outbox where tenant = %s and published_at is null", tenant.name), 60)  # fmt: skip
    assert_settled(tenant)


@pytest.mark.slow
def test_relay_killed_between_taking_an_event_in_and_its_acknowledgement(tenant: Tenant) -> None:
    """NATS brings the event again; the inbox knows it."""
    course = small(tenant)
    with killed_at(tenant, RELAY, "intake.before_ack"):
        event = tenant.publish(course)
    tenant.built(course)
    later = course.changed("square", seed=2)  # comes after the one that is brought again
    tenant.publish(later)
    tenant.built(later, 2)
    assert_settled(tenant)
    assert len(list(tenant.api.items("/v1/jobs"))) == 2
    assert tenant.running.rows("select event_id from inbox where event_id = %s", event) == [{"event_id": event}]


@pytest.mark.slow
def test_a_rendering_process_killed_on_its_own(tenant: Tenant) -> None:
    """The node kills an encoder, say for want of memory: the build is tried again, and its replica stays."""
    before = tenant.running.replicas(BUILDER)
    course = small(tenant).film("film", seconds=8, size="640x480")
    tenant.publish(course)

    def killed() -> bool:
        for process in tenant.running.encoders():
            with suppress(psutil.NoSuchProcess):
                if "libx264" in process.cmdline():
                    process.kill()
                    return True
        return False

    until("an encoder killed", killed, 60)
    tenant.built(course, deadline_s=120)
    (job,) = tenant.api.items("/v1/jobs")
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert tenant.running.replicas(BUILDER) == before
    assert_settled(tenant)


def test_bundler_killed_while_licences_are_signed_again(tenant: Tenant) -> None:
    """Behind the commit of a batch: its successor finds nothing of it left to do, and goes on to the manifests."""
    course = tenant.course().text()
    tenant.publish(course)
    devices = [tenant.device(LEARNER) for _ in range(3)]
    tenant.enrol(course, LEARNER)
    tenant.ready(course, 3)
    with killed_at(tenant, BUNDLER, "rotation.after_batch"):
        done = tenant.api.rotate_keys(tenant.name, "emergency", "a test")
    job = tenant.api.wait(str(done["job_id"]), deadline_s=120)
    assert job["result"] is not None
    assert (job["result"]["licences"], job["result"]["manifests"]) == (0, 1)
    for device in devices:
        (offer,) = device.offers()
        assert offer["issue"] == 2
        device.open(offer)
    tenant.manifest(course)


@pytest.mark.parametrize(
    "point",
    ["export.mid_write", "export.after_upload", pytest.param("export.after_commit", marks=pytest.mark.slow)],
)
def test_exporter_killed(tenant: Tenant, point: str) -> None:
    """While it writes, between its upload and its commit, between its commit and the queue's acknowledgement: one file, one
    event, and of the first attempt nothing is left."""
    course = small(tenant)
    tenant.publish(course)
    tenant.built(course)
    with killed_at(tenant, EXPORTER, point):
        asked = exports.ask(tenant, course, "html")
    job = tenant.api.wait(asked["job_id"], deadline_s=90)
    assert job["attempt"] == (1 if point == "export.after_commit" else 2)
    shown = tenant.api.export(asked["export_id"])
    exports.file_of(shown)
    assert_settled(tenant)
    assert len(exports.keys(tenant)) == 1
