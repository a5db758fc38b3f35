"""What is encrypted once: a payload shared by a profile, and what a new version takes over from the one before."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from cluster import places
from cluster.local import publishing
from cluster.neighbours import Listing
from content.bundles.errors import BundleRefused
from content.bundles.stream import sealed_size
from content.errors import ContentError
from serve_app.client import BundleOffer
from tests.support.courses import Course
from tests.support.devices import Device
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


def with_pictures(tenant: Tenant) -> Course:
    course = tenant.course().text()
    for number in range(8):
        course = course.picture(f"p{number}", seed=secrets.randbelow(1 << 30))
    return course


def learners(tenant: Tenant, course: Course, count: int) -> list[tuple[Device, str]]:
    """Devices with their enrolments."""
    found: list[tuple[Device, str]] = []
    for _ in range(count):
        who = f"learner-{secrets.token_hex(4)}"
        found.append((tenant.device(who), tenant.enrol(course, who)))
    return found


def offer(device: Device, version: int) -> BundleOffer:
    (found,) = [each for each in device.offers() if each["version"] == version]
    return found


def seals(tenant: Tenant) -> list[dict[str, Any]]:
    return tenant.running.rows(
        "select version, scope, epoch, kids, new_bytes, total_bytes from seals where tenant = %s order by version, scope",
        tenant.name,
    )


def test_a_shared_payload_is_written_once_and_opens_for_each_device_alone(tenant: Tenant) -> None:
    tenant.api.change_tenant(tenant.name, policy="shared")
    course = with_pictures(tenant)
    devices = learners(tenant, course, 5)
    tenant.publish(course)
    rows = tenant.ready(course, 5)
    assert {row["policy"] for row in rows} == {"shared"}
    (seal,) = seals(tenant)
    assert (seal["scope"], seal["epoch"]) == ("phone", 1)
    offers = [offer(device, 1) for device, _ in devices]
    assert len({each["index"]["path"] for each in offers}) == 1
    assert len({each["parts"][0]["path"] for each in offers}) == 1
    for (device, _), each in zip(devices, offers, strict=True):
        assert device.read(device.open(each))[0] == tenant.manifest(course)
        assert len(each["licence"]) < 2048
    with pytest.raises(BundleRefused) as refused:
        devices[0][0].open(offers[1])
    assert refused.value.code == "licence-device"

    late = tenant.device(devices[0][0].learner)  # costs a licence and no payload
    tenant.ready(course, 6)
    assert late.read(late.open(offer(late, 1)))[0] == tenant.manifest(course)
    assert len(seals(tenant)) == 1
    assert_settled(tenant)


def test_who_left_shares_no_key_of_the_next_version(tenant: Tenant) -> None:
    tenant.api.change_tenant(tenant.name, policy="shared")
    course = with_pictures(tenant)
    (left, enrolment), (stays, _) = learners(tenant, course, 2)
    tenant.publish(course)
    tenant.ready(course, 2)
    stays.open(offer(stays, 1))
    known = set(json.loads(offer(left, 1)["licence"])["keys"])
    publishing.cancel(tenant.home, tenant.name, enrollment_id=enrolment, reason="left")
    until("the enrolment ended", lambda: not list(left.api.bundles(state="ready")), 30)

    course = course.changed("p1", seed=secrets.randbelow(1 << 30))
    tenant.publish(course)
    tenant.ready(course, 1, number=2)
    first, second = seals(tenant)
    assert (first["epoch"], second["epoch"]) == (1, 2)
    (fresh,) = set(second["kids"]) - known  # what was in the first version is known to who left; what is new is not
    opened = stays.open(offer(stays, 2))
    assert stays.read(opened)[0] == tenant.manifest(course, 2)
    assert {file.kid for file in opened.index.files if file.part == len(opened.index.parts) - 1} == {fresh}
    assert_settled(tenant)


@pytest.mark.parametrize("policy", ["device", "shared"])
def test_a_new_version_adds_what_changed_and_nothing_else(tenant: Tenant, policy: str) -> None:
    tenant.api.change_tenant(tenant.name, policy=policy)
    course = with_pictures(tenant)
    ((device, _),) = learners(tenant, course, 1)
    tenant.publish(course)
    tenant.ready(course, 1)
    before = offer(device, 1)
    device.open(before)
    after_change = course.changed("p2", seed=secrets.randbelow(1 << 30))
    tenant.publish(after_change)
    tenant.ready(after_change, 1, number=2)
    after = offer(device, 2)
    assert [part["path"] for part in after["parts"]][:1] == [part["path"] for part in before["parts"]]
    manifest, files = device.read(device.open(after))
    assert manifest == tenant.manifest(after_change, 2)
    (changed,) = [digest for digest in files if digest not in device_digests(tenant, course)]
    new = sealed_size(len(files[changed])) + sealed_size(manifest_bytes(tenant, after_change, 2))
    assert after["parts"][1]["size"] == new
    assert seals(tenant)[1]["new_bytes"] == new
    assert_settled(tenant)


@pytest.mark.parametrize("sync", ["knows", "is away"])
def test_a_device_that_slept_over_a_version_fetches_from_what_it_holds(tenant: Tenant, sync: str) -> None:
    """Else its delta would begin with the version that it never had, and it would fetch that one's part too, dead bytes and all."""
    course = with_pictures(tenant)
    ((device, _),) = learners(tenant, course, 1)
    tenant.publish(course)
    tenant.ready(course, 1)
    first = offer(device, 1)
    device.open(first)
    course = course.changed("p2", seed=secrets.randbelow(1 << 30))
    tenant.publish(course)
    tenant.ready(course, 1, number=2)
    slept_over = offer(device, 2)
    tenant.holds(course, device, first["bundle_id"])
    course = course.changed("p3", seed=secrets.randbelow(1 << 30))
    publishing.control(tenant.home, "sync", "ok" if sync == "knows" else "error")
    try:
        tenant.publish(course)
        tenant.ready(course, 1, number=3)
    finally:
        publishing.control(tenant.home, "sync", "ok")
    third = offer(device, 3)
    assert device.read(device.open(third))[0] == tenant.manifest(course, 3)
    before, between, now = ({part["path"] for part in each["parts"]} for each in (first, slept_over, third))
    assert before < between
    assert before <= now
    assert bool(now & (between - before)) == (sync == "is away")
    assert_settled(tenant)


