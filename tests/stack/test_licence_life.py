"""The life of a licence from the device's side: registered, renewed (also when it is too late), given back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from content.bundles.errors import BundleRefused
from content.errors import ContentError
from serve_app.client import ApiError, Client
from serve_app.device.download import Silent, edge_client
from serve_app.device.sync import sync
from tests.support.connected import with_connections
from tests.support.phones import Phone, now, published
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def phone(tenant: Tenant, tmp_path: Path) -> Phone:
    return Phone(tenant, tmp_path / "phone")


def shorten(tenant: Tenant, days: float) -> None:
    """Have the newest licence of the tenant's one bundle end so soon: as if the year were nearly over."""
    ends = now().replace(microsecond=0) + timedelta(days=days)
    with tenant.running.superuser() as connection:
        connection.execute(
            b"insert into renewals (tenant, bundle_id, not_after) select tenant, bundle_id, %s from bundles where tenant = %s",
            [ends, tenant.name],
        )
    # The way of a renewal itself, which issues what it is told.
    from tasks import resigning

    assert with_connections(tenant.running, lambda connections: resigning.renewals(connections, tenant.name)) == 1


def test_from_ready_to_active_and_renewed_in_time_without_a_payload(tenant: Tenant, phone: Phone) -> None:
    course = published(tenant)
    phone.enrol(course)
    (row,) = tenant.ready(course, 1)
    bundle = row["bundle_id"]
    status = tenant.api.licence(bundle)
    assert (status["status"], status["issue"], status["events"]) == ("ready", 1, [])
    phone.sync()
    status = phone.api.licence(bundle)
    assert status["status"] == "active"
    assert status["days_left"] in (364, 365)
    assert "can be opened until" in status["message"]
    assert [event["type"] for event in status["events"]] == ["register"]

    shorten(tenant, days=10)
    (taken,) = phone.sync().taken  # asks for a longer one by itself, and gets it
    assert taken.fetched == 0
    assert phone.open() == 3
    status = phone.api.licence(bundle)
    assert (status["days_left"] >= 364, status["renewing"]) == (True, False)
    assert [event["type"] for event in status["events"]] == ["register", "renew"]

    def issues() -> list[int]:
        return [e["data"]["issue"] for e in tenant.heard_of({bundle}) if e["data"]["bundle_id"] == bundle]

    until("all issues heard of", lambda: issues() == [1, 2, 3], state=issues)


def test_an_expired_licence_is_renewed_without_another_download_and_turning_the_clock_back_helps_nobody(
    tenant: Tenant, phone: Phone
) -> None:
    course = published(tenant)
    phone.enrol(course)
    tenant.ready(course, 1)
    phone.sync()
    shorten(tenant, days=4 / 86_400)
    bundle = phone.folder.shelf.find(None).bundle_id
    until("it has expired", lambda: phone.api.licence(bundle)["status"] == "expired", 20)
    in_time = phone.open()  # the licence that is installed lasts for a year
    assert in_time == 1
    far = now() + timedelta(days=400)
    with pytest.raises(BundleRefused) as refused:
        phone.open(far)
    assert refused.value.code == "licence-expired"
    assert "days ago" in refused.value.message

    progress = phone.folder.path / "progress"
    progress.mkdir()
    (progress / "kept.json").write_text("{}")
    (taken,) = phone.sync().taken
    assert taken.fetched == 0
    assert phone.open() == 3
    assert (progress / "kept.json").exists()


def test_an_enrolment_that_has_run_out_is_not_renewed(tenant: Tenant, phone: Phone) -> None:
    course = published(tenant)
    phone.enrol(course, ends_at=now() + timedelta(hours=1))
    tenant.ready(course, 1)
    phone.sync()
    bundle = phone.folder.shelf.find(None).bundle_id
    assert phone.api.licence(bundle)["renewable_until"] is None
    for table, column in (("enrolments", "ends_at"), ("licences", "not_after")):
        tenant.running.rows(
            f"update {table} set {column} = now() - interval '1 second' where tenant = %s returning 1 as x", tenant.name
        )
    assert phone.api.licence(bundle)["status"] == "expired"
    with pytest.raises(ApiError) as refused:
        phone.api.renew_licence(bundle)
    assert refused.value.code == "renewal-ended"


