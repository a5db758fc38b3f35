"""Opening and verifying what is on the device. Never uses the network.

The lists are accepted first and the state that follows is kept even if the bundle is refused afterwards; else its
holder could show the old lists again (content/bundles/lists.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from content.bundles.errors import BundleRefused
from content.bundles.index import IndexFile
from content.bundles.open import OpenBundle, ReadRange, open_bundle
from content.bundles.stream import segment_count
from serve_app.device import evidence
from serve_app.device.folder import DeviceFolder
from serve_app.device.installed import Installed

CHECKS = (
    "trust lists and revocation list",
    "signature and proof of the licence",
    "tenant, device, times, sequence, revocations",
    "content keys",
    "digest of the index",
    "hash and encryption of each segment",
    "manifest",
)

_POOL = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="opening")
"""Its threads begin with the first segment that is opened."""


@dataclass(frozen=True)
class Verified:
    """What was read to the last byte: files, segments, bytes of plaintext."""

    bundle_id: str
    package_id: str
    version: int
    files: int
    segments: int
    bytes: int


def open_checked(
    folder: DeviceFolder, licence: bytes, signature: dict[str, Any], index: bytes, read: ReadRange, now: datetime
) -> OpenBundle:
    """A bundle that passed every check; its `state` is the caller's to keep, the lists' own is kept here.

    Raises ContentError subclasses, each with the code of the check that failed.
    """
    lists = folder.lists
    accepted = folder.accept(lists, now)
    return open_bundle(
        licence=licence,
        signature=signature,
        index=index,
        chain=lists["chain"],
        revocations=lists["revocations"]["document"].encode(),
        revocations_signature=lists["revocations"]["signature"],
        device=folder.identity,
        state=accepted.state,
        now=now,
        read_range=read,
        pinned_root=folder.pinned_root,
        pool=_POOL,
    )


@contextmanager
def open_offline(folder: DeviceFolder, installed: Installed, now: datetime) -> Generator[OpenBundle]:
    """An installed bundle, open for as long as the context lasts."""
    index = folder.shelf.index(installed)
    with folder.shelf.reader() as read:
        bundle = open_checked(folder, installed.licence_bytes, installed.signature, index, read, now)
        folder.save_state(bundle.state)
        yield bundle


def check(
    folder: DeviceFolder,
    bundle: OpenBundle,
    now: datetime,
    tell: Callable[[IndexFile], None] = lambda _: None,
    damaged: Callable[[IndexFile], None] = lambda _: None,
) -> Verified:
    """As `verify`; what is found changed is written down, to be reported when the device is online, and `damaged` is told of
    the file."""
    whole = 0

    def count(file: IndexFile) -> None:
        nonlocal whole
        whole += 1
        tell(file)

    try:
        return verify(bundle, count)
    except BundleRefused as error:
        if error.code in evidence.DAMAGED and whole < len(bundle.index.files):
            file = bundle.index.files[whole]
            with folder.shelf.reader() as read:
                found = evidence.find(bundle.index, file, read)
            evidence.note(folder, bundle.licence, error.code, now, found)
            damaged(file)
        raise


def verify(bundle: OpenBundle, tell: Callable[[IndexFile], None] = lambda _: None) -> Verified:
    """Read every segment of every file and the manifest. Raises as `open_checked`."""
    files = segments = size = 0
    for file in bundle.verify():
        files, segments, size = files + 1, segments + segment_count(file.size), size + file.size
        tell(file)
    bundle.manifest()
    licence = bundle.licence
    return Verified(licence.bundle_id, licence.package_id, licence.version, files, segments, size)
