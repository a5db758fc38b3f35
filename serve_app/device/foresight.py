"""What a sync would do, before it does: bytes to fetch, the fullest the disk will be, what will be deleted.

Only licences' offers are asked for, no file. Nothing old is removed before everything new is verified, so the disk holds
both for a while; what was begun counts as there.
"""

from __future__ import annotations

from dataclasses import dataclass

from content.errors import ContentError
from serve_app.client import BundleOffer, Client
from serve_app.device.folder import DeviceFolder
from serve_app.device.installed import Shelf
from serve_app.device.sync import newest, order_of


@dataclass(frozen=True)
class Foreseen:
    """One bundle. `fetch` bytes of `size` would come over the network; `new` if another one is here, or none."""

    bundle_id: str
    package_id: str
    version: int
    new: bool
    fetch: int
    size: int


@dataclass(frozen=True)
class Foresight:
    """All bundles. Bytes on the disk: now, at the fullest, and afterwards; `deletes` are the blobs that will go."""

    bundles: tuple[Foreseen, ...]
    fetch: int
    now: int
    peak: int
    after: int
    deletes: tuple[str, ...]


def foresee(folder: DeviceFolder, api: Client) -> Foresight:
    """Raises ContentError where the API cannot be reached."""
    shelf = folder.shelf
    here, installed = _here(shelf), shelf.all()
    stays = {each.licence.package_id: each for each in reversed(installed)}  # the newest of each package
    bundles: list[Foreseen] = []
    wanted: dict[str, int] = {}
    tidied = True  # a sync that refuses something, or cannot read an index, deletes nothing
    for offer in newest(api):
        known = stays.get(offer["package_id"])
        if known is not None and order_of(offer) < known.order:
            tidied = False  # older than what is here, whose version was withdrawn
            continue
        stays.pop(offer["package_id"], None)
        sizes = _sizes(offer)
        fetch = sum(_missing(here, path, size) for path, size in sizes.items() if path not in wanted)
        wanted |= sizes
        new = all(each.bundle_id != offer["bundle_id"] for each in installed)
        size = sum(sizes.values())
        bundles.append(Foreseen(offer["bundle_id"], offer["package_id"], offer["version"], new, fetch, size))
    for each in stays.values():
        try:
            wanted |= dict.fromkeys(shelf.blobs_of(each), 0)
        except ContentError:
            tidied = False
    fetch, now = sum(each.fetch for each in bundles), sum(here.values())
    unwanted = (path for path in here if path.removesuffix(".partial") not in wanted)
    deletes = tuple(sorted(unwanted)) if tidied else ()
    return Foresight(
        tuple(bundles), fetch, now, now + fetch, now + fetch - sum(here[path] for path in deletes), deletes
    )


def _here(shelf: Shelf) -> dict[str, int]:
    """Every blob, whole or begun, with its size."""
    files = (path for path in shelf.blobs.rglob("*") if path.is_file())
    return {path.relative_to(shelf.blobs).as_posix(): path.stat().st_size for path in files}


def _sizes(offer: BundleOffer) -> dict[str, int]:
    return {blob["path"]: blob["size"] for blob in (offer["index"], *offer["parts"])}


def _missing(here: dict[str, int], path: str, size: int) -> int:
    if here.get(path) == size:
        return 0
    begun = here.get(f"{path}.partial", 0)
    return size - begun if begun <= size else size
