"""Taking one bundle: licence and index first, then the parts, then every segment checked, then the swap.

Before: `sync.py` chose the offer. After: the bundle is on the shelf and the state knows it, or nothing has changed but
the bytes that came, which the next sync goes on from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from content.bundles.errors import BundleRefused
from content.bundles.index import MAX_BYTES as MAX_INDEX_BYTES
from content.bundles.licence import Licence
from content.bundles.open import OpenBundle, ReadRange
from content.errors import ContentError
from serve_app.client import BundleOffer, Client
from serve_app.device import evidence, lists
from serve_app.device.download import Watch, fetch
from serve_app.device.folder import DeviceFolder
from serve_app.device.offered import OfferedUrls
from serve_app.device.reading import check, open_checked


@dataclass(frozen=True)
class Taken:
    """A bundle that is on the device now. `fetched` bytes of `size` came over the network in this sync."""

    bundle_id: str
    package_id: str
    version: int
    new: bool
    fetched: int
    size: int


class Taking:
    """One bundle on its way to the device."""

    def __init__(
        self,
        folder: DeviceFolder,
        api: Client,
        edge: httpx.Client,
        offer: BundleOffer,
        clock: Callable[[], datetime],
        watch: Watch,
    ) -> None:
        self._folder, self._api, self._edge, self._offer = folder, api, edge, offer
        self._clock, self._watch = clock, watch
        self._urls = OfferedUrls(api, offer, "Sync again.")
        self._shelf = folder.shelf

    def take(self) -> Taken:
        licence_bytes = self._offer["licence"].encode()
        licence = Licence.parse(licence_bytes)
        if licence.bundle_id != self._offer["bundle_id"] or licence.index.size > MAX_INDEX_BYTES:
            raise ContentError("offer-mismatch", "The API offered something else than this bundle.", "Report this.")
        known = self._is_here(licence_bytes, licence.bundle_id)
        same_payload = self._was_verified(licence)
        lists.take(self._folder, self._offer.get("lists"), self._clock())
        fetched = self._get(licence.index.path, licence.index.size)
        index = self._shelf.blob(licence.index.path).read_bytes()
        with self._shelf.reader() as read:
            bundle = self._open(licence, licence_bytes, index, read)
            for part in bundle.index.parts:
                fetched += self._get(part.path, part.size)
            if fetched or not (known or same_payload):
                # A part that was damaged on the way is dropped, so that the next sync fetches it again.
                check(
                    self._folder,
                    bundle,
                    self._clock(),
                    damaged=lambda file: self._drop(bundle.index.parts[file.part].path),
                )
        if not known:
            self._shelf.install(licence_bytes, self._offer["signature"])
        self._folder.save_state(bundle.state)
        if not known:
            self._tell(licence.bundle_id)
        size = licence.index.size + sum(part.size for part in bundle.index.parts)
        return Taken(licence.bundle_id, licence.package_id, licence.version, not known, fetched, size)

    def _is_here(self, licence_bytes: bytes, bundle_id: str) -> bool:
        with contextlib.suppress(ContentError):
            return self._shelf.load(bundle_id).licence_bytes == licence_bytes
        return False

    def _was_verified(self, licence: Licence) -> bool:
        """Whether the same index is installed: a licence that was renewed or signed again opens what is here already."""
        with contextlib.suppress(ContentError):
            return self._shelf.load(licence.bundle_id).licence.index == licence.index
        return False

    def _tell(self, bundle_id: str) -> None:
        """The service hears that the licence is in use; that it cannot hear it now stops nobody from learning."""
        try:
            self._api.register_licence(bundle_id)
        except ContentError as error:
            self._watch.note(f"{bundle_id}: not registered ({error.code})")

    def _open(self, licence: Licence, licence_bytes: bytes, index: bytes, read: ReadRange) -> OpenBundle:
        try:
            return open_checked(self._folder, licence_bytes, self._offer["signature"], index, read, self._clock())
        except BundleRefused as error:
            if error.code == "index-digest":
                evidence.note(self._folder, licence, error.code, self._clock())
                self._drop(licence.index.path)
            raise

    def _get(self, path: str, size: int) -> int:
        return fetch(self._edge, self._urls, path, size, self._shelf.blob(path), self._watch)

    def _drop(self, path: str) -> None:
        self._shelf.blob(path).unlink(missing_ok=True)
