"""What changed between versions, told by the API before a device fetches it."""

from __future__ import annotations

import secrets

import pytest

from content.errors import ContentError
from serve_app.client import Client
from tests.support.running import Running
from tests.support.tenants import Tenant

pytestmark = pytest.mark.timeout(300)


def test_the_bytes_that_are_told_are_those_of_the_delta(running: Running) -> None:
    tenant = Tenant(running)
    course = tenant.course().text().picture("p0", seed=1).picture("p1", seed=2).picture("p2", seed=3)
    device = tenant.device("ada")
    tenant.enrol(course, "ada")
    tenant.publish(course)
    tenant.ready(course, 1)
    course = course.changed("p1", seed=secrets.randbelow(1 << 30))
    tenant.publish(course)
    tenant.ready(course, 1, number=2)
    package = tenant.package(course)
    first, second = device.offers()

    told = tenant.api.changes(package, 1, 2)
    assert (told["same"], told["units"], told["metadata"]) == (False, [], [])
    (picture,) = told["assets"]
    assert (picture["change"], picture["source"]) == ("changed", True)
    phone = next(each for each in told["fetches"] if each["profile"] == "phone")
    (part,) = [part for part in second["parts"] if part["path"] not in {each["path"] for each in first["parts"]}]
    assert phone["update"] == part["size"]

    back = tenant.api.changes(package, 2, 1)
    assert [each["after"] for each in back["assets"]] == [picture["before"]]
    (whole,) = [each["whole"] for each in back["fetches"] if each["profile"] == "phone"]
    assert whole == sum(part["size"] for part in first["parts"])
    same = tenant.api.changes(package, 2, 2)
    assert (same["same"], {each["update"] for each in same["fetches"]}) == (True, {0})
    for older, newer, code in ((1, 3, "not-found"), (3, 1, "not-found")):
        assert refusal(tenant.api, package, older, newer) == code
    tenant.api.withdraw(package, 1, "wrong")
    assert refusal(tenant.api, package, 1, 2) == "version-withdrawn"


def refusal(api: Client, package: str, older: int, newer: int) -> str:
    with pytest.raises(ContentError) as refused:
        api.changes(package, older, newer)
    return refused.value.code
