"""Each entry's place in the file: its local header must say what the directory says, and its bytes must be its own.

Readers that go by the directory and readers that go through the file from its start must see the same package: names, methods,
sizes and checksums are compared (APPNOTE 4.3.7, 4.3.9), entries may neither overlap nor leave room for others between them.
Before: `checks`. After: where each entry's data begin.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import BinaryIO

from content.scorm.archive.directory import MAX32, UNICODE_PATH, ZIP64, Central, field_of, zip64_values
from content.scorm.archive.end import AGAIN, End, noise, tell_prefix
from content.scorm.archive.words import counted
from content.scorm.findings import Findings

HEADER = struct.Struct("<4s5H3I2H")
_DESCRIPTOR_FLAG = 1 << 3
_ENCRYPTED_FLAGS = 1 << 0 | 1 << 5 | 1 << 6 | 1 << 13
_UTF8_FLAG = 1 << 11
_MUST_AGREE = _ENCRYPTED_FLAGS | _UTF8_FLAG | _DESCRIPTOR_FLAG
_AHEAD = 256
"""Read with a header, for its name and extra fields."""
_MOST_PADDING = 1 << 16
_UNKNOWN = (0, MAX32, (1 << 64) - 1)
"""Sizes in a local header that was written before the data."""


def check_places(file: BinaryIO, headers: Sequence[Central], end: End, found: Findings) -> list[int]:
    """Where the packed bytes of each begin; 0 where that is unknown, and then there is an error. Adds to `found`:
    `zip-headers-differ`, `zip-overlap`, `zip-gap`, `zip-directory`, `zip-prefix-data`."""
    starts = [0] * len(headers)
    order = sorted(range(len(headers)), key=lambda number: headers[number].offset)
    first = headers[order[0]].offset
    if first > end.shift:
        tell_prefix(file, first, found)
    padded = 0
    for place, number in enumerate(order):
        header = headers[number]
        following = headers[order[place + 1]].offset if place + 1 < len(order) else end.offset
        start = _data_start(file, header, end.offset, found)
        if not start:
            continue
        starts[number] = start
        stop = start + header.packed
        if stop > following:
            message = f"The file shares bytes with another one in the zip, as only “zip bombs” do. {AGAIN}"
            found.error("zip-overlap", header.shown, message)
        elif stop < following:
            padded += _check_between(file, header, stop, following, found)
    if padded:
        found.warn("zip-padding", "", f"{counted(padded, 'byte')} of zeros between the files: ignored.")
    return starts


def _data_start(file: BinaryIO, header: Central, limit: int, found: Findings) -> int:
    """Compares the local header; where the data begin, or 0."""
    head = b""
    if header.offset < limit:
        file.seek(header.offset)
        head = file.read(HEADER.size + len(header.name) + _AHEAD)
    if len(head) < HEADER.size or head[:4] != b"PK\3\4":
        message = f"The zip's table of contents names a file at a place where there is none. {AGAIN}"
        found.error("zip-directory", header.shown, message)
        return 0
    _, _, flags, method, _, _, crc, packed, size, name_size, extra_size = HEADER.unpack_from(head)
    length = HEADER.size + name_size + extra_size
    if length > len(head):
        head += file.read(length - len(head))
    name = head[HEADER.size : HEADER.size + name_size]
    extra = head[HEADER.size + name_size : length]
    if (
        name == header.name
        and method == header.method
        and not (flags ^ header.flags) & _MUST_AGREE
        and (crc, packed, size) == (header.crc32, header.packed, header.size)
        and not extra
    ):
        return header.offset + length
    differing = _differences(header, name, flags, method, crc, packed, size, extra)
    if (flags ^ header.flags) & _DESCRIPTOR_FLAG:
        stop = header.offset + length + header.packed
        behind = b""
        if stop < limit:
            file.seek(stop)
            behind = file.read(24)
        if not any(behind.startswith(form) for form in _descriptors(header)):
            differing.append("whether its sizes stand behind it")
    if differing:
        message = (
            f"The zip says two different things about the file ({', '.join(differing)}), so that other programs may see "
            f"another content in it. {AGAIN}"
        )
        found.error("zip-headers-differ", header.shown, message)
        return 0
    return header.offset + length


def _differences(
    header: Central, name: bytes, flags: int, method: int, crc: int, packed: int, size: int, extra: bytes
) -> list[str]:
    differing: list[str] = []
    if name != header.name or not _same_unicode_name(header, name, extra):
        differing.append("its name")
    if method != header.method:
        differing.append("how it is packed")
    if (flags ^ header.flags) & _UTF8_FLAG and not name.isascii():  # ASCII is the same in all character sets there are
        differing.append("in which character set its name is")
    if (flags ^ header.flags) & _ENCRYPTED_FLAGS:
        differing.append("whether it is encrypted")
    try:
        data = field_of(extra, ZIP64)
        if data is not None:
            size, packed = zip64_values(data, (size, packed), (MAX32, MAX32))
    except ValueError:
        return [*differing, "its sizes"]
    streamed = (flags | header.flags) & _DESCRIPTOR_FLAG
    known = (
        (crc, header.crc32, (0,), "its checksum"),
        (packed, header.packed, _UNKNOWN, "its packed size"),
        (size, header.size, _UNKNOWN, "its size"),
    )
    # With a descriptor behind the data the sizes may not have been known when the header was written.
    differing += [what for told, due, unknown, what in known if told != due and not (streamed and told in unknown)]
    return differing


def _same_unicode_name(header: Central, name: bytes, extra: bytes) -> bool:
    """Whether a Unicode name in the local header, if there is one that is in force, is also the directory's."""
    try:
        local, central = field_of(extra, UNICODE_PATH), field_of(header.extra, UNICODE_PATH)
    except ValueError:
        return False
    return local is None or local == central or not in_force(local, name)


def in_force(field: bytes, name: bytes) -> bool:
    """Whether a Unicode Path field belongs to this name: another name means that a tool renamed the entry without knowing
    the field (APPNOTE 4.6.9)."""
    return len(field) >= 5 and field[0] == 1 and int.from_bytes(field[1:5], "little") == zlib.crc32(name)


def _descriptors(header: Central) -> tuple[bytes, ...]:
    """What may stand behind the data if sizes were not known before."""
    sizes = struct.pack("<III", header.crc32, header.packed & MAX32, header.size & MAX32)
    wide = struct.pack("<IQQ", header.crc32, header.packed, header.size)
    return b"PK\7\x08" + wide, b"PK\7\x08" + sizes, wide, sizes


def _check_between(file: BinaryIO, header: Central, stop: int, following: int, found: Findings) -> int:
    """What stands between an entry's data and the next entry: its descriptor, with or without signature and with sizes of 4
    or 8 bytes, then at most zeros. How many of these there were."""
    file.seek(stop)
    data = file.read(min(following - stop, _MOST_PADDING + 25))
    for form in _descriptors(header):
        rest = data[len(form) :]
        if data.startswith(form) and (not rest or (following - stop <= len(data) and noise(rest))):
            return len(rest)
    if header.flags & _DESCRIPTOR_FLAG and data[:4] == b"PK\7\x08":
        message = f"What stands behind the file's data contradicts the table of contents. {AGAIN}"
        found.error("zip-headers-differ", header.shown, message)
        return 0
    if following - stop <= len(data) and noise(data):
        return len(data)
    hidden = counted(following - stop, "byte")
    message = f"Behind this file the zip has {hidden} that belong to no file of it. {AGAIN}"
    found.error("zip-gap", header.shown, message)
    return 0
