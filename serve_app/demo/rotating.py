"""The bad hours: a signing key is stolen, a phone is stolen; and sticks that carry the news to where there is no network."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from cluster.local.identity import mint_token
from serve_app.client import Client
from serve_app.demo.steps import require
from serve_app.device.download import Silent
from serve_app.device.exporting import export_lists
from serve_app.device.folder import DeviceFolder
from serve_app.device.importing import import_file

DEADLINE_S = 120.0


def emergency(home: Path, tenant: str, api_url: str) -> dict[str, Any]:
    """Revoke the tenant's signing key, and wait until everything is signed again; what the job did."""
    token = mint_token(home, tenant, ["operator", "content:read"], "demo")
    with Client(api_url, token=token) as api:
        done = api.rotate_keys(tenant, "emergency", "the demo plays a theft")
        require(done["revocations"] == [done["trust_version"], 1], "demo-lists", "The lists do not outrank the thief.")
        job = api.wait(str(done["job_id"]), deadline_s=DEADLINE_S)
    return dict(job["result"] or {})


def revoke_bundle(home: Path, tenant: str, api_url: str, device: DeviceFolder, package_id: str) -> str:
    """Take back what a device holds of a package; the version of the list that names it."""
    token = mint_token(home, tenant, ["content:write"], "demo")
    with Client(api_url, token=token) as api:
        row = api.revoke("bundle", device.shelf.find(package_id).bundle_id, "the demo plays a theft")
    require(row["listed"] is not None, "demo-revoked", "No list names the bundle yet.")
    return ".".join(str(number) for number in row["listed"] or ())


def carry_lists(source: DeviceFolder, target: DeviceFolder, stick: Path, now: datetime) -> int:
    """From one device to another without a network; the bytes on the stick."""
    with source.locked():
        export_lists(source, stick, now)
    before = target.state
    with target.locked():
        import_file(target, stick, now, Silent())
    require(target.state != before, "demo-stick", "The stick brought nothing new.")
    return stick.stat().st_size
