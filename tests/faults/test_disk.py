"""A whole machine's disk: full, and after a power loss. What was acknowledged is there, and the work goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psutil
import pytest

from cluster.local import publishing
from cluster.local.identity import mint_token
from cluster.local.stack import BASE
from cluster.neighbours import Listing
from content.devices.identity import DeviceIdentity
from tests.support.disk import Disk, missing
from tests.support.light import Light, light
from tests.support.messages import dead_letters, event, intake_is_through, redelivered, send
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]

SIZE = 3 << 29
LEARNER, DRAFTED = "learner-1", "authoring.course_draft.published.v1"
NOW = "2026-11-24T10:00:00Z"
PARTS = [part.name for part in BASE]


@dataclass
class Machine:
    disk: Disk
    running: Light

    def lose_power(self) -> None:
        """Everything stands still, the disk forgets, everything is gone."""
        running = self.running
        processes = [process for part in PARTS for process in running.processes(part)]
        for process in processes:
            process.suspend()
        self.disk.lose_power()
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=20)
        running.kill_all()
        self.disk.come_back()
        running.stack.up(ray=False)
        running.serve()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    disk = Disk(tmp_path_factory.mktemp("machine"), SIZE)
    try:
        with light(disk.path / "home", tmp_path_factory.mktemp("machine-media")) as running:
            yield Machine(disk, running)
    finally:
        disk.unmount()


@pytest.fixture
def tenant(machine: Machine) -> Iterator[Tenant]:
    yield Tenant(machine.running)
    machine.disk.make_room()
    machine.running.end_workers()


def challenge(tenant: Tenant) -> httpx.Response:
    """A request that writes."""
    token = mint_token(tenant.home, tenant.name, ["device:register"], LEARNER)
    jwk = DeviceIdentity.generate(tenant.name, os.urandom).encryption_jwk
    return httpx.post(
        f"{tenant.running.settings.api_url}/v1/devices/challenges",
        json={"encryption": jwk}, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60,
    )  # fmt: skip


@pytest.mark.slow
def test_postgres_with_a_full_disk(machine: Machine, tenant: Tenant) -> None:
    """Who writes is told to come again, who reads is answered; nothing is lost, and room is all it takes."""
    running, course = machine.running, tenant.course().text()
    running.worker("relay")
    device = tenant.device(LEARNER)
    machine.disk.fill()
    answer = until("a write refused", lambda: _refused(machine, tenant), 120)
    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert tenant.api.get(f"/v1/tenants/{tenant.name}")["tenant"] == tenant.name
    tenant.publish(course)
    tenant.enrol(course, LEARNER)
    until("the events given back and brought again", lambda: redelivered(running) or intake_is_through(running), 90)

    machine.disk.make_room()
    until("a write taken", lambda: challenge(tenant).status_code == 201, 60)
    running.worker("builder")
    running.worker("bundler")
    tenant.built(course, deadline_s=120)
    tenant.ready(course, 1)
    assert_settled(tenant)
    assert dead_letters(running) == [], "an outage is no fault of an event"
    (offer,) = device.offers()
    device.read(device.open(offer))


def _refused(machine: Machine, tenant: Tenant) -> httpx.Response | None:
    """Until a table needs another page; what recycling frees meanwhile is filled again."""
    machine.disk.fill()
    answer = challenge(tenant)
    assert answer.status_code != 500, answer.text
    return answer if answer.status_code != 201 else None


@pytest.mark.slow
def test_power_loss(machine: Machine, tenant: Tenant) -> None:
    """What Postgres committed and what NATS acknowledged is there afterwards; jobs and events go on from it."""
    running, course = machine.running, tenant.course().text()
    # What the neighbours' stub and the object store hold is not promised: both write without a sync.
    publishing.put_draft(tenant.home, tenant.name, course.draft(), draft_id=course.draft_id, revision=1)
    publishing.put_listing(tenant.home, tenant.name, Listing(course_id=course.course_id, title={"en": "T"}))
    os.sync()  # the machine has been up for a while; what follows is what the power loss meets
    device = tenant.device(LEARNER)
    relay = running.worker("relay")
    drafted = {"course_id": course.course_id, "draft_id": course.draft_id, "revision": 1, "published_at": NOW}
    send(running, DRAFTED, event(DRAFTED, tenant.name, drafted))
    until("its job queued", lambda: tenant.jobs(), 60, relay.log)
    relay.kill()
    enrolment = tenant.enrol(course, LEARNER)  # acknowledged by NATS, and nobody has taken it in yet
    unsynced = running.home.path / "unsynced"
    unsynced.write_text("on its way to the disk")

    machine.lose_power()
    assert not unsynced.exists(), "no power was lost"
    assert [job[0] for job in tenant.jobs()] == ["queued"]
    assert running.rows("select 1 from enrolments where tenant = %s", tenant.name) == []
    for kind in ("relay", "builder", "bundler"):
        running.worker(kind)
    tenant.built(course, deadline_s=120)
    (row,) = tenant.ready(course, 1)
    assert row["enrollment_id"] == enrolment
    assert_settled(tenant)
    (offer,) = device.offers()
    device.read(device.open(offer))
