"""Tamper reports: what devices, and the service in its own store, found changed."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Response

from cluster.database import fetch_one
from content.devices.tamper import verify_report
from content.errors import ContentError
from content.rate import RateLimited
from serve_app.auth import Authenticated, Platform
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Given, Page
from serve_app.models.trust import NewTamperReport, TamperReport
from serve_app.problems import raises
from tasks import tampering

router = APIRouter(prefix="/v1/tamper-reports", tags=["trust"])
COLUMNS = """report_id, source, device_id, bundle_id, code, path, details, healed, observed_at, received_at"""
REPORTS = Listing(
    "tamper_reports",
    f"select {COLUMNS} from tamper_reports",
    filters={"device_id": "device_id = %(device_id)s"},
    order=(Order("received_at", "received_at", datetime), Order("report_id", "report_id", str)),
)


@router.post(
    "",
    status_code=201,
    response_model=TamperReport,
    summary="A device reports that something of a bundle was changed",
    responses=raises("tamper-report-refused", "rate-limited"),
)
async def report(body: NewTamperReport, caller: Authenticated, platform: Platform, once: Idempotent) -> Response:
    """Signed by the device over its findings, and kept as it is. The same report again is answered as it is; how many come
    within an hour is limited."""
    if caller.device_id is None:
        raise ContentError("forbidden", "Reports are sent by devices.", "Send it with the device's own proof.")
    try:
        found = verify_report(body.report, tenant=caller.tenant, device_id=caller.device_id)
    except ContentError as error:
        raise ContentError("tamper-report-refused", error.message, error.remedy) from error
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        most = platform.settings.tamper_reports_per_hour
        try:
            report_id = await tampering.found_by_device(tx, caller.tenant, caller.device_id, found, body.report, most)
        except tampering.TooManyReports as error:
            raise RateLimited("rate-limited", error.message, error.remedy, True, tampering.HOUR_S / most) from error
        row = await fetch_one(tx, f"select {COLUMNS} from tamper_reports where report_id = %s", [report_id])
        return await once.answer(tx, 201, TamperReport.model_validate(row))


@router.get("", summary="What was found changed, newest first")
async def list_reports(
    paging: Paging, caller: Authenticated, platform: Platform, device_id: Given = None
) -> Page[TamperReport]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        found = await REPORTS.page(tx, paging, device_id=device_id)
    return Page[TamperReport].model_validate(found)
