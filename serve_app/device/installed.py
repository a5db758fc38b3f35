"""The bundles that a device has, and the blobs they are made of.

    bundles/<bundle id>/licence.json, signature.json
    blobs/<path of the index or part>       what is whole
    blobs/<path>.partial                    what is still being downloaded

Blobs lie under the paths that the index gives them, so a new version that names an old part finds it here. A bundle is
put in place by renaming a finished folder; a bundle it replaces is set aside first and brought back if that was cut
short. What no bundle names is removed by `tidy`, and only after the newer version was verified.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from content.bundles.index import Index
from content.bundles.licence import Licence
from content.bundles.open import ReadRange
from content.errors import ContentError
from serve_app.device.files import sync_folder, write_atomically

AGAIN = "Fetch it again: content-service device sync DIR."
FRESH, ASIDE = ".new", ".old"


@dataclass(frozen=True)
class Installed:
    """A bundle in its folder. Nothing of it is believed before `reading.open_offline` has checked it."""

    licence: Licence
    licence_bytes: bytes
    signature: dict[str, Any]

    @property
    def bundle_id(self) -> str:
        return self.licence.bundle_id

    @property
    def order(self) -> tuple[Any, int]:
        return self.licence.sequence, self.licence.issue


class Shelf:
    """`bundles/` and `blobs/` of one device."""

    def __init__(self, device: Path) -> None:
        self.bundles, self.blobs = device / "bundles", device / "blobs"

    def blob(self, path: str) -> Path:
        """Where a blob lies. `path` comes from a licence or index, whose form cannot leave the folder."""
        return self.blobs / path

    def all(self) -> list[Installed]:
        """Every bundle here, newest first. Raises ContentError `device-damaged`, DocumentRefused `licence-…`."""
        if not self.bundles.is_dir():
            return []
        self._bring_back()
        names = sorted(entry.name for entry in self.bundles.iterdir() if not entry.name.startswith("."))
        return sorted((self.load(name) for name in names), key=lambda each: each.order, reverse=True)

    def load(self, bundle_id: str) -> Installed:
        folder = self.bundles / bundle_id
        try:
            licence = (folder / "licence.json").read_bytes()
            return Installed(Licence.parse(licence), licence, json.loads((folder / "signature.json").read_text()))
        except (OSError, ValueError) as error:
            raise ContentError("device-damaged", f"{folder} cannot be read.", AGAIN) from error

    def find(self, wanted: str | None) -> Installed:
        """The bundle of this id, or the newest of this package; the only one there is if nothing is named.

        Raises ContentError `bundle-missing` or `bundle-ambiguous`.
        """
        every = self.all()
        found = [each for each in every if wanted in (None, each.bundle_id, each.licence.package_id)]
        if not found:
            what = "no bundle" if wanted is None else f"no bundle or package {wanted}"
            raise ContentError("bundle-missing", f"This device holds {what}.", AGAIN)
        if len({each.licence.package_id for each in found}) > 1:
            names = ", ".join(each.bundle_id for each in found)
            raise ContentError("bundle-ambiguous", "This device holds several courses.", f"Name one of {names}.")
        return found[0]

    def install(self, licence: bytes, signature: dict[str, Any]) -> None:
        """Put a verified bundle in place, at once; its blobs are here already."""
        bundle_id = Licence.parse(licence).bundle_id
        self.bundles.mkdir(mode=0o700, exist_ok=True)
        fresh, place, aside = (
            self.bundles / name for name in (f"{FRESH}-{bundle_id}", bundle_id, f"{ASIDE}-{bundle_id}")
        )
        for stale in (fresh, aside):
            shutil.rmtree(stale, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        write_atomically(fresh / "licence.json", licence)
        write_atomically(fresh / "signature.json", json.dumps(signature).encode())
        if place.exists():
            place.rename(aside)
        fresh.rename(place)
        sync_folder(self.bundles)
        shutil.rmtree(aside, ignore_errors=True)

    def remove(self, bundle_id: str) -> None:
        """Take a bundle out of its place; `tidy` removes what no other needs."""
        place, aside = self.bundles / bundle_id, self.bundles / f".gone-{bundle_id}"
        shutil.rmtree(aside, ignore_errors=True)
        if place.exists():
            place.rename(aside)
            sync_folder(self.bundles)
            shutil.rmtree(aside)

    def _bring_back(self) -> None:
        for aside in self.bundles.glob(f"{ASIDE}-*"):
            place = self.bundles / aside.name.removeprefix(f"{ASIDE}-")
            if place.exists():
                shutil.rmtree(aside, ignore_errors=True)
            else:
                aside.rename(place)

    def index(self, installed: Installed) -> bytes:
        """The index's bytes, unchecked. Raises ContentError `index-missing`."""
        try:
            return self.blob(installed.licence.index.path).read_bytes()
        except FileNotFoundError as error:
            raise ContentError("index-missing", f"The index of {installed.bundle_id} is not here.", AGAIN) from error

    def blobs_of(self, installed: Installed) -> frozenset[str]:
        """The paths of its index and parts. Raises ContentError for an index that is lost or damaged."""
        parts = Index.parse(self.index(installed)).parts
        return frozenset((installed.licence.index.path, *(part.path for part in parts)))

    @contextlib.contextmanager
    def reader(self) -> Generator[ReadRange]:
        """`read_range(path, offset, length)` over the blobs here, for any thread; a part is opened once."""
        handles: dict[str, int] = {}
        opening = Lock()

        def read_range(path: str, offset: int, length: int) -> bytes:
            with opening:
                if path not in handles:
                    try:
                        handles[path] = os.open(self.blob(path), os.O_RDONLY)
                    except FileNotFoundError as error:
                        raise ContentError("part-missing", f"The part {path} is not here.", AGAIN) from error
                handle = handles[path]
            return os.pread(handle, length, offset)

        try:
            yield read_range
        finally:
            for handle in handles.values():
                os.close(handle)

    def tidy(self) -> list[str]:
        """Remove older bundles of each package, then blobs that no bundle names; returns the bundles removed."""
        newest: dict[str, Installed] = {}
        removed: list[str] = []
        for each in self.all():
            if each.licence.package_id in newest:
                shutil.rmtree(self.bundles / each.bundle_id)
                removed.append(each.bundle_id)
            else:
                newest[each.licence.package_id] = each
        needed: set[str] = set()
        for each in newest.values():
            try:
                needed |= self.blobs_of(each)
            except ContentError:
                return removed  # a damaged index names nothing; the next sync mends it
        for path in sorted(self.blobs.rglob("*"), reverse=True):
            name = path.relative_to(self.blobs).as_posix().removesuffix(".partial")
            if path.is_dir():
                with contextlib.suppress(OSError):  # not empty
                    path.rmdir()
            elif name not in needed:
                path.unlink()
        return removed
