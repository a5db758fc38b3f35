"""`content-service device status|renew|return`: the life of a licence, from the device that holds it. Needs a network."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from serve_app.cli.options import AsJson, Folder, Which, examples
from serve_app.cli.output import answer, errors

if TYPE_CHECKING:
    from serve_app.client import Client
    from serve_app.device.folder import DeviceFolder
    from serve_app.device.installed import Installed


def register(device_app: typer.Typer) -> None:
    device_app.command(epilog=examples("device status ./phone"))(status)
    device_app.command(epilog=examples("device renew ./phone"))(renew)
    device_app.command("return", epilog=examples("device return ./phone bnd_…"))(give_back)


def status(folder: Folder, which: Which = None, as_json: AsJson = False) -> None:
    """The state of a licence as the service sees it: ready, active, expired, returned, revoked or cancelled."""
    with _online(folder, which) as (_, api, installed):
        found = api.licence(installed.bundle_id)
    answer(
        dict(found), as_json, f"{installed.bundle_id}  {found['status']}, issue {found['issue']}\n{found['message']}"
    )


def renew(folder: Folder, which: Which = None, as_json: AsJson = False) -> None:
    """Have a licence last longer, also after it has expired. Only the licence is fetched."""
    from serve_app.device.bars import BarWatch, bytes_progress
    from serve_app.device.download import edge_client
    from serve_app.device.renewal import renewed
    from serve_app.device.taking import Taking

    with _online(folder, which) as (device, api, installed), edge_client() as edge, bytes_progress(errors) as progress:
        watch = BarWatch(progress, errors)
        offer = renewed(api, api.bundle(installed.bundle_id), datetime.now(UTC), watch, anyway=True)
        taken = Taking(device, api, edge, offer, lambda: datetime.now(UTC), watch).take()
        found = api.licence(installed.bundle_id)
    facts = {**found, "fetched": taken.fetched}
    answer(facts, as_json, f"{found['message']}\n{taken.fetched:,} bytes fetched beside the licence.")


def give_back(folder: Folder, which: Which = None, as_json: AsJson = False) -> None:
    """Give a course back, for good, and remove it from the device. Progress stays."""
    with _online(folder, which) as (device, api, installed):
        found = api.return_licence(installed.bundle_id)
        device.shelf.remove(installed.bundle_id)
        device.shelf.tidy()
    answer(dict(found), as_json, f"{installed.bundle_id} is given back.")


@contextmanager
def _online(folder: Path, which: str | None) -> Generator[tuple[DeviceFolder, Client, Installed]]:
    from serve_app.client import Client
    from serve_app.device.folder import DeviceFolder

    device = DeviceFolder(folder)
    with device.locked(), Client(device.registered.api_url, device=device.identity) as api:
        yield device, api, device.shelf.find(which)
