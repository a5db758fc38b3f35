"""What must not open, and the code of the check that says so. Each is tried on a copy, so the devices stay whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cluster.edge import cdn
from cluster.settings import Settings
from content.errors import ContentError
from serve_app.client import Client, problem_of
from serve_app.demo.steps import require
from serve_app.device.download import edge_client
from serve_app.device.folder import DeviceFolder
from serve_app.device.reading import open_offline, verify


def tampered(phone: DeviceFolder, copy: Path, now: datetime) -> ContentError:
    """One bit of one byte in the middle of the newest part is turned over; of older ones not every byte is a file's."""
    shutil.copytree(phone.path, copy)
    device = DeviceFolder(copy)
    part = max(device.shelf.blobs.rglob("*.part"), key=lambda path: path.stat().st_mtime)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    return refused("segment-digest", lambda: read_all(device, None, now))


def anothers(phone: DeviceFolder, tablet: DeviceFolder, copy: Path, now: datetime) -> ContentError:
    """The phone is given the tablet's bundle, licence and all."""
    shutil.copytree(phone.path, copy)
    device, foreign = DeviceFolder(copy), tablet.shelf.find(None)
    shutil.copytree(tablet.shelf.blobs, device.shelf.blobs, dirs_exist_ok=True)
    device.shelf.install(foreign.licence_bytes, foreign.signature)
    return refused("licence-device", lambda: read_all(device, foreign.bundle_id, now))


def expired_url(phone: DeviceFolder, settings: Settings, now: datetime) -> ContentError:
    """A URL signed as the API signs it, but until a minute ago; the same until in a minute is served."""
    with Client(settings.api_url, device=phone.identity) as api:
        offered = api.bundle(phone.shelf.find(None).bundle_id)["index"]["url"]
    plain = urlsplit(offered)._replace(query="").geturl()
    key = cdn.load_private_key(settings.edge_private_key.get_secret_value())

    def get(minutes: int) -> None:
        url = cdn.sign(plain, key, settings.edge_key_id, expires_at=now + timedelta(minutes=minutes))
        with edge_client() as edge:
            answer = edge.get(url)
        if answer.status_code >= 400:
            raise problem_of(answer)

    get(1)
    return refused("url-expired", lambda: get(-1))


def refused(code: str, attempt: Callable[[], object]) -> ContentError:
    """The refusal, which must have just this code. Raises ContentError `demo-not-refused` if it is not refused so."""
    try:
        attempt()
    except ContentError as error:
        require(error.code == code, "demo-not-refused", f"Refused as {error.code}, where {code} was due.")
        return error
    raise ContentError("demo-not-refused", f"It was not refused, where {code} was due.", "Please report this.")


def read_all(device: DeviceFolder, which: str | None, now: datetime) -> None:
    with open_offline(device, device.shelf.find(which), now) as bundle:
        verify(bundle)
