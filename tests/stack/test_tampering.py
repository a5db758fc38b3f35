"""What somebody changed: reported by a device with its signature, or found by the service itself and made whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster import places
from content.bundles.errors import BundleRefused
from content.canonical import digest
from content.devices.tamper import TamperReport, sign_report, verify_report
from serve_app.client import ApiError
from serve_app.device import reading
from tasks.keeping import scrub
from tests.support.connected import with_connections
from tests.support.phones import Phone, published
from tests.support.tenants import Tenant, bearer
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
DETECTED = "content.tamper.detected.v1"


@pytest.fixture
def phone(tenant: Tenant, tmp_path: Path) -> Phone:
    return Phone(tenant, tmp_path / "phone")


def installed(tenant: Tenant, phone: Phone) -> str:
    course = published(tenant)
    phone.enrol(course)
    tenant.ready(course, 1)
    phone.sync()
    return phone.folder.shelf.find(None).bundle_id


def look(tenant: Tenant) -> scrub.Scrubbed:
    return with_connections(
        tenant.running, lambda connections: scrub.tenant(connections, tenant.name, 100, again_s=0.0)
    )


def heard(tenant: Tenant) -> list[dict[str, Any]]:
    return tenant.running.heard(tenant.name, DETECTED)


def test_a_device_finds_it_offline_and_reports_it_with_the_next_sync(tenant: Tenant, phone: Phone) -> None:
    bundle_id = installed(tenant, phone)
    part = next((phone.folder.path / "blobs").rglob("*.part"))
    data = bytearray(part.read_bytes())
    data[100] ^= 1
    part.write_bytes(data)
    for _ in range(2):
        with (
            pytest.raises(BundleRefused) as refused,
            reading.open_offline(phone.folder, phone.folder.shelf.find(None), datetime.now(UTC)) as bundle,
        ):
            reading.check(phone.folder, bundle, datetime.now(UTC), lambda _: None)
        assert refused.value.code == "segment-digest"
    (waiting,) = (phone.folder.path / "reports").glob("*.jws")
    signed = verify_report(waiting.read_text(), tenant=tenant.name, device_id=phone.folder.identity.id)
    assert (signed.bundle_id, signed.code) == (bundle_id, "segment-digest")
    assert signed.evidence[0].found == digest(bytes(data[: signed.evidence[0].length]))

    assert phone.sync().reports == 1
    assert not waiting.exists()
    (row,) = tenant.api.tamper_reports(device_id=phone.folder.identity.id)
    assert (row["source"], row["bundle_id"], row["code"]) == ("device", bundle_id, "segment-digest")
    (event,) = until("all regions hear", lambda: heard(tenant))
    assert event["data"]["bundle_id"] == bundle_id
    assert phone.learner not in json.dumps(event)


def test_only_a_device_may_report_and_only_for_itself_and_not_without_end(tenant: Tenant, phone: Phone) -> None:
    bundle_id = "bnd_" + "a" * 26
    base = TamperReport(tenant.name, bundle_id, 1, "segment-digest", datetime(2026, 1, 1, tzinfo=UTC))
    url = f"{tenant.running.settings.api_url}/v1/tamper-reports"
    report = sign_report(phone.folder.identity, base)
    assert httpx.post(url, json={"report": report}, headers=bearer(tenant, "content:write")).status_code == 403
    first = phone.api.report_tampering(report)
    assert phone.api.report_tampering(report) == first
    stranger = tenant.device("ben")
    with pytest.raises(ApiError) as refused:
        stranger.api.report_tampering(report)
    assert refused.value.code == "tamper-report-refused"
    most = tenant.running.settings.tamper_reports_per_hour
    for minute in range(1, most):
        when = datetime(2026, 1, 1, 1, minute % 60, tzinfo=UTC)
        phone.api.report_tampering(
            sign_report(phone.folder.identity, TamperReport(tenant.name, bundle_id, 1, "x-y", when))
        )
    with pytest.raises(ApiError) as refused:
        phone.api.request("POST", "/v1/tamper-reports", body={"report": sign_report(
            phone.folder.identity, TamperReport(tenant.name, bundle_id, 1, "x-z", datetime(2026, 1, 2, tzinfo=UTC)))})  # fmt: skip
    assert refused.value.code == "rate-limited"
    assert len(list(tenant.api.tamper_reports())) == most


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
def test_a_stored_part_that_changed_is_made_whole_byte_for_byte(tenant: Tenant, phone: Phone, how: str) -> None:
    bundle_id = installed(tenant, phone)
    objects = tenant.running.objects
    (path,) = [row["path"] for row in tenant.running.rows("select path from parts where tenant = %s", tenant.name)]
    key = places.bundles(tenant.name) + path
    right = objects.get(key)
    if how == "gone":
        objects.delete([key])
    else:
        objects.put(key, right[:-5] if how == "cut" else right[:50] + bytes([right[50] ^ 1]) + right[51:])
    found = look(tenant)
    assert (found.parts, found.damaged, found.healed) == (1, 1, 1)
    assert objects.get(key) == right
    (row,) = tenant.api.tamper_reports()
    code = {"flipped": "segment-digest", "cut": "segment-size", "gone": "part-missing"}[how]
    assert (row["source"], row["path"], row["code"], row["healed"]) == ("scrub", path, code, True)
    (event,) = until("all regions hear", lambda: heard(tenant))
    assert event["data"]["healed"] is True
    again = look(tenant)
    assert (again.parts, again.damaged) == (1, 0)
    assert bundle_id


def test_what_cannot_be_made_whole_is_left_as_it_is_and_reported(tenant: Tenant, phone: Phone) -> None:
    """The asset it came from is changed, too: nothing wrong may take the damaged part's place."""
    installed(tenant, phone)
    objects = tenant.running.objects
    (path,) = [row["path"] for row in tenant.running.rows("select path from parts where tenant = %s", tenant.name)]
    key = places.bundles(tenant.name) + path
    broken = objects.get(key)[:-1] + b"?"
    objects.put(key, broken)
    (manifest,) = [key for key, _ in objects.keys(f"packages/{tenant.name}/")]
    body = objects.get(manifest)
    objects.put(manifest, body[:-1] + b" ")
    # Another replica than the one that made the bundle has not read the manifest before.
    from tasks import contents

    contents._contents.clear()
    found = look(tenant)
    assert (found.damaged, found.healed) == (1, 0)
    assert objects.get(key) == broken
    assert next(iter(tenant.api.tamper_reports()))["healed"] is False
    objects.put(manifest, body)


def test_a_share_is_what_has_waited_longest(tenant: Tenant, phone: Phone) -> None:
    installed(tenant, phone)
    assert look(tenant).parts == 1
    first = tenant.running.rows("select scrubbed_at from parts where tenant = %s", tenant.name)
    assert first[0]["scrubbed_at"] is not None
    lately = with_connections(tenant.running, lambda connections: scrub.tenant(connections, tenant.name, 100))
    assert lately.parts == 0


def test_the_daily_share_reaches_every_tenant(tenant: Tenant, phone: Phone) -> None:
    installed(tenant, phone)
    found = with_connections(tenant.running, scrub.share)
    assert found.parts >= 1
    (row,) = tenant.running.rows("select scrubbed_at from parts where tenant = %s", tenant.name)
    assert row["scrubbed_at"] is not None
