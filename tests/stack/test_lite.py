"""A course with a film, on a phone without room for it: the lite edition is planned, made, fetched and opened."""

from __future__ import annotations

import secrets

import pytest

from serve_app.client import BundleOffer
from tests.support.devices import Device
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)


def offer(device: Device, profile: str) -> BundleOffer:
    """Wait for the bundle of a profile, which is then the newest of the device."""

    def ready() -> BundleOffer | None:
        found = device.offers()
        return found[-1] if found and found[-1]["profile"] == profile else None

    return until(f"a bundle as {profile}", ready, 60, lambda: list(device.api.bundles()))


def test_a_phone_without_room_for_the_film_hears_it_and_sees_its_stills(tenant: Tenant) -> None:
    course = tenant.course().text().unit().film("film", seconds=24, size="320x240", captions=True)
    who = f"learner-{secrets.token_hex(3)}"
    phone = tenant.device(who, "phone")
    tenant.enrol(course, who)
    tenant.publish(course)
    tenant.built(course, deadline_s=200)
    manifest, package = tenant.manifest(course), tenant.package(course)
    renditions = {each["digest"]: each for each in manifest["assets"]["film"]["renditions"]}
    assert {each["role"] for each in renditions.values()} == {"video", "poster", "still", "audio"}
    assert all(each["at_s"] >= 0 for each in renditions.values() if each["role"] == "still")

    plain = offer(phone, "phone")
    held = phone.read(phone.open(plain))[1]
    assert {renditions[name]["role"] for name in held if name in renditions} == {"video", "poster"}

    whole = phone.api.plan(package)
    space = whole["bytes"] - 20_000
    plan = phone.api.plan(package, space=space)
    assert [unit["state"] for unit in plan["units"]] == ["whole", "variant"]
    assert plan["bytes"] <= space
    phone.api.request_bundles(package, space, plan_id=plan["plan_id"])
    lite = offer(phone, plan["planned_profile"])
    found, held = phone.read(phone.open(lite))
    assert found == manifest, "what is signed is the same"
    assert {renditions[name]["role"] for name in held if name in renditions} == {"poster", "still", "audio"}
    assert set(held) == {file["digest"] for asset in plan["assets"] for file in asset["files"]}
    assert any(name not in renditions for name in held), "and the captions"
    assert_settled(tenant)
