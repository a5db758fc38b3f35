"""The same files as a canonical zip: what leaves the sandbox. Contents are checked on the way.

Before: an Archive. After: `canonical_read`, on the side that trusts nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from content.scorm.archive.archive import Archive
from content.scorm.archive.canonical_layout import CanonicalFile, central_header, end_records, local_header
from content.scorm.archive.inflate import pieces
from content.scorm.findings import Findings, PackageRefused


def write_canonical(
    archive: Archive, out: BinaryIO, *, on_share: Callable[[float], None] | None = None
) -> tuple[CanonicalFile, ...]:
    """The files, in the order in which they were written. `out` need not be seekable. `on_share`: told the share of bytes that
    is done, at most about a hundred times, 1 at the end. Raises PackageRefused with all files that are damaged (`zip-data`,
    `zip-size-lie`, `zip-checksum`); what was written until then is of no use."""
    found = Findings()
    progress = _Progress(archive.unpacked_bytes, on_share)
    files: list[CanonicalFile] = []
    headers: list[bytes] = []
    at = 0
    for name, entry in sorted((path.encode(), entry) for path, entry in archive.entries.items()):
        local = local_header(name, entry.crc32, entry.size_bytes)
        headers.append(central_header(name, entry.crc32, entry.size_bytes, at))
        files.append(CanonicalFile(entry.path, at + len(local), entry.size_bytes, entry.crc32))
        at += len(local) + entry.size_bytes
        try:
            before = local
            for piece in pieces(archive.file, entry):
                if not found.errors:  # else only the other faults are still of interest
                    out.write(before + piece if before else piece)
                before = b""
                progress.add(len(piece))
            if before and not found.errors:
                out.write(before)
        except PackageRefused as refusal:
            for each in refusal.errors:
                found.error(each.code, each.place, each.message)
    found.require()
    central = b"".join(headers)
    out.write(central + end_records(len(files), len(central), at))
    progress.end()
    return tuple(files)


class _Progress:
    def __init__(self, total: int, on_share: Callable[[float], None] | None) -> None:
        self._total = max(1, total)
        self._step = max(1, self._total // 100)
        self._done = 0
        self._due = self._step
        self._on_share = on_share

    def add(self, size: int) -> None:
        self._done += size
        if self._on_share and self._done >= self._due:
            self._on_share(self._done / (self._total + 1))  # not 1 yet: the directory is still to come
            self._due = self._done + self._step

    def end(self) -> None:
        if self._on_share:
            self._on_share(1.0)
