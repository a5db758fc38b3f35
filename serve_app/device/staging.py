"""Parts on their way from a file to a device: copied beside their place, and renamed into it when they were verified.

A copy lies under the part's path with `.import` behind it, which no bundle names; what was left of an import that was killed is
removed by the next one, or by a sync. Before: `importing.py` knows which parts are missing. After: they are the device's.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from content.bundles.container import Container
from content.bundles.errors import BundleRefused
from content.bundles.index import Index, IndexPart
from content.bundles.open import ReadRange
from content.bundles.part import check_part
from serve_app.device.download import Watch
from serve_app.device.files import sync_folder
from serve_app.device.installed import Shelf
from serve_app.device.stick import BLOCK_BYTES, storing

STAGED: Final = ".import"


class Staging:
    """What is copied during one import; gone at the end of `open`, but for what was put in place."""

    def __init__(self, shelf: Shelf, watch: Watch) -> None:
        self._shelf, self._watch = shelf, watch
        self._paths: set[str] = set()

    @contextmanager
    def open(self) -> Generator[None]:
        self._clean()
        try:
            yield
        finally:
            self._clean()

    def is_sound(self, index: Index, number: int) -> bool:
        """Whether the device has the part already, every segment as it should be."""
        part = index.parts[number]
        blob = self._shelf.blob(part.path)
        if not blob.is_file() or blob.stat().st_size != part.size:
            return False
        self._watch.begin("checking", part.size, 0)

        def read_range(offset: int, length: int) -> bytes | memoryview:
            self._watch.advance("checking", length)
            return read(part.path, offset, length)

        with self._shelf.reader() as read:
            try:
                check_part(index, number, read_range)
            except BundleRefused:
                return False
        return True

    def copy(self, container: Container, number: int, part: IndexPart) -> None:
        """Raises ContentError `file-unreadable` or `disk-full`."""
        self._paths.add(part.path)
        target = self._shelf.blob(part.path + STAGED)
        self._watch.begin(part.path, part.size, 0)
        with storing(target):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with target.open("wb") as file:
                for offset in range(0, part.size, BLOCK_BYTES):
                    block = container.read_part(number, offset, BLOCK_BYTES)
                    file.write(block)
                    self._watch.advance(part.path, len(block))
                file.flush()
                os.fsync(file.fileno())

    def reading(self, read: ReadRange) -> ReadRange:
        """The same, but out of the copies where there are any."""
        return lambda path, offset, length: read(path + STAGED if path in self._paths else path, offset, length)

    def put_in_place(self) -> None:
        for path in sorted(self._paths):
            blob = self._shelf.blob(path)
            self._shelf.blob(path + STAGED).replace(blob)
            blob.with_name(f"{blob.name}.partial").unlink(missing_ok=True)  # begun by a sync, and whole now
            sync_folder(blob.parent)

    def _clean(self) -> None:
        for stale in self._shelf.blobs.rglob(f"*{STAGED}"):
            stale.unlink()
