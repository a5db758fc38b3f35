"""What a sync would do to this disk (`content.bundles.foresight`). Only offers are asked for, no file."""

from __future__ import annotations

from content.bundles.foresight import Foresight, Held, Offered, foresee
from content.errors import ContentError
from serve_app.client import BundleOffer, Client
from serve_app.device.folder import DeviceFolder
from serve_app.device.installed import Installed, Shelf
from serve_app.device.sync import newest, order_of


def look_ahead(folder: DeviceFolder, api: Client) -> Foresight:
    """Raises ContentError where the API cannot be reached."""
    shelf = folder.shelf
    here, held = _here(shelf), [_held(shelf, each) for each in shelf.all()]
    return foresee(here, held, (_offered(offer) for offer in newest(api)))


def _here(shelf: Shelf) -> dict[str, int]:
    """Every blob, whole or begun, with its size."""
    files = (path for path in shelf.blobs.rglob("*") if path.is_file())
    return {path.relative_to(shelf.blobs).as_posix(): path.stat().st_size for path in files}


def _held(shelf: Shelf, each: Installed) -> Held:
    try:
        blobs = shelf.blobs_of(each)
    except ContentError:
        blobs = None
    return Held(each.bundle_id, each.licence.package_id, each.order, blobs)


def _offered(offer: BundleOffer) -> Offered:
    blobs = {blob["path"]: blob["size"] for blob in (offer["index"], *offer["parts"])}
    return Offered(offer["bundle_id"], offer["package_id"], offer["version"], order_of(offer), blobs)