def test_what_is_given_back_is_revoked_for_good(tenant: Tenant, phone: Phone) -> None:
    course = published(tenant)
    phone.enrol(course)
    tenant.ready(course, 1)
    phone.sync()
    bundle = phone.folder.shelf.find(None).bundle_id
    status = phone.api.return_licence(bundle)
    assert (status["status"], [event["type"] for event in status["events"]]) == ("returned", ["register", "return"])
    assert phone.api.return_licence(bundle)["events"] == status["events"]
    for ask in (phone.api.renew_licence, phone.api.register_licence):
        with pytest.raises(ApiError) as refused:
            ask(bundle)
        assert refused.value.code == "licence-returned"
    assert phone.sync().taken == ()
    with pytest.raises(BundleRefused) as closed:
        phone.open()
    assert closed.value.code == "bundle-revoked"
    tenant.publish(course.changed_text())
    tenant.built(course, 2)
    assert tenant.bundles(course, 2) == []


def test_another_device_and_another_tenant_see_no_licence(tenant: Tenant, phone: Phone, tmp_path: Path) -> None:
    course = published(tenant)
    phone.enrol(course)
    (row,) = tenant.ready(course, 1)
    other = Phone(tenant, tmp_path / "other")
    for ask in (other.api.licence, other.api.renew_licence, other.api.return_licence, other.api.register_licence):
        with pytest.raises(ApiError) as refused:
            ask(row["bundle_id"])
        assert refused.value.code == "not-found"


def test_renewals_that_come_together_cost_one_signature(tenant: Tenant, tmp_path: Path) -> None:
    course = published(tenant)
    phones = [Phone(tenant, tmp_path / f"phone{n}") for n in range(4)]
    for each in phones:
        each.enrol(course)
    rows = tenant.ready(course, 4)
    tenant.api.pause_queue("licence")
    try:
        shorter = (now() + timedelta(days=400)).isoformat()
        for row in rows:
            with pytest.raises(ApiError) as refused:
                tenant.api.renew_licence(row["bundle_id"], shorter)
            assert refused.value.code == "renewal-end"
        with tenant.running.superuser() as connection:
            connection.execute(
                b"update licences set not_after = now() + interval '3 days' where tenant = %s", [tenant.name]
            )
        assert all(tenant.api.renew_licence(row["bundle_id"])["renewing"] for row in rows)
    finally:
        tenant.api.resume_queue("licence")
    offers: list[Any] = until("all are issued", lambda: renewed(tenant, [row["bundle_id"] for row in rows]))
    assert {offer["signature"]["proof"]["size"] for offer in offers} == {4}
    assert len({offer["signature"]["tree_head"] for offer in offers}) == 1


def renewed(tenant: Tenant, bundles: list[str]) -> list[Any] | None:
    offers = [tenant.api.bundle(bundle) for bundle in bundles]
    return offers if all(offer["issue"] == 2 for offer in offers) else None


def test_a_server_that_cannot_be_reached_stops_nobody_from_reading(tenant: Tenant, phone: Phone) -> None:
    course = published(tenant)
    phone.enrol(course)
    tenant.ready(course, 1)
    phone.sync()
    nobody = Client("http://127.0.0.1:9", device=phone.folder.identity)
    with pytest.raises(ContentError, match="does not answer"), edge_client() as edge:
        sync(phone.folder, nobody, edge, clock=now, watch=Silent())
    settings = tenant.running.settings
    phone.open(now() + timedelta(seconds=settings.list_ttl_s + settings.offline_grace_s - 86_400))
