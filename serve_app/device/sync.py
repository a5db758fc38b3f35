"""Going online: fresh lists, then the newest bundle of each package, verified before it takes an older one's place.

The licence and index are checked before a byte of a part is asked for, and every segment before the swap. What cannot
be taken is told and left out; what was there before stays. Killed anywhere, the next sync goes on from there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from content.bundles.errors import BundleRefused
from content.bundles.index import MAX_BYTES as MAX_INDEX_BYTES
from content.bundles.index import IndexFile
from content.bundles.licence import Licence
from content.bundles.lists import AcceptedLists
from content.bundles.open import OpenBundle, ReadRange
from content.errors import ContentError
from serve_app.client import BundleOffer, BundleRow, Client
from serve_app.device.download import Watch, fetch
from serve_app.device.folder import DeviceFolder
from serve_app.device.reading import open_checked, verify

DAMAGED = {"segment-size", "segment-digest", "segment-tag", "stream-header", "plaintext-digest"}


@dataclass(frozen=True)
class Taken:
    """A bundle that is on the device now. `fetched` bytes of `size` came over the network in this sync."""

    bundle_id: str
    package_id: str
    version: int
    new: bool
    fetched: int
    size: int


@dataclass(frozen=True)
class Refused:
    """A bundle that was not taken, and why."""

    bundle_id: str
    error: ContentError


@dataclass(frozen=True)
class SyncReport:
    """What a sync did. `removed` are bundles whose place a newer one took."""

    trust_version: int
    revocations: tuple[int, int]
    taken: tuple[Taken, ...]
    refused: tuple[Refused, ...]
    removed: tuple[str, ...]


def sync(
    folder: DeviceFolder, api: Client, edge: httpx.Client, *, clock: Callable[[], datetime], watch: Watch
) -> SyncReport:
    """Bring the device up to date. Raises ContentError when the lists are refused or the API cannot be reached."""
    accepted = refresh_lists(folder, api, clock())
    taken: list[Taken] = []
    refused: list[Refused] = []
    for offer in newest(api):
        try:
            taken.append(_Bundle(folder, api, edge, offer, clock, watch).take())
        except ContentError as error:
            if error.code == "api-unreachable":
                raise
            refused.append(Refused(offer["bundle_id"], error))
    # What is half there of a refused bundle stays, so that the next sync can go on from it.
    removed = folder.shelf.tidy() if not refused else []
    return SyncReport(
        accepted.trust.version, accepted.revocations.version, tuple(taken), tuple(refused), tuple(removed)
    )


def refresh_lists(folder: DeviceFolder, api: Client, now: datetime) -> AcceptedLists:
    """Fetch what is newer than the lists here (the last one again, to see a fork) and accept it."""
    known: list[dict[str, Any]] = []
    state = folder.state
    if state.trust is not None:
        with contextlib.suppress(ContentError):
            known = folder.lists["chain"]
    since = max(0, state.trust.version - 1) if state.trust is not None and known else 0
    fresh = api.trust_lists(folder.identity.tenant, since)
    if since:
        fresh["chain"] = [*known[:-1], *fresh["chain"]]
    return folder.accept(fresh, now)


def newest(api: Client) -> Iterator[BundleOffer]:
    """The offer with the highest sequence of each package among the device's ready bundles."""
    by_package: dict[str, list[BundleRow]] = {}
    for row in api.bundles(state="ready"):
        by_package.setdefault(row["package_id"], []).append(row)
    for rows in by_package.values():
        highest = max(row["version"] for row in rows)
        offers: list[BundleOffer] = []
        for row in rows:
            if row["version"] == highest:
                with _unless_superseded():
                    offers.append(api.bundle(row["bundle_id"]))
        if offers:
            yield max(offers, key=_order)


@contextlib.contextmanager
def _unless_superseded() -> Generator[None]:
    try:
        yield
    except ContentError as error:
        if error.code not in ("bundle-superseded", "not-found"):
            raise


def _order(offer: BundleOffer) -> tuple[object, int]:
    licence = Licence.parse(offer["licence"].encode())
    return licence.sequence, licence.issue


class _Bundle:
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
        self._shelf = folder.shelf

    def take(self) -> Taken:
        licence_bytes = self._offer["licence"].encode()
        licence = Licence.parse(licence_bytes)
        if licence.bundle_id != self._offer["bundle_id"] or licence.index.size > MAX_INDEX_BYTES:
            raise ContentError("offer-mismatch", "The API offered something else than this bundle.", "Report this.")
        known = self._is_here(licence_bytes, licence.bundle_id)
        fetched = self._get(licence.index.path, licence.index.size)
        index = self._shelf.blob(licence.index.path).read_bytes()
        with self._shelf.reader() as read:
            bundle = self._open(licence, licence_bytes, index, read)
            for part in bundle.index.parts:
                fetched += self._get(part.path, part.size)
            if fetched or not known:
                self._verify(bundle)
        if not known:
            self._shelf.install(licence_bytes, self._offer["signature"])
        self._folder.save_state(bundle.state)
        size = licence.index.size + sum(part.size for part in bundle.index.parts)
        return Taken(licence.bundle_id, licence.package_id, licence.version, not known, fetched, size)

    def _is_here(self, licence_bytes: bytes, bundle_id: str) -> bool:
        with contextlib.suppress(ContentError):
            return self._shelf.load(bundle_id).licence_bytes == licence_bytes
        return False

    def _open(self, licence: Licence, licence_bytes: bytes, index: bytes, read: ReadRange) -> OpenBundle:
        try:
            return open_checked(self._folder, licence_bytes, self._offer["signature"], index, read, self._clock())
        except BundleRefused as error:
            if error.code == "index-digest":
                self._drop(licence.index.path)
            raise

    def _verify(self, bundle: OpenBundle) -> None:
        """Every segment; a part that was damaged on the way is dropped, so that the next sync fetches it again."""
        whole = 0

        def count(_: IndexFile) -> None:
            nonlocal whole
            whole += 1

        try:
            verify(bundle, count)
        except BundleRefused as error:
            if error.code in DAMAGED and whole < len(bundle.index.files):
                self._drop(bundle.index.parts[bundle.index.files[whole].part].path)
            raise

    def _get(self, path: str, size: int) -> int:
        return fetch(self._edge, self, path, size, self._shelf.blob(path), self._watch)

    def of(self, path: str) -> str:
        """The signed URL of a blob (`download.Urls`)."""
        for place in (self._offer["index"], *self._offer["parts"]):
            if place["path"] == path:
                return place["url"]
        raise ContentError("part-not-offered", f"The API offers no address for {path}.", "Sync again.")

    def renew(self) -> None:
        """Fresh URLs of the same bundle (`download.Urls`)."""
        fresh = self._api.bundle(self._offer["bundle_id"])
        self._offer["index"], self._offer["parts"] = fresh["index"], fresh["parts"]

    def _drop(self, path: str) -> None:
        self._shelf.blob(path).unlink(missing_ok=True)
