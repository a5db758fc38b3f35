"""The bytes of a canonical zip that are not contents: one layout, so that a reader makes what is due and compares.

Entries stored, sorted by the UTF-8 of their paths, one time, one mode, nothing between; ZIP64 fields only where a number does not
fit. Before: contents with sizes and checksums. After: `canonical_write`, `canonical_read`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF
END_BYTES = 22
LOCATOR_BYTES = 20
ZIP64_BYTES = 56
_UTF8 = 1 << 11
_DATE = 0x21  # 1980-01-01, the first day there is
_MADE_BY = 3 << 8 | 45
_MODE = 0o100644 << 16
_PLAIN, _ZIP64 = 20, 45


@dataclass(frozen=True, slots=True)
class CanonicalFile:
    """One file in a canonical zip: its `size_bytes` bytes lie at `offset`, as they are."""

    path: str
    offset: int
    size_bytes: int
    crc32: int


def local_header(name: bytes, crc: int, size: int) -> bytes:
    large = size >= MAX32
    extra = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
    shown, needed = (MAX32, _ZIP64) if large else (size, _PLAIN)
    head = struct.pack("<4s5H3I2H", b"PK\3\4", needed, _UTF8, 0, 0, _DATE, crc, shown, shown, len(name), len(extra))
    return head + name + extra


def central_header(name: bytes, crc: int, size: int, offset: int) -> bytes:
    """`offset`: of the local header."""
    large, far = size >= MAX32, offset >= MAX32
    values = [size, size] * large + [offset] * far
    extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
    shown, needed = MAX32 if large else size, _ZIP64 if values else _PLAIN
    head = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", _MADE_BY, needed, _UTF8, 0, 0, _DATE, crc, shown, shown,
        len(name), len(extra), 0, 0, 0, _MODE, MAX32 if far else offset,
    )  # fmt: skip
    return head + name + extra


def end_records(count: int, size: int, offset: int) -> bytes:
    """What follows the directory of `count` entries and `size` bytes at `offset`."""
    records = b""
    if count >= MAX16 or size >= MAX32 or offset >= MAX32:
        records += struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, _MADE_BY, _ZIP64, 0, 0, count, count, size, offset)
        records += struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
    short = min(count, MAX16)
    return records + struct.pack("<4s4HIIH", b"PK\5\6", 0, 0, short, short, min(size, MAX32), min(offset, MAX32), 0)


def directory(files: Sequence[CanonicalFile]) -> list[bytes]:
    """The central headers, in order."""
    headers: list[bytes] = []
    for file in files:
        name = file.path.encode()
        extra = 20 if file.size_bytes >= MAX32 else 0
        headers.append(central_header(name, file.crc32, file.size_bytes, file.offset - 30 - len(name) - extra))
    return headers
