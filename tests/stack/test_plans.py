"""Devices with little room: what was planned is what they get, of every version, in whatever policy."""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest

from content.errors import ContentError
from content.packages import Planner, parse
from serve_app.client import ApiInvalidInput, BundleOffer
from tests.support.courses import Course
from tests.support.devices import Device
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant, bearer
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
WIDE = (1000, 600)


def course_of(tenant: Tenant) -> Course:
    """Three units: pictures in several widths, a film with captions, and a text with a picture of both."""
    course = tenant.course().text().picture("a", secrets.randbelow(1 << 30), WIDE)
    course = course.picture("b", secrets.randbelow(1 << 30), WIDE).picture("c", secrets.randbelow(1 << 30), WIDE)
    return course.unit().film("film", captions=True).unit().text().picture("d", secrets.randbelow(1 << 30), WIDE)


def learner(tenant: Tenant, course: Course, profile: str = "phone") -> Device:
    who = f"learner-{secrets.token_hex(4)}"
    tenant.enrol(course, who)
    return tenant.device(who, profile)


def offer(device: Device, profile: str, version: int = 1) -> BundleOffer:
    """Wait for the bundle of a profile, which is then the newest of the device."""

    def ready() -> BundleOffer | None:
        found = device.offers()
        return found[-1] if found and (found[-1]["profile"], found[-1]["version"]) == (profile, version) else None

    return until(f"version {version} as {profile}", ready, 60, lambda: list(device.api.bundles()))


def digests(plan: Any) -> set[str]:
    return {file["digest"] for asset in plan["assets"] for file in asset["files"]}


def size(offered: BundleOffer) -> int:
    return sum(blob["size"] for blob in (offered["index"], *offered["parts"]))


def test_a_device_gets_what_was_planned_and_the_whole_again(tenant: Tenant) -> None:
    course = course_of(tenant)
    device = learner(tenant, course)
    tenant.publish(course)
    package = tenant.package(course)
    plain = offer(device, "phone")
    device.open(plain)
    whole = device.api.plan(package)
    assert whole["bytes"] == plain["total_bytes"] == size(plain), "to the byte"
    assert (whole["planned_profile"], whole["steps"]) == ("phone", [])

    space = whole["least_bytes"] + (whole["bytes"] - whole["least_bytes"]) // 2
    plan = device.api.plan(package, space=space)
    assert plan == tenant.api.plan(package, space=str(space), profile="phone", version=1)
    assert plan["steps"] and plan["bytes"] <= space
    made = device.api.request_bundles(package, space, plan_id=plan["plan_id"])
    assert (made["profile"], made["plan_id"], len(made["bundles"])) == (plan["planned_profile"], plan["plan_id"], 1)
    planned = offer(device, plan["planned_profile"])
    manifest, files = device.read(device.open(planned))
    assert manifest == tenant.manifest(course)
    assert set(files) == digests(plan) != digests(whole)
    assert size(planned) <= space
    again = device.api.request_bundles(package, space)
    assert [row["bundle_id"] for row in again["bundles"]] == [planned["bundle_id"]], "asking again changes nothing"
    assert len(tenant.bundles(course)) == 2

    course = course.changed("a", seed=secrets.randbelow(1 << 30))
    tenant.publish(course)
    tenant.built(course, 2)
    following = device.api.plan(package, space=space)
    assert following["version"] == 2
    newer = offer(device, following["planned_profile"], 2)
    assert set(device.read(device.open(newer))[1]) == digests(following)
    assert size(newer) <= space
    assert [row["profile"] for row in tenant.bundles(course, 2)] == [following["planned_profile"]]

    undone = device.api.request_bundles(package, None)
    assert (undone["profile"], undone["plan_id"], undone["version"]) == ("phone", None, 2)
    back = offer(device, "phone", 2)
    assert set(device.read(device.open(back))[1]) == digests(device.api.plan(package))
    assert {part["path"] for part in newer["parts"]} & {part["path"] for part in back["parts"]}, "what it has it keeps"
    assert_settled(tenant)


def test_two_devices_with_one_plan_share_what_is_encrypted(tenant: Tenant) -> None:
    tenant.api.change_tenant(tenant.name, policy="shared")
    course = course_of(tenant)
    devices = [learner(tenant, course) for _ in range(3)]
    tenant.publish(course)
    tenant.ready(course, 3)
    package = tenant.package(course)
    whole = tenant.api.plan(package)
    spaces = [whole["bytes"] - 1, whole["bytes"] - 2]  # two spaces, one plan
    plans = [tenant.api.plan(package, space=space) for space in spaces]
    assert len({plan["plan_id"] for plan in plans}) == 1
    name = plans[0]["planned_profile"]
    for device, space in zip(devices[:2], spaces, strict=True):
        tenant.api.request_bundles(package, space, device_id=device.id, plan_id=plans[0]["plan_id"])
    first, second = (offer(device, name) for device in devices[:2])
    assert first["index"]["path"] == second["index"]["path"]
    for device, offered in zip(devices, (first, second), strict=False):
        assert set(device.read(device.open(offered))[1]) == digests(plans[0])
    scopes = tenant.running.rows("select scope from seals where tenant = %s order by scope", tenant.name)
    assert [row["scope"] for row in scopes] == sorted(["phone", name])

    course = course.changed("d", seed=secrets.randbelow(1 << 30))
    tenant.publish(course)
    tenant.ready(course, 3, number=2)
    for device, space in zip(devices[:2], spaces, strict=True):
        plan = tenant.api.plan(package, space=space)
        assert set(device.read(device.open(offer(device, plan["planned_profile"], 2)))[1]) == digests(plan)
    devices[2].open(offer(devices[2], "phone", 2))
    assert_settled(tenant)


