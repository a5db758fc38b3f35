"""What a sync would do, before it does: bytes to fetch, the fullest the disk will be, what will be deleted.

Only licences' offers are asked for, no file. Nothing old is removed before everything new is verified, so the disk holds
both for a while; what was begun counts as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from content.bundles.index import Index
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
    here = _here(shelf)
    installed = {each.bundle_id: each for each in shelf.all()}
    bundles: list[Foreseen] = []
    wanted: dict[str, int] = {}
    highest: dict[str, Any] = {}
    for each in installed.values():
        highest[each.licence.package_id] = max(each.order, highest.get(each.licence.package_id, each.order))
    refused = False
    for offer in newest(api):
        if order_of(offer) < highest.get(offer["package_id"], order_of(offer)):
            refused = True  # older than what is here, whose version was withdrawn: nothing is taken, nothing tidied
            continue
        sizes = _sizes(offer)
        fetch = sum(_missing(here, path, size) for path, size in sizes.items() if path not in wanted)
        wanted |= sizes
        bundles.append(
            Foreseen(
                offer["bundle_id"],
                offer["package_id"],
                offer["version"],
                offer["bundle_id"] not in installed,
                fetch,
                sum(sizes.values()),
            )
        )
    packages = {each.package_id for each in bundles}
    for each in installed.values():
        if each.licence.package_id not in packages:  # it stays, since nothing takes its place
            wanted |= dict.fromkeys(_named(shelf, each.licence.index.path), 0)
    fetch = sum(each.fetch for each in bundles)
    unwanted = sorted(path for path in here if path.removesuffix(".partial") not in wanted)
    deletes = [] if refused else unwanted
    now = sum(here.values())
    return Foresight(
        tuple(bundles), fetch, now, now + fetch, now + fetch - sum(here[path] for path in deletes), tuple(deletes)
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


def _named(shelf: Shelf, index_path: str) -> list[str]:
    try:
        parts = Index.parse(shelf.blob(index_path).read_bytes()).parts
    except (OSError, ContentError):
        return [index_path]
    return [index_path, *(part.path for part in parts)]
