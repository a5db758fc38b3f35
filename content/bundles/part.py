"""Sealing one part for one content key, pushed block by block, so that a bundler reads each asset once for many devices.

A part is encrypted files one after the other and nothing else. The sealer holds no byte of it: the caller passes every
sealed segment on (to a multipart upload) and asks for the index entries at the end. docs/bundle-format.md, "Part".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from content.bundles.errors import BundleRefused
from content.bundles.index import MEDIA_CLASSES, Index, IndexFile, IndexPart, part_digest
from content.bundles.keys import ContentKey, associated_data, file_id, stream_start
from content.bundles.stream import HASH_BYTES, SALT_BYTES, FileSealer, segment_count, segment_range


class PartSealer:
    """`begin` → feed the returned FileSealer → `finish_file`, for each file; then `part_entry` and `file_entries`.

    `number` is the part's place in the index's `parts`.
    """

    def __init__(self, content_key: ContentKey, path: str, *, number: int = 0) -> None:
        self.path = path
        self.size = 0
        self._key, self._number = content_key, number
        self._files: list[IndexFile] = []
        self._ids: set[str] = set()
        self._open: tuple[str, str, FileSealer] | None = None

    def begin(self, plaintext_digest: str, size: int, media_class: str) -> FileSealer:
        """A sealer for the next file of `size` bytes; its salt and nonce prefix follow from key, part and file.

        Raises BundleRefused `file-unfinished`, `file-repeated` or `media-class`.
        """
        if self._open is not None:
            raise BundleRefused("file-unfinished", "The file before is not finished.")
        if media_class not in MEDIA_CLASSES:
            raise BundleRefused("media-class", f"{media_class!r} is none of {', '.join(MEDIA_CLASSES)}.")
        name = file_id(self._key, plaintext_digest)
        if name in self._ids:
            raise BundleRefused("file-repeated", f"The file {plaintext_digest} is already in this part.")
        start = stream_start(self._key, self.path, name)
        sealer = FileSealer(
            self._key.key,
            associated_data(self._key.kid, name),
            size=size,
            salt=start[:SALT_BYTES],
            nonce_prefix=start[SALT_BYTES:],
        )
        self._open = name, media_class, sealer
        return sealer

    def finish_file(self) -> IndexFile:
        """The index entry of the file whose last block was sealed. Raises BundleRefused `file-unfinished`."""
        if self._open is None:
            raise BundleRefused("file-unfinished", "No file is open.")
        name, media, sealer = self._open
        entry = IndexFile(
            name, self._key.kid, self._number, self.size, sealer.size, sealer.sealed_size, media, sealer.segments()
        )
        self._files.append(entry)
        self._ids.add(name)
        self.size += sealer.sealed_size
        self._open = None
        return entry

    def file_entries(self) -> tuple[IndexFile, ...]:
        return tuple(self._files)

    def part_entry(self) -> IndexPart:
        """Path, size and digest of the part. Raises BundleRefused `file-unfinished` while a file is open."""
        if self._open is not None or not self._files:
            raise BundleRefused("file-unfinished", "A part has at least one file, all of them finished.")
        return IndexPart(self.path, self.size, part_digest([file.segments for file in self._files]))


def check_part(index: Index, number: int, read_range: Callable[[int, int], bytes | memoryview]) -> None:
    """Every segment in part `number` has the hash that the index names; whoever carries a part on needs no key for this.

    Raises BundleRefused `segment-size` or `segment-digest`.
    """
    for file in index.files:
        if file.part != number:
            continue
        for i in range(segment_count(file.size)):
            offset, length = segment_range(file.size, i)
            segment = read_range(file.offset + offset, length)
            if len(segment) != length:
                raise BundleRefused(
                    "segment-size", f"Segment {i} of file {file.id} is cut short.", "Fetch the part again."
                )
            if hashlib.sha256(segment).digest() != file.segments[i * HASH_BYTES : (i + 1) * HASH_BYTES]:
                raise BundleRefused(
                    "segment-digest", f"Segment {i} of file {file.id} was changed.", "Fetch the part again."
                )