def test_what_waits_for_a_device_otherwise_is_cancelled(tenant: Tenant) -> None:
    """Else it would come with a later sequence, and take the place of what was asked for."""
    course = course_of(tenant)
    tenant.publish(course)
    tenant.built(course)
    package = tenant.package(course)
    space = tenant.api.plan(package)["bytes"] - 1
    tenant.running.failpoints.arm("bundle.before_seal", "pause")
    try:
        device = learner(tenant, course)
        (plain,) = until("a plain bundle", lambda: tenant.bundles(course), 30)
        made = device.api.request_bundles(package, space)
        row = next(row for row in tenant.bundles(course) if row["bundle_id"] == plain["bundle_id"])
        assert row["state"] == "cancelled"
    finally:
        tenant.running.failpoints.clear()
    planned = offer(device, made["profile"])
    device.open(planned)
    assert {row["state"] for row in tenant.bundles(course)} == {"ready", "cancelled"}
    with pytest.raises(ContentError) as refused:
        tenant.api.retry_bundle(plain["bundle_id"])
    assert refused.value.code == "bundle-not-failed"


def test_a_version_that_does_not_fit_is_not_sent_and_one_before_it_is(tenant: Tenant) -> None:
    course = course_of(tenant)
    device = learner(tenant, course)
    tenant.publish(course)
    tenant.built(course)
    package = tenant.package(course)
    least = tenant.api.plan(package)["least_bytes"]
    offer(device, device.api.request_bundles(package, least)["profile"])
    second = course.changed("a", seed=secrets.randbelow(1 << 30)).text("More **words**. " * 40)
    tenant.publish(second)
    tenant.built(second, 2)
    with pytest.raises(ContentError) as refused:
        device.api.plan(package, space=least)
    assert refused.value.code == "space-too-small"
    assert tenant.bundles(second, 2) == []
    assert device.offers()[-1]["version"] == 1

    roomy = tenant.api.plan(package, version=2)["bytes"] - 1  # asked for while the second is the newest one
    asked = device.api.request_bundles(package, roomy)
    assert offer(device, asked["profile"], 2)
    tenant.api.withdraw(package, 2, "wrong")
    of_first = tenant.api.plan(package, space=roomy)["planned_profile"]
    assert of_first in {row["profile"] for row in tenant.bundles(second, 1)}, "planned, though a sequence forbids it"


def test_it_is_refused_by_name(tenant: Tenant, http: httpx.Client) -> None:
    course, other = course_of(tenant), tenant.course().text()
    device = learner(tenant, course)
    for each in (course, other):
        tenant.publish(each)
        tenant.built(each)
    package, foreign = tenant.package(course), tenant.package(other)

    def refused(call: Any, *arguments: Any, **more: Any) -> str:
        with pytest.raises(ContentError) as error:
            call(*arguments, **more)
        return error.value.code

    ask, operator = device.api.request_bundles, tenant.api.request_bundles
    assert refused(ask, package, 10) == refused(device.api.plan, package, space=10) == "space-too-small"
    assert refused(ask, package, "200MB", plan_id="a" * 10) == "plan-outdated"
    assert refused(ask, foreign, "200MB") == refused(device.api.plan, foreign) == "not-found"
    assert refused(ask, package, "200MB", device_id="another") == "not-found"
    assert refused(operator, foreign, "200MB", device_id=device.id) == "not-enrolled"
    assert refused(operator, package, "200MB", device_id="never") == "not-found"
    assert refused(tenant.api.plan, package, profile="watch") == "unknown-profile"
    with pytest.raises(ApiInvalidInput) as invalid:
        tenant.api.plan(package, space="much")
    assert [problem.pointer for problem in invalid.value.problems] == ["/query/space"]
    with pytest.raises(ApiInvalidInput) as invalid:
        operator(package, "200MB")
    assert [problem.pointer for problem in invalid.value.problems] == ["/body/device_id"]
    body = {"package_id": package, "space": "200MB", "device_id": device.id}
    answer = http.post("/v1/bundles", json=body, headers=bearer(tenant, "content:read"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    tenant.api.deactivate_device(device.id)
    assert refused(operator, package, "200MB", device_id=device.id) == "device-revoked"


def test_rates_and_other_profiles(tenant: Tenant) -> None:
    course = course_of(tenant)
    tenant.publish(course)
    tenant.built(course)
    package = tenant.package(course)
    found = tenant.api.plan(package, profile="desktop", rate="8kbit/s")
    assert [each["network"] for each in found["downloads"]] == ["3G", "4G", "Wi-Fi", "asked"]
    assert found["downloads"][-1]["seconds"] == -(-found["bytes"] // 1000)
    computed = Planner(parse(tenant.api.manifest(package, 1)), "desktop").plan()
    assert (found["bytes"], found["least_bytes"]) == (computed.bytes, computed.least_bytes)
