"""Bundles that are made anew: what it costs is told first, devices go over one by one, and what was there stays until then."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from serve_app.client import BundleOffer, Job
from tests.support.courses import Course
from tests.support.devices import Device
from tests.support.killing import BUNDLER, killed_at
from tests.support.running import Running
from tests.support.settled import assert_every_key_has_its_row, unfinished
from tests.support.tenants import BUNDLE_EVENT, Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
PAUSE = "update queues set paused_at = now(), paused_by = 'test' where name = 'rebundle' returning name"
RESUME = "update queues set paused_at = null, paused_by = null where name = 'rebundle' returning name"


@pytest.fixture
def rebundles_paused(running: Running) -> Iterator[None]:
    running.rows(PAUSE)
    yield
    running.rows(RESUME)


def published(tenant: Tenant, policy: str, devices: int) -> tuple[Course, list[Device]]:
    """A course of pictures, and so many devices whose bundles of it are ready."""
    tenant.api.change_tenant(tenant.name, policy=policy)
    course = tenant.course().text()
    for number in range(3):
        course = course.picture(f"p{number}", seed=secrets.randbelow(1 << 30))
    found: list[Device] = []
    for _ in range(devices):
        who = f"learner-{secrets.token_hex(4)}"
        found.append(tenant.device(who))
        tenant.enrol(course, who)
    tenant.publish(course)
    tenant.ready(course, devices)
    return course, found


def offer(device: Device) -> BundleOffer:
    (found,) = device.offers()
    return found


def seals(tenant: Tenant) -> list[dict[str, Any]]:
    return tenant.running.rows(
        """select seal_id, scope, epoch, making, attempt, state,
                  array(select path from seal_parts p where p.seal_id = s.seal_id order by number) as parts
           from seals s where tenant = %s order by scope""",
        tenant.name,
    )


def state(tenant: Tenant) -> list[dict[str, Any]]:
    """Everything that a rebundle may change."""
    return tenant.running.rows(
        """select b.bundle_id, b.state, b.seal_id, b.ready_at, b.lane, (select max(issue) from licences l
                  where l.bundle_id = b.bundle_id) as issue, (select count(*) from jobs j where j.tenant = b.tenant) as jobs,
                  (select count(*) from seals s where s.tenant = b.tenant) as seals
           from bundles b where tenant = %s order by bundle_id""",
        tenant.name,
    )


def result(job: Job) -> dict[str, Any]:
    assert job["result"] is not None
    return job["result"]


def opens(tenant: Tenant, course: Course, device: Device, issue: int) -> BundleOffer:
    found = offer(device)
    assert found["issue"] == issue
    assert device.read(device.open(found))[0] == tenant.manifest(course)
    return found


@pytest.mark.parametrize(("policy", "payloads"), [("device", 3), ("shared", 1)])
def test_everything_is_made_anew_and_old_parts_go(tenant: Tenant, policy: str, payloads: int) -> None:
    course, devices = published(tenant, policy, 3)
    package = tenant.package(course)
    before = {device.id: opens(tenant, course, device, 1) for device in devices}
    untouched = state(tenant)
    cost = tenant.api.estimate_rebundle(package_id=package)
    size = sum({each["index"]["path"]: each["total_bytes"] or 0 for each in before.values()}.values())
    assert (cost["bundles"], cost["payloads"], cost["bytes_written"]) == (3, payloads, size)
    assert cost["signature_calls"] >= 1
    assert state(tenant) == untouched, "a dry run changed something"
    assert tenant.api.estimate_rebundle(package_id=package, outdated_keys=True)["bundles"] == 0
    assert tenant.api.estimate_rebundle(package_id=package, profile="tablet")["bundles"] == 0

    tenant.api.begin_epoch(package, "a content key leaked")
    assert tenant.api.estimate_rebundle(package_id=package, outdated_keys=True)["bundles"] == 3
    done = result(tenant.api.wait(tenant.api.rebundle("a content key leaked", outdated_keys=True)["job_id"]))
    assert (done["total"], done["bundles"], done["payloads"]) == (3, 3, payloads)
    after = {device.id: opens(tenant, course, device, 2) for device in devices}
    for device in devices:
        old, new = before[device.id], after[device.id]
        assert new["bundle_id"] == old["bundle_id"]
        assert not {part["path"] for part in new["parts"]} & {part["path"] for part in old["parts"]}
        assert device.api.bundle(new["bundle_id"])["index"]["path"] == new["index"]["path"]
    assert len({each["index"]["path"] for each in after.values()}) == payloads
    assert {(seal["epoch"], len(seal["parts"])) for seal in seals(tenant)} == {(2, 1)}
    assert len(seals(tenant)) == payloads
    assert tenant.api.estimate_rebundle(package_id=package, outdated_keys=True)["bundles"] == 0
    until("all is told", lambda: not unfinished(tenant), 60, lambda: unfinished(tenant))

    def told() -> list[int]:
        return sorted(each["data"]["issue"] for each in tenant.running.heard(tenant.name, BUNDLE_EVENT))

    until("all six heard", lambda: len(told()) >= 6, 30, told)
    assert told() == [1, 1, 1, 2, 2, 2]
    assert_every_key_has_its_row(tenant.running, tenant.name)


def test_a_late_device_gets_the_new_payload(tenant: Tenant) -> None:
    course, (first,) = published(tenant, "shared", 1)
    tenant.api.wait(tenant.api.rebundle("a test", package_id=tenant.package(course))["job_id"])
    late = tenant.device(first.learner)
    tenant.ready(course, 2)
    assert opens(tenant, course, late, 1)["index"]["path"] == opens(tenant, course, first, 2)["index"]["path"]
    assert len(seals(tenant)) == 1


def test_a_cancelled_one_leaves_every_bundle_as_it_was_and_a_retry_goes_on(
    tenant: Tenant, rebundles_paused: None
) -> None:
    course, devices = published(tenant, "shared", 2)
    before = state(tenant)
    job = tenant.api.rebundle("a test", package_id=tenant.package(course))["job_id"]
    # A paused queue holds up no other: somebody who comes meanwhile is served, and none of this job's bundles is touched.
    late = tenant.device(devices[0].learner)
    tenant.ready(course, 3)
    opens(tenant, course, late, 1)
    assert tenant.api.job(job)["state"] == "queued"
    assert tenant.api.cancel_job(job)["state"] == "cancelled"
    for device in devices:
        opens(tenant, course, device, 1)
    old = {row["bundle_id"]: (row["state"], row["seal_id"], row["ready_at"], row["issue"]) for row in before}
    now = {row["bundle_id"]: (row["state"], row["seal_id"], row["ready_at"], row["issue"]) for row in state(tenant)}
    assert {name: now[name] for name in old} == old
    tenant.running.rows(RESUME)
    assert tenant.api.retry_job(job)["state"] == "queued"
    assert result(tenant.api.wait(job))["bundles"] == 2, "what came after it was asked for is not its own"
    for device in devices:
        opens(tenant, course, device, 2)
    opens(tenant, course, late, 1)


@pytest.mark.parametrize("point", ["rebundle.before_commit", "rebundle.after_commit"])
def test_a_killed_worker_makes_nothing_twice(tenant: Tenant, point: str) -> None:
    course, devices = published(tenant, "shared", 2)
    with killed_at(tenant, BUNDLER, point):
        job = tenant.api.rebundle("a test", package_id=tenant.package(course))["job_id"]
    ended = tenant.api.wait(job, deadline_s=120)
    assert (ended["progress"], result(ended)["bundles"]) == (1, 2)
    (seal,) = seals(tenant)
    assert seal["making"] == job
    for device in devices:
        opens(tenant, course, device, 2)
    assert_every_key_has_its_row(tenant.running, tenant.name)


def test_a_device_that_comes_in_the_middle_gets_the_old_one(tenant: Tenant) -> None:
    course, (device,) = published(tenant, "device", 1)
    tenant.running.failpoints.arm("rebundle.before_commit", "pause")
    job = tenant.api.rebundle("a test", package_id=tenant.package(course))["job_id"]
    tenant.running.failpoints.reached("rebundle.before_commit")
    opens(tenant, course, device, 1)
    tenant.running.rows(  # there is something to be won
        "update licences set not_after = now() + interval '3 days' where tenant = %s returning bundle_id", tenant.name
    )
    assert tenant.api.renew_licence(offer(device)["bundle_id"])["renewing"]
    until("the renewed licence", lambda: offer(device)["issue"] == 2, 30)
    tenant.running.failpoints.release("rebundle.before_commit")
    tenant.api.wait(job)
    opens(tenant, course, device, 3)  # its number was taken by the renewal, so it was signed with the next one


def test_a_rebundle_needs_a_known_package_and_the_scope(tenant: Tenant) -> None:
    with pytest.raises(Exception, match="no such package") as refused:
        tenant.api.rebundle("a test", package_id="pkg_never")
    assert getattr(refused.value, "code", "") == "not-found"