def test_what_a_sync_will_do_is_told_by_the_api_too(tenant: Tenant) -> None:
    course, other = with_pictures(tenant), tenant.course().text()
    ((device, _),) = learners(tenant, course, 1)
    tenant.enrol(other, device.learner)
    for each in (course, other):
        tenant.publish(each)
        tenant.ready(each, 1)
    offers = {each["package_id"]: each for each in device.offers()}
    told = device.api.foresight(device.id)
    sizes = {each["bundle_id"]: each["total_bytes"] for each in offers.values()}
    assert {each["bundle_id"]: each["fetch"] for each in told["bundles"]} == sizes
    assert (told["now"], told["peak"], told["after"], told["deletes"]) == (0, told["fetch"], told["fetch"], [])
    assert told["fetch"] == sum(size or 0 for size in sizes.values())

    first = offers[tenant.package(course)]
    device.api.register_licence(first["bundle_id"])
    after_change = course.changed("p2", seed=secrets.randbelow(1 << 30))
    tenant.publish(after_change)
    tenant.ready(after_change, 1, number=2)
    second = offer(device, 2)
    strange = "bnd_" + "0" * 26
    asked = device.api.foresight(device.id, [first["bundle_id"], strange])
    assert (asked["holds"], asked["unknown"]) == ([first["bundle_id"]], [strange])
    (update,) = [each for each in asked["bundles"] if each["bundle_id"] == second["bundle_id"]]
    assert (update["fetch"], update["new"], update["size"]) == (second["new_bytes"], True, second["total_bytes"])
    assert asked["now"] == first["total_bytes"]
    assert asked["peak"] == asked["now"] + asked["fetch"]
    assert asked["deletes"] == [first["index"]["path"]]  # its part is gone on using
    assert asked["after"] == asked["peak"] - first["index"]["size"]

    looked_after = tenant.api.foresight(device.id)  # goes by the licence that is registered
    assert {**looked_after, "unknown": [strange]} == asked
    device.api.register_licence(second["bundle_id"])  # its sync has removed the first
    afterwards = tenant.api.foresight(device.id)
    assert (afterwards["holds"], afterwards["now"]) == ([second["bundle_id"]], second["total_bytes"])
    (other_course,) = [each["total_bytes"] for each in offers.values() if each is not first]
    assert (afterwards["fetch"], afterwards["deletes"]) == (other_course, [])
    with pytest.raises(ContentError) as refused:
        learners(tenant, course, 1)[0][0].api.foresight(device.id)
    assert refused.value.code == "forbidden"


def device_digests(tenant: Tenant, course: Course) -> set[str]:
    assets = tenant.manifest(course)["assets"].values()
    return {each["digest"] for asset in assets for each in asset["renditions"]}


def manifest_bytes(tenant: Tenant, course: Course, version: int) -> int:
    return len(tenant.api.manifest(tenant.package(course), version))


