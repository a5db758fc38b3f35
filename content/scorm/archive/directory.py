"""The directory of a zip: its central headers, parsed once (APPNOTE 4.3.12, 4.5.3).

Nothing is believed here beyond the layout: names are bytes, sizes are claims. Before: `end`. After: `checks`, `local`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from content.scorm.archive.end import AGAIN, End
from content.scorm.archive.inflate import refused
from content.scorm.archive.words import too_large
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits

MAX_BYTES = 64 << 20
"""Of the whole directory: 50,000 entries with long names and what systems note beside them have less."""
HEADER = struct.Struct("<4s6H3I5H2I")
ZIP64, UNICODE_PATH, PKWARE_UNIX, ASI_UNIX, AES = 1, 0x7075, 0x000D, 0x756E, 0x9901
MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF


class Central(NamedTuple):
    """A central header. `offset`: of the local header, from the file's start."""

    name: bytes
    flags: int
    method: int
    crc32: int
    packed: int
    size: int
    offset: int
    attributes: int
    extra: bytes
    disk: int

    @property
    def shown(self) -> str:
        """The name as far as it can be shown before its character set is known."""
        return self.name.decode("utf-8", "replace")


def read_directory(file: BinaryIO, end: End, limits: ImportLimits, found: Findings) -> list[Central]:
    """All central headers in their order. Raises PackageRefused: `zip-entries`, `zip-directory`, `zip-empty`; adds `zip-zip64`,
    `zip-fields` to `found`."""
    if end.count > limits.entries:
        message = (
            f"The zip has {end.count:,} files and folders in it; at most {limits.entries:,} are taken. Leave out what the course "
            "does not need (sources, libraries unused, other courses), or make several packages of it."
        )
        raise refused("zip-entries", "", message)
    if not end.count:
        raise refused("zip-empty", "", "The zip is empty. Pack the folder that holds the course's files.")
    if end.size > MAX_BYTES:
        message = f"The zip's table of contents has {too_large(end.size, MAX_BYTES)}. Use fewer files, shorter names and no comments."
        raise refused("zip-directory", "", message)
    file.seek(end.offset)
    data = file.read(end.size)
    headers: list[Central] = []
    at = 0
    while len(headers) < end.count:
        if at + HEADER.size > len(data) or data[at : at + 4] != b"PK\1\2":
            raise _damaged()
        (_, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size, disk, _, attributes,
         offset) = HEADER.unpack_from(data, at)  # fmt: skip
        at += HEADER.size
        name = data[at : at + name_size]
        extra = data[at + name_size : at + name_size + extra_size]
        at += name_size + extra_size + comment_size
        if at > len(data):
            raise _damaged()
        header = Central(name, flags, method, crc, packed, size, offset, attributes, extra, disk)
        if extra or MAX32 in (packed, size, offset) or disk == MAX16:
            header = _with_fields(header, found)
        headers.append(header if not end.shift else header._replace(offset=header.offset + end.shift))
    rest = data[at:]
    if rest and not (rest[:4] == b"PK\5\5" and len(rest) == 6 + int.from_bytes(rest[4:6], "little")):
        raise _damaged()
    return headers


def fields_of(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """The extra fields; a rest that is none is left out, as alignment tools leave one. Raises ValueError for a field that
    goes on behind the end."""
    at = 0
    while at + 4 <= len(extra):
        number, size = struct.unpack_from("<HH", extra, at)
        if at + 4 + size > len(extra):
            raise ValueError(number)
        yield number, extra[at + 4 : at + 4 + size]
        at += 4 + size


def field_of(extra: bytes, number: int) -> bytes | None:
    """The one field of this kind. Raises ValueError for two, which readers would take differently."""
    if number.to_bytes(2, "little") not in extra:
        return None
    all_of_them: list[bytes] = []
    try:
        all_of_them.extend(data for each, data in fields_of(extra) if each == number)
    except ValueError as error:
        if error.args == (number,):
            raise
    if len(all_of_them) > 1:
        raise ValueError(number)
    return all_of_them[0] if all_of_them else None


def zip64_values(data: bytes, plain: tuple[int, ...], most: tuple[int, ...]) -> tuple[int, ...]:
    """The values with those that say "see there" taken from a ZIP64 field: unpacked and packed size, offset, disk, in this
    order. Some tools write all of them whether needed or not. Raises ValueError if one is missing, or not the same."""
    wanted = sum(8 if limit == MAX32 else 4 for value, limit in zip(plain, most, strict=True) if value == limit)
    if len(data) == wanted:
        values, at = list(plain), 0
        for number, limit in enumerate(most):
            if plain[number] == limit:
                width = 8 if limit == MAX32 else 4
                values[number] = int.from_bytes(data[at : at + width], "little")
                at += width
        return tuple(values)
    values, at = list(plain), 0
    for number, limit in enumerate(most):
        width = 8 if limit == MAX32 else 4
        if at + width > len(data):
            if plain[number] == limit:
                raise ValueError("missing")
            continue
        told = int.from_bytes(data[at : at + width], "little")
        if plain[number] not in (told, limit):
            raise ValueError("another")
        values[number], at = told, at + width
    return tuple(values)


def _with_fields(header: Central, found: Findings) -> Central:
    plain = (header.size, header.packed, header.offset, header.disk)
    most = (MAX32, MAX32, MAX32, MAX16)
    try:
        data = field_of(header.extra, ZIP64)
        if data is None:
            if MAX32 in plain[:3]:
                raise ValueError("missing")
            return header
        size, packed, offset, disk = zip64_values(data, plain, most)
    except ValueError:
        message = f"What the zip says about a large file (ZIP64) is missing or contradicts itself. {AGAIN}"
        found.error("zip-zip64", header.shown, message)
        return header
    return header._replace(size=size, packed=packed, offset=offset, disk=disk)


def _damaged() -> Exception:
    message = f"The zip's table of contents is damaged, or says another number of entries than it has. {AGAIN}"
    return refused("zip-directory", "", message)
