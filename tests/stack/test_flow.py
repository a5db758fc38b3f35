"""The way of the data on a running stack, seen from outside: draft → package → bundles → devices that open them."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from cluster.local.publishing import control
from content.bundles.errors import BundleRefused
from content.bundles.licence import Licence
from content.errors import ContentError
from tests.support.courses import Course
from tests.support.running import Running
from tests.support.settled import assert_settled
from tests.support.tenants import PACKAGE_EVENT, Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)  # the first test also starts the stack


@pytest.fixture
def tenant(running: Running) -> Tenant:
    return Tenant(running)


def small(tenant: Tenant) -> Course:
    return tenant.course().text().picture("square", seed=1)


def learner() -> str:
    return f"learner-{secrets.token_hex(3)}"


def test_from_draft_to_two_devices_that_open_their_bundles(tenant: Tenant) -> None:
    course = small(tenant).film("film", captions=True).sound("note").quiz()
    tenant.publish(course)
    version = tenant.built(course)
    manifest = tenant.manifest(course)
    # picture: 320, 640, 700 as WebP, and as AVIF, which are smaller; film: one size (96 lines are below every step) and its
    # poster; captions; sound: AAC and Opus
    assert version["report"]["made"] == 11
    assert version["report"]["reused"] == 0
    assert {name: len(asset["renditions"]) for name, asset in manifest["assets"].items()} == {
        "square": 6,
        "film": 2,
        "film-words": 1,
        "note": 2,
    }

    who = learner()
    phone, tablet = tenant.device(who, "phone"), tenant.device(who, "tablet")
    tenant.enrol(course, who)
    rows = tenant.ready(course, 2)
    assert {row["device_id"]: row["profile"] for row in rows} == {phone.id: "phone", tablet.id: "tablet"}
    events = tenant.heard_of({row["bundle_id"] for row in rows})
    assert sorted(event["data"]["device_id"] for event in events) == sorted([phone.id, tablet.id])

    for device in (phone, tablet):
        (offer,) = device.offers()
        bundle = device.open(offer)
        opened, files = device.read(bundle)
        assert opened == manifest
        assert len(files) == 5  # of each asset one rendition per role: picture, film, poster, captions, sound
        (told,) = [event["data"] for event in events if event["data"]["device_id"] == device.id]
        assert told["bundle_id"] == offer["bundle_id"]
        assert told["index"]["digest"] == offer["index"]["digest"]
        assert told["learner_id"] == who
    assert_settled(tenant)


def test_a_device_cannot_open_anothers_bundle(tenant: Tenant) -> None:
    course, who = small(tenant), learner()
    tenant.publish(course)
    tenant.built(course)
    mine, other = tenant.device(who), tenant.device(who)
    tenant.enrol(course, who)
    tenant.ready(course, 2)
    (offer,) = other.offers()
    with pytest.raises(ContentError) as hidden:
        mine.api.bundle(offer["bundle_id"])
    assert hidden.value.code == "not-found"
    with pytest.raises(BundleRefused) as refused:
        mine.open(offer)
    assert refused.value.code == "licence-device"


def test_a_device_registered_after_the_enrolment_gets_its_bundle(tenant: Tenant) -> None:
    course, who = small(tenant), learner()
    tenant.publish(course)
    tenant.built(course)
    first = tenant.device(who)
    tenant.enrol(course, who)
    tenant.ready(course, 1)
    late = tenant.device(who, "desktop")
    assert late.registered.get("bundles_planned") == 1
    tenant.ready(course, 2)
    for device in (first, late):
        (offer,) = device.offers()
        assert device.read(device.open(offer))[0] == tenant.manifest(course)
    assert_settled(tenant)


def test_an_enrolment_before_the_first_publication_is_served_later(tenant: Tenant) -> None:
    course, who = small(tenant), learner()
    device = tenant.device(who)
    tenant.enrol(course, who)
    tenant.publish(course)
    tenant.ready(course, 1, deadline_s=120)
    (offer,) = device.offers()
    assert device.read(device.open(offer))[0] == tenant.manifest(course)
    assert_settled(tenant)


def test_one_changed_picture_makes_its_renditions_and_new_bundles_for_all(tenant: Tenant) -> None:
    course = small(tenant).picture("other", seed=2).film("film")
    who = learner()
    devices = [tenant.device(who, profile) for profile in ("phone", "tablet")]
    tenant.enrol(course, who)
    tenant.publish(course)
    first = tenant.built(course)
    # of “other” as AVIF, the one of 320 pixels is no smaller; of what it is changed into, all are
    assert (first["report"]["made"], first["report"]["reused"]) == (13, 0)
    tenant.ready(course, 2, number=1)
    before = {device.id: device.offers()[-1] for device in devices}
    for device in devices:
        device.read(device.open(before[device.id]))

    changed = course.changed("other", seed=3)
    tenant.publish(changed)
    second = tenant.built(changed, 2)
    assert (second["report"]["made"], second["report"]["reused"]) == (6, 8)
    old, new = tenant.manifest(course, 1), tenant.manifest(changed, 2)
    assert {name for name in new["assets"] if new["assets"][name] != old["assets"][name]} == {"other"}

    tenant.ready(changed, 2, number=2)
    for device in devices:
        newest = device.offers()[-1]
        assert newest["version"] == 2
        bundle = device.open(newest)
        assert bundle.licence.sequence > _sequence(before[device.id])
        assert device.read(bundle)[0] == new
        with pytest.raises(BundleRefused) as refused:  # what was opened after it is not opened again
            device.open(before[device.id])
        assert refused.value.code == "licence-rollback"
    assert_settled(tenant)


def test_a_revision_that_was_seen_is_not_built_again(tenant: Tenant) -> None:
    course = small(tenant)
    tenant.publish(course)
    tenant.built(course)
    tenant.publish(course)  # another event of the same revision
    later = course.changed("square", seed=4)
    tenant.publish(later)
    tenant.built(later, 2)
    assert [row["version"] for row in tenant.api.items(f"/v1/packages/{tenant.package(course)}/versions")] == [2, 1]
    assert [event["data"]["version"] for event in _package_events(tenant)] == [1, 2]
    assert_settled(tenant)


def test_without_ai_gateway_all_but_the_assistant_is_built(tenant: Tenant) -> None:
    course = small(tenant).assistant()
    home = tenant.running.home.path
    control(home, "ai-gateway", "down")
    try:
        tenant.publish(course)
        without = tenant.built(course, 1)
    finally:
        control(home, "ai-gateway", "ok")
    again = course.changed("square", seed=1)  # the same picture: nothing but the revision differs
    tenant.publish(again)
    complete = tenant.built(again, 2)
    assert [problem["code"] for problem in without["report"]["problems"]] == ["assistant-missing"]
    assert complete["report"]["problems"] == []
    bare, full = _without_revision(tenant.manifest(course, 1)), _without_revision(tenant.manifest(again, 2))
    assert bare.pop("assistant") is None
    assert full.pop("assistant") is not None
    assert bare == full
    assert_settled(tenant)


def test_every_mistake_of_a_draft_is_told_at_once(tenant: Tenant) -> None:
    course = small(tenant)
    del course.blocks[1]["alt"]
    course.blocks.append({"type": "hologram", "id": "odd"})
    course.blocks.append({**course.blocks[0]})
    tenant.publish(course)
    version = _failed(tenant, course)
    (job,) = tenant.api.items("/v1/jobs")
    assert job["state"] == "failed"
    assert job["attempt"] == 1
    expected = {
        ("/units/0/blocks/1", "alt-missing"),
        ("/units/0/blocks/2/type", "unknown-block-type"),
        ("/units/0/blocks/3/id", "duplicate-block-id"),
    }
    assert {(problem["pointer"], problem["code"]) for problem in job["problem"]["problems"]} == expected
    assert {(problem["pointer"], problem["code"]) for problem in version["report"]["problems"]} == expected

    mended = small(tenant)  # the author mends it and publishes the next revision
    mended.course_id, mended.revision = course.course_id, 2
    tenant.publish(mended)
    tenant.built(mended, 2)
    assert_settled(tenant)


def test_every_broken_file_is_named_with_its_place_and_nothing_else_stops(tenant: Tenant) -> None:
    course = small(tenant).picture("torn", seed=2).film("film", captions=True)
    course.blocks.append({**course.blocks[1], "id": "again"})  # the same picture in a second place
    whole = course.originals["torn"][0].read_bytes()
    files = {
        "square": b"\x89PNG\r\n\x1a\n and then nothing",
        "torn": whole[: len(whole) // 2],
        "film": b"This is a text and no film.",
        "film-words": b"no captions",
    }
    for asset, data in files.items():
        course.originals[asset] = tenant.running.media / f"broken-{asset}", course.originals[asset][1]
        course.originals[asset][0].write_bytes(data)
    tenant.publish(course)
    problems = _failed(tenant, course)["report"]["problems"]
    assert [(each["pointer"], each["code"]) for each in problems if each["severity"] == "error"] == [
        ("/units/0/blocks/1/asset", "media-unreadable"),
        ("/units/0/blocks/4/asset", "media-unreadable"),
        ("/units/0/blocks/2/asset", "media-unreadable"),
        ("/units/0/blocks/3/asset", "media-unreadable"),
        ("/units/0/blocks/3/captions/0/asset", "captions-unreadable"),
    ]
    for each in problems:
        assert any(f"“{asset}”" in each["message"] for asset in files)
    (job,) = tenant.api.items("/v1/jobs")
    assert (job["problem"]["code"], job["attempt"]) == ("media-invalid", 1)

    mended = small(tenant).picture("torn", seed=2)
    mended.course_id, mended.revision = course.course_id, 2
    tenant.publish(mended)
    tenant.built(mended, 2)
    assert_settled(tenant)


def _failed(tenant: Tenant, course: Course) -> dict[str, Any]:
    found = until("the build at its end", lambda: tenant.version(course), 60, tenant.jobs)
    assert found["state"] == "failed"
    return found


def _sequence(offer: Any) -> Any:
    return Licence.parse(offer["licence"].encode()).sequence


def _package_events(tenant: Tenant) -> list[dict[str, Any]]:
    def both() -> list[dict[str, Any]] | None:
        events = tenant.running.heard(tenant.name, PACKAGE_EVENT)
        return events if len(events) > 1 else None

    return until("both versions heard of", both)


def _without_revision(manifest: dict[str, Any]) -> dict[str, Any]:
    """What does not follow from the draft's own revision and time."""
    return {name: value for name, value in manifest.items() if name not in ("version", "source", "inputs")}
