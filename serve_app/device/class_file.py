"""One file for a class: the licences of all devices of a package under one index, fetched with a token of the tenant.

Who has left gets no licence: neither an ended enrolment nor a device that was taken out, nor what the revocation list names.
Parts come over the edge, in as many requests as it takes. All that a device would check without its keys is checked before
the file is written, since where it is opened there is no network to fetch it again. After: `importing.py` on each device.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from content.bundles.container_write import Course
from content.bundles.index import MAX_BYTES as MAX_INDEX_BYTES
from content.bundles.index import Index
from content.bundles.licence import MAX_BYTES, TYPE, Licence
from content.bundles.lists import AcceptedLists, accept_lists
from content.bundles.part import check_part
from content.bundles.state import ReaderState
from content.canonical import digest
from content.errors import ContentError
from content.signatures import verify_signature
from serve_app.client import BundleOffer, BundleRow, Client
from serve_app.device.download import Watch, fetch
from serve_app.device.exporting import Exported
from serve_app.device.stick import carried, require_room, write_file


@dataclass(frozen=True)
class Wanted:
    """Which bundles of a package: of a version (the newest published one, if None), and of whom."""

    package_id: str
    version: int | None = None
    profile: str | None = None
    enrollment_id: str | None = None
    learner_id: str | None = None
    device_id: str | None = None


def choose(api: Client, wanted: Wanted) -> list[BundleOffer]:
    """One bundle for each device that may have it, all of one index.

    Raises ContentError `version-withdrawn`, `bundle-missing`, `bundle-ambiguous`, or what the API answers.
    """
    version = wanted.version or api.package(wanted.package_id)["version"]
    if version is None:
        message = f"No version of {wanted.package_id} is published."
        raise ContentError("bundle-missing", message, "`content-service packages versions` shows how far it is.")
    if api.version(wanted.package_id, version)["state"] == "withdrawn":
        message = f"Version {version} of {wanted.package_id} was withdrawn."
        raise ContentError("version-withdrawn", message, "Choose another one with --version.")
    rows = [
        row
        for row in api.bundles(
            state="ready",
            package_id=wanted.package_id,
            enrollment_id=wanted.enrollment_id,
            learner_id=wanted.learner_id,
            device_id=wanted.device_id,
        )
        if row["version"] == version and wanted.profile in (None, row["profile"])
    ]
    rows = _still_there(api, rows)
    if not rows:
        message = f"There is no ready bundle of version {version} of {wanted.package_id} for such devices."
        raise ContentError("bundle-missing", message, "`content-service bundles list` shows which there are.")
    _require_one_index(rows)
    return _newest_of_each_device([api.bundle(row["bundle_id"]) for row in rows])


def gather(
    api: Client,
    edge: httpx.Client,
    tenant: str,
    offers: Sequence[BundleOffer],
    out: Path,
    folder: Path,
    now: datetime,
    watch: Watch,
) -> Exported:
    """Fetch the parts into `folder` and write the file. `offers` are of one index (`choose`).

    Raises ContentError: the code of the check that failed, and those of `fetch` and `write_file`.
    """
    lists = api.trust_lists(tenant)
    signed = lists["revocations"]
    accepted = accept_lists(
        ReaderState(), lists["chain"], signed["document"].encode(), signed["signature"], tenant=tenant, now=now
    )
    licences = [_verified(offer, accepted, tenant) for offer in offers]
    kept = [
        (offer, licence) for offer, licence in zip(offers, licences, strict=True) if not _revoked(licence, accepted)
    ]
    if not kept:
        raise ContentError("bundle-revoked", "Every such bundle is revoked.", "Enrol the learners again.")
    offer, licence = kept[0]
    places = _Places(api, offer)
    size = offer["index"]["size"] + sum(part["size"] for part in offer["parts"])
    require_room(folder, size, "The download")
    index_file = folder / "index.json"
    if licence.index.size > MAX_INDEX_BYTES:
        raise ContentError("offer-mismatch", "The API offered something else than this bundle.", "Report this.")
    fetch(edge, places, licence.index.path, licence.index.size, index_file, watch)
    index_bytes = index_file.read_bytes()
    if digest(index_bytes) != licence.index.digest:
        raise ContentError("index-digest", "The index is not the one that the licences name.", "Export again.")
    index = Index.parse(index_bytes)
    parts = [folder / f"{number}.part" for number in range(len(index.parts))]
    for number, part in enumerate(index.parts):
        fetch(edge, places, part.path, part.size, parts[number], watch)
        _check(index, number, parts[number])
    watch.begin("writing", 2 * sum(part.size for part in index.parts), 0)
    course = Course([(offer["licence"].encode(), offer["signature"]) for offer, _ in kept], index_bytes)
    written = write_file(out, carried(lists), course, parts, lambda count: watch.advance("writing", count))
    return Exported(
        str(out), written, accepted.trust.version, accepted.revocations.version,
        None if len(kept) > 1 else licence.bundle_id, licence.package_id, licence.version, len(kept), len(parts),
    )  # fmt: skip


def _still_there(api: Client, rows: list[BundleRow]) -> list[BundleRow]:
    """Those whose enrolment has not ended and whose device was not taken out."""
    enrolled = _each({row.get("enrollment_id", "") for row in rows}, lambda each: api.enrolment(each)["state"])
    active = _each({row["device_id"] for row in rows}, lambda each: api.device(each)["state"])
    return [row for row in rows if row.get("enrollment_id", "") in enrolled and row["device_id"] in active]


def _each(ids: set[str], state: Callable[[str], str]) -> set[str]:
    return {each for each in sorted(ids) if state(each) == "active"}


def _require_one_index(rows: Sequence[BundleRow]) -> None:
    if len({row.get("index_digest") for row in rows}) == 1:
        return
    if any(row.get("policy") == "device" for row in rows):
        raise ContentError(
            "bundle-ambiguous",
            f"These {len(rows)} bundles are encrypted for one device each (policy device), so they cannot share a file.",
            "Choose one with --device, or have the next version shared: content-service packages set … --policy shared.",
        )
    profiles = ", ".join(sorted({row["profile"] for row in rows}))
    raise ContentError(
        "bundle-ambiguous", f"There are bundles of several profiles ({profiles}).", "Choose one with --profile."
    )


def _newest_of_each_device(offers: Sequence[BundleOffer]) -> list[BundleOffer]:
    """A device that has the version through two enrolments gets the licence that it would take."""
    found: dict[str, tuple[tuple[tuple[int, ...], int], BundleOffer]] = {}
    for offer in offers:
        licence = Licence.parse(offer["licence"].encode())
        order = licence.sequence, licence.issue
        if licence.device.id not in found or order > found[licence.device.id][0]:
            found[licence.device.id] = order, offer
    return [offer for _, offer in found.values()]


def _verified(offer: BundleOffer, lists: AcceptedLists, tenant: str) -> Licence:
    document = offer["licence"].encode()
    verify_signature(document, offer["signature"], lists.keys, expected_type=TYPE, iss=tenant, limit=MAX_BYTES)
    return Licence.parse(document)


def _revoked(licence: Licence, lists: AcceptedLists) -> bool:
    revoked = lists.revocations
    return (
        licence.bundle_id in revoked.bundles
        or licence.device.id in revoked.devices
        or licence.package_id in revoked.packages
        or f"{licence.package_id}/{licence.version}" in revoked.versions
    )


def _check(index: Index, number: int, path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        check_part(index, number, lambda offset, length: os.pread(handle, length, offset))
    finally:
        os.close(handle)


class _Places:
    """The signed URLs of one bundle (`download.Urls`); all bundles of an index have the same files."""

    def __init__(self, api: Client, offer: BundleOffer) -> None:
        self._api, self._offer = api, offer

    def of(self, path: str) -> str:
        for place in (self._offer["index"], *self._offer["parts"]):
            if place["path"] == path:
                return place["url"]
        raise ContentError("part-not-offered", f"The API offers no address for {path}.", "Export again.")

    def renew(self) -> None:
        self._offer = self._api.bundle(self._offer["bundle_id"])