def test_an_enrolment_that_comes_again_costs_a_licence(tenant: Tenant) -> None:
    """Under the policy `device`, too: the same version for the same device is sealed already."""
    course = with_pictures(tenant)
    ((device, enrolment),) = learners(tenant, course, 1)
    tenant.publish(course)
    tenant.ready(course, 1)
    publishing.cancel(tenant.home, tenant.name, enrollment_id=enrolment, reason="left")
    until("the enrolment ended", lambda: not list(device.api.bundles(state="ready")), 30)
    tenant.enrol(course, device.learner)
    tenant.ready(course, 2)
    assert len(seals(tenant)) == 1
    assert device.read(device.open(offer(device, 1)))[0] == tenant.manifest(course)
    prefix = places.bundles(tenant.name)
    assert len([key for key, _ in tenant.running.objects.keys(prefix)]) == 2  # an index and a part
    assert_settled(tenant)


def test_the_package_outranks_the_tenant_which_outranks_the_catalog(tenant: Tenant) -> None:
    def policy_of(course: Course) -> str:
        ((device, _),) = learners(tenant, course, 1)
        tenant.ready(course, 1)
        return offer(device, 1)["policy"]

    listed = tenant.course().text()
    listing = Listing(course_id=listed.course_id, title={"en": "T"}, policy="shared")
    publishing.publish_draft(
        tenant.home, tenant.name, listed.draft(), listed.originals, course_id=listed.course_id,
        draft_id=listed.draft_id, revision=1, listing=listing,
    )  # fmt: skip
    tenant.built(listed)
    assert policy_of(listed) == "shared"

    tenant.api.change_tenant(tenant.name, policy="device")
    other = tenant.course().text()
    tenant.publish(other)
    tenant.built(other)
    assert policy_of(other) == "device"

    chosen = tenant.course().text()
    tenant.publish(chosen)
    tenant.built(chosen)
    assert tenant.api.change_package(tenant.package(chosen), policy="shared")["policy"] == "shared"
    assert policy_of(chosen) == "shared"
    assert tenant.api.change_package(tenant.package(chosen), policy="default")["policy"] is None


def test_a_bundle_that_is_planned_again_follows_the_policy_of_then(tenant: Tenant) -> None:
    """What failed under one policy waits in the group of the other, and somebody is called to it."""
    course = tenant.course().text()
    tenant.publish(course)
    tenant.built(course)
    ((device, enrolment),) = learners(tenant, course, 1)
    tenant.ready(course, 1)
    with tenant.running.superuser() as connection:  # as if it had failed before it was licensed
        connection.execute(b"delete from licences where tenant = %s", [tenant.name])
        connection.execute(b"update bundles set state = 'failed', seal_id = null where tenant = %s", [tenant.name])
    tenant.api.change_package(tenant.package(course), policy="shared")
    tenant.enrol(course, device.learner, enrolment)
    (row,) = tenant.ready(course, 1)
    assert row["policy"] == "shared"
    device.open(offer(device, 1))


def test_nothing_of_a_version_that_is_lost_or_withdrawn_is_gone_on_using(tenant: Tenant) -> None:
    course = with_pictures(tenant)
    ((device, _),) = learners(tenant, course, 1)
    tenant.publish(course)
    tenant.ready(course, 1)
    lost = offer(device, 1)["index"]["path"]
    tenant.running.objects.put(places.bundles(tenant.name) + lost, b"{}")
    for version in (2, 3, 4):
        course = course.changed("p0", seed=secrets.randbelow(1 << 30))
        tenant.publish(course)
        tenant.ready(course, 1, number=version)
        if version == 3:
            assert len(offer(device, 3)["parts"]) == 2
            tenant.api.withdraw(tenant.package(course), 3, "wrong")
    named = {version: {part["path"] for part in offer(device, version)["parts"]} for version in (2, 4)}
    assert len(named[2]) == 1, "it began anew"
    own = [row["path"] for row in tenant.running.rows(
        """select p.path from seal_parts p join seals s on s.seal_id = p.seal_id and s.tenant = p.tenant
           where s.tenant = %s and s.version = 3 and p.number = 1""", tenant.name)]  # fmt: skip
    assert named[2] < named[4] and not named[4] & set(own)
    assert device.read(device.open(offer(device, 4)))[0] == tenant.manifest(course, 4)


def test_an_enrolment_that_runs_out_begins_an_epoch_too(tenant: Tenant) -> None:
    tenant.api.change_tenant(tenant.name, policy="shared")
    course = with_pictures(tenant)
    (_, enrolment), (stays, _) = learners(tenant, course, 2)
    tenant.publish(course)
    tenant.ready(course, 2)
    with tenant.running.superuser() as connection:
        connection.execute(
            b"update enrolments set ends_at = now() where tenant = %s and enrollment_id = %s", [tenant.name, enrolment]
        )
    for version, epoch in ((2, 2), (3, 2)):  # once, not again with every version
        course = course.changed("p1", seed=secrets.randbelow(1 << 30))
        tenant.publish(course)
        tenant.ready(course, 1, number=version)
        assert seals(tenant)[-1]["epoch"] == epoch
        assert stays.read(stays.open(offer(stays, version)))[0] == tenant.manifest(course, version)
