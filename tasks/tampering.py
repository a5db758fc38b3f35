"""What was found changed, by a device or by the service's own scrubbing: a row, and an event for all regions.

A device's report is evidence: it is kept as the device signed it. Its id follows from its bytes, so sending it twice is
one report; how many a device may send in an hour is limited.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from cluster.database import Transaction, fetch_one
from cluster.outbox import Outgoing, emit
from content.canonical import derive_id, digest, rfc3339
from content.devices.tamper import TamperReport
from content.errors import ContentError

DETECTED = "content.tamper.detected.v1"
HOUR_S = 3600
INSERT = """
    insert into tamper_reports (tenant, report_id, source, device_id, bundle_id, code, path, details, jws, healed, observed_at)
    values (%(tenant)s, %(report_id)s, %(source)s, %(device_id)s, %(bundle_id)s, %(code)s, %(path)s, %(details)s, %(jws)s,
            %(healed)s, %(observed_at)s)
    on conflict do nothing returning report_id
"""


class TooManyReports(ContentError):
    """A device has sent as many reports as it may."""


async def found_by_device(
    tx: Transaction, tenant: str, device_id: str, report: TamperReport, jws: str, most_per_hour: int
) -> str:
    """Keep a verified report; returns its id. Raises TooManyReports `tamper-reports-limit`."""
    report_id = derive_id("tmp", tenant, device_id, digest(report.to_bytes()))
    await tx.execute(b"select 1 from devices where device_id = %s for no key update", [device_id])
    row = await fetch_one(
        tx,
        """select count(*) filter (where received_at > now() - make_interval(secs => %s)) as lately,
                  count(*) filter (where report_id = %s) as same
           from tamper_reports where device_id = %s""",
        [HOUR_S, report_id, device_id],
    )
    if row is not None and row["same"] == 0 and row["lately"] >= most_per_hour:
        raise TooManyReports(
            "tamper-reports-limit", "This device has sent many reports within an hour.", "Keep it and send it later."
        )
    values = {
        "source": "device",
        "device_id": device_id,
        "bundle_id": report.bundle_id,
        "code": report.code,
        "path": report.evidence[0].path if report.evidence else None,
        "details": {"issue": report.issue, "ranges": [vars(each) for each in report.evidence]},
        "jws": jws,
        "healed": None,
        "observed_at": report.observed_at,
    }
    await _keep(tx, tenant, report_id, values)
    return report_id


async def found_by_scrub(
    tx: Transaction,
    tenant: str,
    report_id: str,
    *,
    code: str,
    path: str,
    details: dict[str, Any],
    healed: bool,
    observed_at: datetime,
) -> None:
    """Keep what the service found in its own store."""
    values = {
        "source": "scrub",
        "device_id": None,
        "bundle_id": None,
        "code": code,
        "path": path,
        "details": details,
        "jws": None,
        "healed": healed,
        "observed_at": observed_at,
    }
    await _keep(tx, tenant, report_id, values)


async def _keep(tx: Transaction, tenant: str, report_id: str, values: dict[str, Any]) -> None:
    row = {"tenant": tenant, "report_id": report_id, **values, "details": Jsonb(values["details"])}
    if await fetch_one(tx, INSERT, row) is None:
        return
    data = {
        "tenant_id": tenant,
        "report_id": report_id,
        "source": values["source"],
        "code": values["code"],
        "observed_at": rfc3339(values["observed_at"]),
    }
    data |= {name: values[name] for name in ("device_id", "bundle_id", "path", "healed") if values[name] is not None}
    await emit(tx, tenant, [Outgoing(DETECTED, tenant, data)])
