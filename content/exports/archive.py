"""A zip whose bytes follow from its entries alone: sorted names, one time, one mode, everything stored.

Nothing is deflated: most bytes are media, and what zlib makes of the rest differs between its versions. The checksum stands
before the data and not behind them, since Java's reader refuses stored entries of the other kind; so an entry is read
whole before it is written, and one that is larger than `BUFFER_BYTES` is read twice. The output need not be seekable.
zip64 fields appear only where a number does not fit without, and a name says that it is UTF-8 only where it is not ASCII.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from content.canonical import DIGEST_PREFIX
from content.errors import ContentError
from content.exports.entries import Entry, Stored

BUFFER_BYTES = 32 << 20
Read = Callable[[Stored], Iterable[bytes]]

_DATE, _TIME = 0x21, 0  # 1980-01-01 00:00:00, the earliest there is
_MADE_BY = 3 << 8 | 20  # Unix, so that the mode below is read
_MODE = 0o100644 << 16
_UTF8 = 1 << 11
_PLAIN, _ZIP64 = 10, 45
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True)
class _Placed:
    name: bytes
    size: int
    crc: int
    offset: int


def write_zip(entries: Sequence[Entry], read: Read, out: BinaryIO) -> str:
    """Write the zip; the digest of its bytes.

    `read` gives the bytes of a rendition, for a large one twice. Raises ContentError `export-duplicate` for two entries of
    one name, `asset-damaged` if bytes are not those that were promised.
    """
    total = hashlib.sha256()
    offset = 0

    def put(data: bytes) -> None:
        nonlocal offset
        out.write(data)
        total.update(data)
        offset += len(data)

    placed: list[_Placed] = []
    for entry in _sorted(entries):
        crc, chunks = _content(entry, read)
        placed.append(_Placed(entry.path.encode(), entry.size_bytes, crc, offset))
        put(_local(placed[-1]))
        for chunk in chunks:
            put(chunk)
    put(_directory(placed, offset))
    return DIGEST_PREFIX + total.hexdigest()


def archive_size(entries: Sequence[Entry]) -> int:
    """The exact number of bytes that `write_zip` writes."""
    placed: list[_Placed] = []
    offset = 0
    for entry in _sorted(entries):
        placed.append(_Placed(entry.path.encode(), entry.size_bytes, 0, offset))
        offset += len(_local(placed[-1])) + entry.size_bytes
    return offset + len(_directory(placed, offset))


def _sorted(entries: Sequence[Entry]) -> list[Entry]:
    ordered = sorted(entries, key=lambda entry: entry.path.encode())
    for first, second in itertools.pairwise(ordered):
        if first.path == second.path:
            raise ContentError("export-duplicate", f"Two files of the export have the name “{first.path}”.")
    return ordered


def _content(entry: Entry, read: Read) -> tuple[int, Iterable[bytes]]:
    """Checksum and bytes of an entry."""
    if isinstance(entry.content, bytes):
        return zlib.crc32(entry.content), [entry.content]
    stored = entry.content
    if stored.size_bytes <= BUFFER_BYTES:
        chunks = list(_checked(entry.path, stored, read))
        return _crc(chunks), chunks
    return _crc(_checked(entry.path, stored, read)), _checked(entry.path, stored, read)


def _crc(chunks: Iterable[bytes]) -> int:
    crc = 0
    for chunk in chunks:
        crc = zlib.crc32(chunk, crc)
    return crc


def _checked(path: str, stored: Stored, read: Read) -> Iterator[bytes]:
    """The rendition's bytes; what is more than promised is never handed on."""
    hashed, size = hashlib.sha256(), 0
    for chunk in read(stored):
        size += len(chunk)
        if size > stored.size_bytes:
            break
        hashed.update(chunk)
        yield chunk
    if size != stored.size_bytes or DIGEST_PREFIX + hashed.hexdigest() != stored.digest:
        message = f"“{path}” was read from the store with other bytes than the package names ({stored.digest})."
        raise ContentError("asset-damaged", message, "The stored file has to be made anew.", True)


def _local(placed: _Placed) -> bytes:
    large = placed.size >= _MAX32
    extra = struct.pack("<HHQQ", 1, 16, placed.size, placed.size) if large else b""
    size = _MAX32 if large else placed.size
    needed = _ZIP64 if large else _PLAIN
    sizes = (placed.crc, size, size, len(placed.name), len(extra))
    head = struct.pack("<IHHHHHIIIHH", 0x04034B50, needed, _flags(placed.name), 0, _TIME, _DATE, *sizes)
    return head + placed.name + extra


def _flags(name: bytes) -> int:
    return 0 if name.isascii() else _UTF8


def _central(placed: _Placed) -> bytes:
    large, far = placed.size >= _MAX32, placed.offset >= _MAX32
    fields = [placed.size, placed.size] * large + [placed.offset] * far
    extra = struct.pack(f"<HH{len(fields)}Q", 1, 8 * len(fields), *fields) if fields else b""
    size, offset = (_MAX32 if large else placed.size), (_MAX32 if far else placed.offset)
    needed = _ZIP64 if fields else _PLAIN
    flags = _flags(placed.name)
    head = struct.pack("<IHHHHHHIII", 0x02014B50, _MADE_BY, needed, flags, 0, _TIME, _DATE, placed.crc, size, size)
    return head + struct.pack("<HHHHHII", len(placed.name), len(extra), 0, 0, 0, _MODE, offset) + placed.name + extra


def _directory(placed: Sequence[_Placed], offset: int) -> bytes:
    entries = b"".join(_central(each) for each in placed)
    count, size = len(placed), len(entries)
    end = b""
    if count >= _MAX16 or size >= _MAX32 or offset >= _MAX32:
        end += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, _MADE_BY, _ZIP64, 0, 0, count, count, size, offset)
        end += struct.pack("<IIQI", 0x07064B50, 0, offset + size, 1)
    short = min(count, _MAX16)
    end += struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, short, short, min(size, _MAX32), min(offset, _MAX32), 0)
    return entries + end
