"""Taking in a single file, without a network: lists first, then what is missing of the course, verified, then the swap.

What the lists lead to is kept even if the course is refused. A part that is here, sound, is not copied; the others are
renamed into their place (`staging.py`) only after every segment was read back. Killed anywhere, the device is as before, or
has the new course. Before: `exporting.py`, or a class file (`class_file.py`). After: as after a sync.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from content.bundles.container import Container
from content.bundles.container_layout import INDEX
from content.bundles.container_open import CarriedLicence, licence_of, lists_of, part_reader
from content.bundles.index import IndexFile
from content.bundles.open import OpenBundle
from content.errors import ContentError
from serve_app.client import SignedDocument, TrustLists
from serve_app.device.download import Watch
from serve_app.device.files import write_atomically
from serve_app.device.folder import DeviceFolder
from serve_app.device.reading import open_checked, verify
from serve_app.device.staging import Staging
from serve_app.device.stick import opened_file, require_room, storing

OLDER: Final = {"trust-rollback", "revocations-rollback"}


@dataclass(frozen=True)
class Taken:
    """A course that is on the device now. `copied` bytes of `size` came out of the file."""

    bundle_id: str
    package_id: str
    version: int
    new: bool
    copied: int
    size: int


@dataclass(frozen=True)
class Imported:
    """What an import did. `newer_lists`: the file's lists were newer than the device's. `removed`: older bundles."""

    trust_version: int
    revocations: tuple[int, int]
    newer_lists: bool
    taken: Taken | None
    removed: tuple[str, ...] = ()


def import_file(folder: DeviceFolder, path: Path, now: datetime, watch: Watch) -> Imported:
    """Take a file in. Raises ContentError: `file-unreadable`, `container-…`, `disk-full`, or the code of the check that
    failed; what was on the device before stays playable, and newer lists are kept all the same."""
    with opened_file(path) as container:
        before = folder.state
        _accept_lists(folder, container, now)
        state = folder.state
        found = Imported(state.trust.version if state.trust else 0, state.revocations, state != before, None)
        if container.lists_only:
            return found
        taken = _Importing(folder, container, now, watch).take()
    return replace(found, taken=taken, removed=tuple(folder.shelf.tidy()))


def _accept_lists(folder: DeviceFolder, container: Container, now: datetime) -> None:
    """Of chain and revocation list the newer one each, of the file and of this device: a stick may be older than what the
    device has fetched since."""
    carried = lists_of(container)
    # Bytes that are no text cannot be what was signed: replaced, they are refused where they would be.
    document = carried.revocations.decode("utf-8", errors="replace")
    theirs = TrustLists(
        chain=carried.chain, revocations=SignedDocument(document=document, signature=carried.revocations_signature)
    )
    try:
        folder.accept(theirs, now)
        return
    except ContentError as error:
        if error.code not in OLDER:
            raise
        older = error
    ours = folder.lists
    for lists in (
        TrustLists(chain=theirs["chain"], revocations=ours["revocations"]),
        TrustLists(chain=ours["chain"], revocations=theirs["revocations"]),
        ours,
    ):
        with suppress(ContentError):
            folder.accept(lists, now)
            return
    raise older  # lists that are older than what this device has seen, and its own are lost


class _Importing:
    """One course on its way from a file to the device."""

    def __init__(self, folder: DeviceFolder, container: Container, now: datetime, watch: Watch) -> None:
        self._folder, self._container, self._now, self._watch = folder, container, now, watch
        self._shelf = folder.shelf

    def take(self) -> Taken:
        carried = licence_of(self._container, self._folder.identity.id)
        index_bytes = self._container.contents(INDEX)
        read, bind = part_reader(self._container)
        checked = open_checked(self._folder, carried.licence, carried.signature, index_bytes, read, self._now)
        bind(checked.index)
        bundle_id, index = checked.licence.bundle_id, checked.index
        known = self._is_here(carried, bundle_id)
        staging = Staging(self._shelf, self._watch)
        with staging.open():
            missing = [number for number in range(len(index.parts)) if not staging.is_sound(index, number)]
            copied = sum(index.parts[number].size for number in missing)
            if missing:
                require_room(self._folder.path, copied + len(index_bytes), "The course")
            for number in missing:
                staging.copy(self._container, number, index.parts[number])
            if missing or not known:
                self._verify(carried, index_bytes, staging)
            staging.put_in_place()
            self._keep_index(checked, index_bytes)
        if not known:
            self._shelf.install(carried.licence, carried.signature)
        self._folder.save_state(checked.state)
        licence = checked.licence
        size = len(index_bytes) + sum(part.size for part in index.parts)
        return Taken(bundle_id, licence.package_id, licence.version, not known, copied, size)

    def _is_here(self, carried: CarriedLicence, bundle_id: str) -> bool:
        with suppress(ContentError):
            return self._shelf.load(bundle_id).licence_bytes == carried.licence
        return False

    def _verify(self, carried: CarriedLicence, index: bytes, staging: Staging) -> None:
        """Every segment of every file, read back from where it will be used."""
        with self._shelf.reader() as read:
            bundle = open_checked(
                self._folder, carried.licence, carried.signature, index, staging.reading(read), self._now
            )
            self._watch.begin("verifying", sum(file.size for file in bundle.index.files), 0)

            def count(file: IndexFile) -> None:
                self._watch.advance("verifying", file.size)

            verify(bundle, count)

    def _keep_index(self, bundle: OpenBundle, index: bytes) -> None:
        place = self._shelf.blob(bundle.licence.index.path)
        if not place.is_file() or place.read_bytes() != index:
            with storing(place):
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_atomically(place, index)
