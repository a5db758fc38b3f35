"""An opened archive: its files by path, their bytes, and lookups for what a manifest says.

Before: `opening`. After: `content.scorm.course` reads the manifest through it, `canonical_write` copies everything out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO

from content.scorm.archive.entry import Entry, Found
from content.scorm.archive.inflate import pieces, refused
from content.scorm.archive.lookup import Lookup
from content.scorm.archive.words import too_large
from content.scorm.findings import Findings, PackageRefused


class Archive:
    """Not for use by several threads at once: it has one file.

    `entries`: by path, in the zip's order; folders and what systems leave behind (`__MACOSX`, `.DS_Store` …) are not among
    them. `root`: the folder that everything lay in, with its slash, or empty. `unpacked_bytes`: of all entries.
    """

    def __init__(self, file: BinaryIO, entries: Mapping[str, Entry], root: str, zip_bytes: int) -> None:
        self.entries: Mapping[str, Entry] = MappingProxyType(entries)
        self.root = root
        self.zip_bytes = zip_bytes
        self.unpacked_bytes = sum(entry.size_bytes for entry in entries.values())
        self.file = file
        self._lookup: Lookup | None = None

    def stream(self, path: str) -> Iterator[bytes]:
        """The bytes of a file in pieces of at most 1 MiB; to be trusted once the iterator has ended. Raises PackageRefused
        (`zip-data`, `zip-size-lie`, `zip-checksum`), KeyError for a path that is not there."""
        return pieces(self.file, self.entries[path])

    def read(self, path: str, most: int) -> bytes:
        """All bytes of a file. Raises PackageRefused as `stream`, and `zip-file-size` for more than `most` bytes."""
        entry = self.entries[path]
        if entry.size_bytes > most:
            message = (
                f"“{path}” has {too_large(entry.size_bytes, most)} for a document that says what is in a course. Take out what "
                "else was written into it (pictures, texts), or split the course into several packages."
            )
            raise refused("zip-file-size", path, message)
        return b"".join(self.stream(path))

    def find(self, href: str) -> Found | None:
        """The file that a reference (without query and fragment) means, read tolerantly; None if there is none."""
        if href in self.entries:
            return Found(href, "exact")
        if self._lookup is None:
            self._lookup = Lookup(self.entries, self.root)
        return self._lookup.find(href)


def verify(archive: Archive, found: Findings) -> None:
    """Unpacks everything once, into nothing; what is wrong is added to `found`, all of it. Raises PackageRefused if there is
    an error."""
    for entry in sorted(archive.entries.values(), key=lambda entry: entry.start):
        try:
            for _ in pieces(archive.file, entry):
                pass
        except PackageRefused as refusal:
            for each in refusal.errors:
                found.error(each.code, each.place, each.message)
    found.require()
