"""One file for a class: the licences of all devices of a package under one index, fetched with a token of the tenant.

What the revocation list names is left out. Parts come over the edge, in as many requests as it takes. All that a device
would check without its keys is checked before the file is written, since where it is opened there is no network to fetch it
again. Before: `class_choice.py`. After: `importing.py` on each device.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import httpx

from content.bundles.container_write import Course
from content.bundles.errors import BundleRefused
from content.bundles.index import MAX_BYTES as MAX_INDEX_BYTES
from content.bundles.index import Index
from content.bundles.licence import MAX_BYTES, TYPE, Licence
from content.bundles.lists import AcceptedLists, accept_lists
from content.bundles.open import require_not_taken_back
from content.bundles.part import check_part
from content.bundles.state import ReaderState
from content.canonical import digest
from content.errors import ContentError
from content.signatures import verify_signature
from serve_app.client import BundleOffer, Client
from serve_app.device.download import Watch, fetch
from serve_app.device.exporting import Exported
from serve_app.device.offered import OfferedUrls
from serve_app.device.stick import carried, require_room, write_file


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
    places = OfferedUrls(api, offer, "Export again.")
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


def _verified(offer: BundleOffer, lists: AcceptedLists, tenant: str) -> Licence:
    document = offer["licence"].encode()
    verify_signature(document, offer["signature"], lists.keys, expected_type=TYPE, iss=tenant, limit=MAX_BYTES)
    return Licence.parse(document)


def _revoked(licence: Licence, lists: AcceptedLists) -> bool:
    try:
        require_not_taken_back(licence, lists.revocations)
    except BundleRefused:
        return True
    return False


def _check(index: Index, number: int, path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        check_part(index, number, lambda offset, length: os.pread(handle, length, offset))
    finally:
        os.close(handle)
