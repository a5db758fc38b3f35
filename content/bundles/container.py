"""Reading the layout of a bundle that travels as one file: every entry where it must be, under the name that is due.

Only the bytes that `container_write.py` would write are accepted, in the order of checks of docs/bundle-format.md, "Single
file", steps 1 to 3. Nothing is read beyond the limits of its table, and a part only in ranges. Pure: the file is a
`read_range(offset, length)` and its size in bytes. Before: a file from anywhere. After: `container_open.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from content.bundles.container_layout import (
    CENTRAL_EXTRA_BYTES,
    CENTRAL_FIXED_BYTES,
    END_BYTES,
    INDEX,
    LIMITS,
    LIST_ENTRIES,
    MAX_ENTRIES,
    MAX_NAME_BYTES,
    PART_ENTRIES_FROM,
    Entry,
    central_header,
    due_name,
    end_record,
)
from content.bundles.errors import BundleRefused

ReadFile = Callable[[int, int], bytes]
AGAIN: Final = "Copy the file again, or ask whoever gave it to you for another one."
# Beyond this many bytes no central header can begin whose predecessors were all as they must be.
CENTRAL_WINDOW: Final = MAX_ENTRIES * (CENTRAL_FIXED_BYTES + MAX_NAME_BYTES + CENTRAL_EXTRA_BYTES) + 0xFFFF


@dataclass(frozen=True)
class Container:
    """A file whose layout is whole: every entry lies where it must, under its name, within its limit."""

    entries: tuple[Entry, ...]
    _read: ReadFile = field(repr=False)

    @classmethod
    def read(cls, read_range: ReadFile, size: int) -> Container:
        """Steps 1 to 3. Raises BundleRefused `container-malformed`, `-entry`, `-header`, `-size`, `-gap`."""
        count, central_size, central_offset = _read_end(read_range, size)
        entries = _read_central(read_range, count, central_size, central_offset)
        _require_no_gap(entries, central_offset)
        for entry in entries:
            header = entry.local_header()
            if _exactly(read_range, entry.offset, len(header)) != header:
                raise BundleRefused("container-header", f"The two headers of {entry.name} are not the same.", AGAIN)
        return cls(entries, read_range)

    @property
    def lists_only(self) -> bool:
        return len(self.entries) == LIST_ENTRIES

    @property
    def parts(self) -> tuple[Entry, ...]:
        return self.entries[PART_ENTRIES_FROM:]

    def read_part(self, number: int, offset: int, length: int) -> bytes:
        """A range of a part, cut off at its end."""
        part = self.parts[number]
        return self._read(part.start + offset, max(0, min(length, part.size - offset)))

    def contents(self, name: str) -> bytes:
        """The bytes of an entry that is no part; its limit was kept."""
        entry = self.entries[list(LIMITS).index(name)]
        return _exactly(self._read, entry.start, entry.size)


def _read_end(read: ReadFile, size: int) -> tuple[int, int, int]:
    """Number of entries, size and offset of the central headers."""
    data = _exactly(read, size - END_BYTES, END_BYTES) if size >= END_BYTES else b""
    if not data:
        raise BundleRefused("container-malformed", "The file is too short to be a bundle.", AGAIN)
    count, central_size, central_offset = struct.unpack_from("<QQQ", data, 32)
    # The sum first: of lying numbers it does not fit into the field that holds it.
    if central_offset + central_size != size - END_BYTES or data != end_record(count, central_size, central_offset):
        raise BundleRefused("container-malformed", "The file does not end as a bundle does.", AGAIN)
    if not LIST_ENTRIES <= count <= MAX_ENTRIES:
        raise BundleRefused("container-malformed", f"The file has {count:,} entries.", AGAIN)
    return count, central_size, central_offset


def _read_central(read: ReadFile, count: int, central_size: int, central_offset: int) -> tuple[Entry, ...]:
    data = _exactly(read, central_offset, min(central_size, CENTRAL_WINDOW))
    entries: list[Entry] = []
    at = 0
    for number in range(count):
        fixed = data[at : at + CENTRAL_FIXED_BYTES]
        name_size = int.from_bytes(fixed[28:30], "little")
        end = at + CENTRAL_FIXED_BYTES + name_size + CENTRAL_EXTRA_BYTES
        if len(fixed) < CENTRAL_FIXED_BYTES or end > len(data):
            raise BundleRefused("container-malformed", "A header of the file is cut short.", AGAIN)
        name = data[at + CENTRAL_FIXED_BYTES : end - CENTRAL_EXTRA_BYTES]
        crc = int.from_bytes(fixed[16:20], "little")
        size, _, offset = struct.unpack_from("<QQQ", data, end - 24)
        if data[at:end] != central_header(name, crc, size, offset):
            raise BundleRefused("container-header", f"The header of entry {number} is not as it must be.", AGAIN)
        due = due_name(number)
        if name != due.encode():
            raise BundleRefused("container-entry", f"The file has something else where {due} must be.", AGAIN)
        if size > LIMITS.get(due, size):
            raise BundleRefused("container-size", f"{due} has {size:,} bytes; {LIMITS[due]:,} are allowed.", AGAIN)
        entries.append(Entry(due, crc, size, offset))
        at = end
    if at != central_size:
        raise BundleRefused("container-malformed", "There are bytes after the last header.", AGAIN)
    if LIST_ENTRIES < count < PART_ENTRIES_FROM:
        raise BundleRefused("container-entry", f"The file has no {INDEX}.", AGAIN)
    return tuple(entries)


def _require_no_gap(entries: tuple[Entry, ...], central_offset: int) -> None:
    place = 0
    for entry in entries:
        if entry.offset != place:
            raise BundleRefused("container-gap", f"{entry.name} does not begin where the entry before it ends.", AGAIN)
        place = entry.end
    if place != central_offset:
        raise BundleRefused("container-gap", "The headers do not begin where the last entry ends.", AGAIN)


def _exactly(read: ReadFile, offset: int, length: int) -> bytes:
    data = read(offset, length)
    if len(data) != length:
        raise BundleRefused("container-malformed", "The file is shorter than it was.", AGAIN)
    return data
