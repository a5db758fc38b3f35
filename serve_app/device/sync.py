"""Going online: fresh lists, then the newest bundle of each package, verified before it takes an older one's place.

The licence and index are checked before a byte of a part is asked for, and every segment before the swap. What cannot
be taken is told and left out; what was there before stays. Killed anywhere, the next sync goes on from there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime

import httpx

from content.bundles.licence import Licence
from content.errors import ContentError
from serve_app.client import BundleOffer, BundleRow, Client
from serve_app.device import evidence, lists, renewal
from serve_app.device.download import Watch
from serve_app.device.folder import DeviceFolder
from serve_app.device.taking import Taken, Taking


@dataclass(frozen=True)
class Refused:
    """A bundle that was not taken, and why."""

    bundle_id: str
    error: ContentError


@dataclass(frozen=True)
class SyncReport:
    """What a sync did. `removed` are bundles whose place a newer one took, `reports` tamper reports that were sent."""

    trust_version: int
    revocations: tuple[int, int]
    taken: tuple[Taken, ...]
    refused: tuple[Refused, ...]
    removed: tuple[str, ...]
    reports: int = 0


def sync(
    folder: DeviceFolder, api: Client, edge: httpx.Client, *, clock: Callable[[], datetime], watch: Watch
) -> SyncReport:
    """Bring the device up to date. Raises ContentError when the lists are refused or the API cannot be reached."""
    accepted = lists.refresh(folder, api, clock())
    reports = evidence.send(folder, api, watch.note)
    taken: list[Taken] = []
    refused: list[Refused] = []
    known = accepted.revocations.version
    for offer in newest(api, f"{known[0]}.{known[1]}"):
        try:
            longer = renewal.renewed(api, offer, clock(), watch)
            taken.append(Taking(folder, api, edge, longer, clock, watch).take())
        except ContentError as error:
            if error.code == "api-unreachable":
                raise
            refused.append(Refused(offer["bundle_id"], error))
    # What is half there of a refused bundle stays, so that the next sync can go on from it.
    removed = folder.shelf.tidy() if not refused else []
    version = folder.state.revocations  # a list may have come along with a bundle
    return SyncReport(accepted.trust.version, version, tuple(taken), tuple(refused), tuple(removed), reports)


def newest(api: Client, lists_since: str | None = None) -> Iterator[BundleOffer]:
    """The offer with the highest sequence of each package among the device's ready bundles; with lists, if there are newer
    ones than `lists_since` by now (a licence may ask for them)."""
    by_package: dict[str, list[BundleRow]] = {}
    for row in api.bundles(state="ready"):
        by_package.setdefault(row["package_id"], []).append(row)
    for rows in by_package.values():
        highest = max(row["version"] for row in rows)
        offers: list[BundleOffer] = []
        for row in rows:
            if row["version"] == highest:
                with _unless_superseded():
                    offers.append(api.bundle(row["bundle_id"], lists_since))
        if offers:
            yield max(offers, key=order_of)


@contextlib.contextmanager
def _unless_superseded() -> Generator[None]:
    try:
        yield
    except ContentError as error:
        # What is being brought back from cold storage comes with a later sync.
        if error.code not in ("bundle-superseded", "not-found", "being-restored"):
            raise


def order_of(offer: BundleOffer) -> tuple[object, int]:
    """What orders a device's bundles of a package."""
    licence = Licence.parse(offer["licence"].encode())
    return licence.sequence, licence.issue
