"""The bytes of a single file that are not contents: which entries it has, and their headers.

A ZIP64 file of one layout, so there is nothing to interpret: a reader makes the headers that are due and compares. Pure
functions, one per line of docs/bundle-format.md, "Single file". Before: contents with their sizes. After:
`container.py` reads such files, `container_write.py` writes them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from content.bundles.index import MAX_BYTES as MAX_INDEX_BYTES
from content.bundles.index import MAX_PARTS
from content.trust.revocations import MAX_BYTES as MAX_REVOCATIONS_BYTES

CHAIN: Final = "META-INF/trust.json"
REVOCATIONS: Final = "META-INF/revocations.json"
REVOCATIONS_SIGNATURE: Final = "META-INF/revocations-signature.json"
LICENCES: Final = "META-INF/licences.json"
INDEX: Final = "META-INF/index.json"
LIMITS: Final = {
    CHAIN: 64 << 20,
    REVOCATIONS: MAX_REVOCATIONS_BYTES,
    REVOCATIONS_SIGNATURE: 16 << 10,
    LICENCES: 64 << 20,
    INDEX: MAX_INDEX_BYTES,
}
"""The entries before the parts, in their order, with the most bytes that each may have."""
LIST_ENTRIES: Final = 3
PART_ENTRIES_FROM: Final = len(LIMITS)
MAX_ENTRIES: Final = PART_ENTRIES_FROM + MAX_PARTS
MAX_LICENCES: Final = 10_000
MAX_NAME_BYTES: Final = max(map(len, LIMITS))

VERSION: Final = 45  # the first that knows ZIP64
DATE: Final = 33  # 1980-01-01, the first day there is
ELSEWHERE: Final = 0xFFFFFFFF  # "see the ZIP64 field"
CENTRAL_FIXED_BYTES: Final = 46
CENTRAL_EXTRA_BYTES: Final = 28
END_BYTES: Final = 98


@dataclass(frozen=True)
class Entry:
    """One file in the file: `size` in bytes, `offset` of its local header."""

    name: str
    crc: int
    size: int
    offset: int

    @property
    def start(self) -> int:
        """Where its contents begin."""
        return self.offset + len(self.local_header())

    @property
    def end(self) -> int:
        return self.start + self.size

    def local_header(self) -> bytes:
        name = self.name.encode()
        fixed = struct.pack(
            "<4s5HIIIHH", b"PK\x03\x04", VERSION, 0, 0, 0, DATE, self.crc, ELSEWHERE, ELSEWHERE, len(name), 20
        )
        return fixed + name + struct.pack("<HHQQ", 1, 16, self.size, self.size)

    def central_header(self) -> bytes:
        return central_header(self.name.encode(), self.crc, self.size, self.offset)


def due_name(number: int) -> str:
    """The name of entry `number`, from 0."""
    return list(LIMITS)[number] if number < PART_ENTRIES_FROM else f"parts/{number - PART_ENTRIES_FROM}.part"


def central_header(name: bytes, crc: int, size: int, offset: int) -> bytes:
    fixed = struct.pack(
        "<4s6HIIIHHHHHII", b"PK\x01\x02", VERSION, VERSION, 0, 0, 0, DATE, crc, ELSEWHERE, ELSEWHERE,
        len(name), CENTRAL_EXTRA_BYTES, 0, 0, 0, 0, ELSEWHERE,
    )  # fmt: skip
    return fixed + name + struct.pack("<HHQQQ", 1, 24, size, size, offset)


def end_record(count: int, central_size: int, central_offset: int) -> bytes:
    """What follows the central headers of `count` entries."""
    zip64 = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, VERSION, VERSION, 0, 0, count, count, central_size, central_offset
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, central_offset + central_size, 1)
    return zip64 + locator + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, ELSEWHERE, ELSEWHERE, 0)
