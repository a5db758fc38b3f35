"""What is taken back: named in a signed list within a second, refused by readers, told to all regions."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from cluster.local import publishing
from content.bundles.errors import BundleRefused
from content.trust.revocation_delta import RevocationDelta
from content.trust.revocations import RevocationList
from serve_app.client import ApiError
from tasks import revocations
from tests.support.connected import with_connections
from tests.support.courses import Course
from tests.support.devices import Device
from tests.support.tenants import Tenant, bearer
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


def listed(tenant: Tenant) -> RevocationList:
    return RevocationList.parse(tenant.api.trust_lists(tenant.name)["revocations"]["document"].encode())


def learners(tenant: Tenant, course: Course, *names: str) -> dict[str, tuple[Device, str]]:
    found = {name: (tenant.device(name), tenant.enrol(course, name)) for name in names}
    tenant.ready(course, len(names))
    return found


def refusal(device: Device, offer: Any) -> str:
    with pytest.raises(BundleRefused) as refused:
        device.open(offer)
    return refused.value.code


def test_a_cancelled_enrolment_is_on_the_list_and_its_bundle_opens_no_more(tenant: Tenant) -> None:
    course = tenant.course().text()
    tenant.publish(course)
    found = learners(tenant, course, "ada", "ben")
    offers = {name: device.offers()[0] for name, (device, _) in found.items()}
    for name, (device, _) in found.items():
        device.open(offers[name])
    publishing.cancel(tenant.home, tenant.name, enrollment_id=found["ada"][1], reason="moved away")
    gone = offers["ada"]["bundle_id"]
    until("the list names the bundle", lambda: gone in listed(tenant).bundles)
    assert listed(tenant).bundles == (gone,)
    assert refusal(found["ada"][0], offers["ada"]) == "bundle-revoked"
    found["ben"][0].open(offers["ben"])
    (row,) = tenant.api.revocations(kind="bundle")
    assert (row["subject"], row["cause"], row["reason"]) == (gone, "enrolment", "moved away")
    assert row["listed"] == [1, 2]
    assert tenant.api.licence(gone)["status"] == "cancelled"  # no device had registered it
    (event,) = until("all regions hear", lambda: tenant.running.heard(tenant.name, "content.revocation.issued.v1"))
    assert event["data"] == {
        "tenant_id": tenant.name, "version": [1, 2], "issued_at": event["data"]["issued_at"], "bundles": [gone],
        "devices": [], "packages": [], "versions": [], "kids": [], "complete": True,
    }  # fmt: skip
    assert "ada" not in json.dumps(event)


def test_each_kind_is_refused_by_its_own_code(tenant: Tenant) -> None:
    course, other = tenant.course().text(), tenant.course().text()
    for each in (course, other):
        tenant.publish(each)
    found = learners(tenant, course, "ada", "ben", "cleo")
    offers = {name: device.offers()[0] for name, (device, _) in found.items()}
    ada, ben, cleo = (found[name][0] for name in ("ada", "ben", "cleo"))
    for name, (device, _) in found.items():
        device.open(offers[name])

    tenant.api.revoke("bundle", offers["ada"]["bundle_id"], "handed on")
    assert refusal(ada, offers["ada"]) == "bundle-revoked"
    with pytest.raises(ApiError, match="taken back"):
        ada.api.bundle(offers["ada"]["bundle_id"])
    assert list(ada.api.bundles(state="ready")) == []

    tenant.api.revoke("device", ben.id, "stolen on the bus")
    with pytest.raises(BundleRefused) as refused:
        cleo_as_ben(tenant, ben, offers["ben"])
    assert refused.value.code == "device-revoked"

    row = tenant.api.revoke("version", tenant.package(course), "a wrong dosage", version=1)
    assert row["subject"] == f"{tenant.package(course)}/1"
    assert row["listed"] is not None
    assert refusal(cleo, offers["cleo"]) == "version-revoked"
    with pytest.raises(ApiError) as gone:
        tenant.api.manifest(tenant.package(course), 1)
    assert gone.value.code == "version-withdrawn"

    dan = learners(tenant, other, "dan")["dan"][0]
    offer = dan.offers()[0]
    dan.open(offer)
    tenant.api.revoke("package", tenant.package(other), "the licence of a picture")
    assert refusal(dan, offer) == "package-revoked"
    late = tenant.device("eva")
    tenant.enrol(other, "eva")
    tenant.publish(other.changed_text())
    tenant.built(other, 2)
    assert late.offers() == []
    assert len({tuple(each["listed"] or ()) for each in tenant.api.revocations()}) == 4


def cleo_as_ben(tenant: Tenant, ben: Device, offer: Any) -> None:
    """Open what the deactivated device holds; the lists are public, so somebody else can bring them."""
    ben.api = tenant.api
    ben.open(offer)


def test_asking_again_changes_nothing_and_what_is_not_there_is_named(tenant: Tenant) -> None:
    course = tenant.course().text()
    tenant.publish(course)
    device, _ = learners(tenant, course, "ada")["ada"]
    bundle = device.offers()[0]["bundle_id"]
    first = tenant.api.revoke("bundle", bundle, "handed on")
    assert tenant.api.revoke("bundle", bundle, "handed on, again") == first
    assert listed(tenant).version == (1, 2)
    for kind, subject in (("bundle", "bnd_" + "0" * 26), ("device", "never"), ("package", "pkg_never")):
        with pytest.raises(ApiError) as refused:
            tenant.api.revoke(kind, subject, "x")
        assert refused.value.code == "not-found"
    with pytest.raises(ApiError) as refused:
        tenant.api.revoke("version", tenant.package(course), "x")
    assert refused.value.code == "version-missing"
    url = f"{tenant.running.settings.api_url}/v1/revocations"
    body = {"kind": "bundle", "id": bundle, "reason": "x"}
    assert httpx.post(url, json=body, headers=bearer(tenant, "content:read")).status_code == 403


def test_a_long_list_is_fetched_as_a_delta(tenant: Tenant) -> None:
    before = listed(tenant)
    device = tenant.device("ada")
    tenant.api.revoke("device", device.id, "lost")
    asked = f"{before.version[0]}.{before.version[1]}"
    sent = tenant.api.signed_lists(tenant.name, 0, asked)["revocations"]
    assert sent["document"] is None
    later = RevocationDelta.parse(str(sent["delta"]).encode()).apply(before)
    assert later == listed(tenant)
    whole = tenant.api.signed_lists(tenant.name, 0, "1.99")["revocations"]  # a version that nobody knows
    assert whole["delta"] is None
    assert whole["document"] == later.to_bytes().decode()


def test_lists_come_along_with_a_bundle(tenant: Tenant) -> None:
    course = tenant.course().text()
    tenant.publish(course)
    device, _ = learners(tenant, course, "ada")["ada"]
    bundle = device.offers()[0]["bundle_id"]
    assert device.api.bundle(bundle).get("lists") is None
    known = listed(tenant).version
    assert device.api.bundle(bundle, f"{known[0]}.{known[1]}").get("lists") is None
    sent = device.api.bundle(bundle, "0.0").get("lists")
    assert sent is not None
    assert sent["revocations"]["document"] == listed(tenant).to_bytes().decode()
    assert len(sent["chain"]) == 1


def test_an_entry_leaves_the_list_when_no_licence_can_need_it(tenant: Tenant) -> None:
    course = tenant.course().text()
    tenant.publish(course)
    learner = f"learner-{secrets.token_hex(3)}"
    device, enrolment = tenant.device(learner), f"enr-{secrets.token_hex(4)}"
    ends = datetime.now(UTC) + timedelta(hours=1)
    publishing.enrol(
        tenant.home, tenant.name, enrollment_id=enrolment, learner_id=learner, course_id=course.course_id, ends_at=ends
    )
    tenant.ready(course, 1)
    bundle = device.offers()[0]["bundle_id"]
    tenant.api.revoke("bundle", bundle, "handed on")
    assert listed(tenant).bundles == (bundle,)
    tenant.running.rows(
        "update licences set not_after = now() - interval '1 second' where tenant = %s returning 1 as x", tenant.name
    )
    tenant.running.rows(
        "update revocations set until = now() - interval '1 second' where tenant = %s returning 1 as x", tenant.name
    )
    other = tenant.device("ben")
    tenant.api.revoke("device", other.id, "lost")
    assert (listed(tenant).bundles, listed(tenant).devices) == ((), (other.id,))


def test_a_leaked_content_key_is_left_behind_by_the_next_version(tenant: Tenant) -> None:
    tenant.api.change_tenant(tenant.name, policy="shared")
    course = tenant.course().text()
    tenant.publish(course)
    learners(tenant, course, "ada")
    assert tenant.api.begin_epoch(tenant.package(course), "seen on a forum")["scopes"] == 1
    assert tenant.api.begin_epoch(tenant.package(course), "seen again")["scopes"] == 0
    tenant.publish(course.changed_text())
    tenant.ready(course, 1, 2)
    rows = tenant.running.rows("select version, epoch from seals where tenant = %s order by version", tenant.name)
    assert [(row["version"], row["epoch"]) for row in rows] == [(1, 1), (2, 2)]


def test_what_is_revoked_while_a_list_is_signed_is_in_the_next(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between reading the rows and noting which list names them, another one comes in: it must not count as named."""
    ids = [f"bnd_{secrets.token_hex(13)}" for _ in range(2)]

    def add(subject: str) -> None:
        with tenant.running.superuser() as connection:
            connection.execute(
                b"insert into revocations (tenant, kind, subject, cause) values (%s, 'bundle', %s, 'operator')",
                [tenant.name, subject],
            )

    signed = revocations.sign_documents

    def meanwhile(*given: Any, **named: Any) -> Any:
        if ids[1:] and not tenant.running.rows("select 1 from revocations where subject = %s", ids[1]):
            add(ids[1])
        return signed(*given, **named)

    monkeypatch.setattr(revocations, "sign_documents", meanwhile)

    async def publish(connections: Any) -> None:
        async with connections.db.tenant(tenant.name) as tx:
            await revocations.publish(tx, connections, tenant.name, datetime.now(UTC), anyway=True)

    add(ids[0])
    with_connections(tenant.running, publish)

    def all_listed() -> list[dict[str, Any]] | None:
        rows = tenant.running.rows("select subject, listed from revocations where tenant = %s", tenant.name)
        return rows if len(rows) == 2 and all(row["listed"] for row in rows) else None

    for row in until("both are listed", all_listed):
        documents = tenant.running.rows(
            "select document from revocation_lists where tenant = %s and trust_version = %s and n = %s",
            tenant.name,
            *row["listed"],
        )
        assert row["subject"] in documents[0]["document"]
