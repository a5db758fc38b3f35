"""The bytes of one entry: never more than it says, and exactly those that its checksum names.

At most one piece is in memory. Raises PackageRefused: `zip-data` (no sound deflate stream, or bytes left over in it),
`zip-size-lie` (more or fewer bytes than stated), `zip-checksum`. Before: `opening` compared what is stated with the limits.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from content.scorm.archive.entry import Entry
from content.scorm.findings import Finding, PackageRefused

PIECE_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_AGAIN = "Make the zip anew, or upload it again in case it was damaged on the way."


def pieces(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """In order, each of 1 byte to 1 MiB. Checks are done when the iterator has ended: what was yielded before is not to be
    trusted until then."""
    if entry.size_bytes <= PIECE_BYTES and entry.packed_bytes <= _READ_BYTES:
        data = whole(file, entry)
        if data:
            yield data
        return
    crc, size = 0, 0
    for piece in _inflated(file, entry) if entry.deflated else _stored(file, entry):
        size += len(piece)
        if size > entry.size_bytes:
            raise _lie(entry)
        crc = zlib.crc32(piece, crc)
        yield piece
    _check(entry, size, crc)


def whole(file: BinaryIO, entry: Entry) -> bytes:
    """All bytes of a small entry in one step; most entries of a course are."""
    file.seek(entry.start)
    data = file.read(entry.packed_bytes)
    if entry.deflated and (entry.packed_bytes or entry.size_bytes):
        unpacker = zlib.decompressobj(-15)
        try:
            data = unpacker.decompress(data, entry.size_bytes + 1)
        except zlib.error as error:
            raise _damaged(entry) from error
        if len(data) <= entry.size_bytes and (not unpacker.eof or unpacker.unused_data):
            raise _damaged(entry)
    _check(entry, len(data), zlib.crc32(data))
    return data


def _stored(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    at, end = entry.start, entry.start + entry.packed_bytes
    while at < end:
        file.seek(at)  # each time: the caller may read another entry in between
        piece = file.read(min(PIECE_BYTES, end - at))
        if not piece:
            raise _damaged(entry)
        at += len(piece)
        yield piece


def _inflated(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-15)
    at, end = entry.start, entry.start + entry.packed_bytes
    packed = b""
    while not unpacker.eof:
        if not packed:
            file.seek(at)
            packed = file.read(min(_READ_BYTES, end - at))
            at += len(packed)
        over = not packed  # all is read; the unpacker may still hold bytes that it had no room to give
        try:
            piece = unpacker.decompress(packed, PIECE_BYTES)
        except zlib.error as error:
            raise _damaged(entry) from error
        packed = unpacker.unconsumed_tail
        if over and not piece and not unpacker.eof:
            raise _damaged(entry)
        if piece:
            yield piece
    if at < end or unpacker.unused_data:
        raise _damaged(entry)


def _check(entry: Entry, size: int, crc: int) -> None:
    if size != entry.size_bytes:
        raise _lie(entry)
    if crc != entry.crc32:
        raise refused("zip-checksum", entry.path, f"The file is damaged: its bytes do not match its checksum. {_AGAIN}")


def _lie(entry: Entry) -> PackageRefused:
    message = f"The file unpacks to another size than the {entry.size_bytes:,} bytes that the zip states. {_AGAIN}"
    return refused("zip-size-lie", entry.path, message)


def _damaged(entry: Entry) -> PackageRefused:
    return refused("zip-data", entry.path, f"The file's packed data are damaged. {_AGAIN}")


def refused(code: str, place: str, message: str) -> PackageRefused:
    """A package refused for one reason."""
    return PackageRefused("package-refused", message, "See the report.", False, (Finding(code, place, message),))
