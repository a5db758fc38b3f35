"""The trusted side's reader: takes what `write_canonical` writes and not a byte else.

There is nothing to interpret: each header is made from what the directory claims and compared with what stands there, so no two
readers can differ on such a file. Limits and names are checked again, since whoever wrote it is not trusted. Before: a file out
of a sandbox. After: whoever stores its files, by `stream_canonical`, which checks the checksums.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from content.errors import ContentError
from content.scorm.archive.canonical_layout import (
    END_BYTES,
    LOCATOR_BYTES,
    MAX16,
    MAX32,
    ZIP64_BYTES,
    CanonicalFile,
    central_header,
    end_records,
    local_header,
)
from content.scorm.archive.names import clean_path
from content.scorm.archive.tree import check_twice
from content.scorm.findings import Findings, printable
from content.scorm.limits import ImportLimits

PIECE_BYTES = 1 << 20
_HEADER = struct.Struct("<4s6H3I5H2I")
_MOST_HEADER = 46 + 28


def read_canonical(file: BinaryIO, limits: ImportLimits) -> tuple[CanonicalFile, ...]:
    """The files in order; `file` is seekable. Contents are not read. Raises ContentError `canonical-zip`."""
    total = file.seek(0, io.SEEK_END)
    count, size, offset = _end(file, total)
    if not 1 <= count <= limits.entries:
        raise refused(f"it has {count:,} entries; 1 to {limits.entries:,} are taken")
    if (
        size > count * (_MOST_HEADER + limits.name_bytes)
        or offset + size + len(end_records(count, size, offset)) != total
    ):
        raise refused("its parts do not fill it")
    files = _directory(_exactly(file, offset, size), count, limits)
    at = 0
    for each in files:
        header = local_header(each.path.encode(), each.crc32, each.size_bytes)
        if each.offset != at + len(header) or _exactly(file, at, len(header)) != header:
            raise refused(f"what stands before “{each.path}” is not what should")
        at = each.offset + each.size_bytes
    if at != offset:
        raise refused("there is something between its files and its directory")
    _check_all(files, limits)
    return files


def stream_canonical(file: BinaryIO, entry: CanonicalFile) -> Iterator[bytes]:
    """The bytes of a file in pieces of at most 1 MiB. Raises ContentError `canonical-zip` at the end if they are not those of
    the checksum."""
    at, end, crc = entry.offset, entry.offset + entry.size_bytes, 0
    while at < end:
        piece = _exactly(file, at, min(PIECE_BYTES, end - at))
        crc = zlib.crc32(piece, crc)
        at += len(piece)
        yield piece
    if crc != entry.crc32:
        raise refused(f"the bytes of “{entry.path}” are not those of its checksum")


def refused(what: str) -> ContentError:
    message = f"The unpacked package is not as the importer writes it: {printable(what)}."
    return ContentError(
        "canonical-zip", message, "The import has to be done again; if it stays so, it is a fault of the service."
    )


def _end(file: BinaryIO, total: int) -> tuple[int, int, int]:
    """Entries, the directory's size and its offset; compared with the end records that these make."""
    if total < END_BYTES:
        raise refused("it is too short")
    most = min(total, END_BYTES + LOCATOR_BYTES + ZIP64_BYTES)
    tail = _exactly(file, total - most, most)
    count, size, offset = struct.unpack("<HII", tail[-12:-2])
    if (count == MAX16 or MAX32 in (size, offset)) and tail[:4] == b"PK\6\6":
        count, size, offset = struct.unpack("<QQQ", tail[32:56])
    if max(size, offset) > total or not tail.endswith(end_records(count, size, offset)):
        raise refused("its end is another one")
    return count, size, offset


def _directory(data: bytes, count: int, limits: ImportLimits) -> tuple[CanonicalFile, ...]:
    files: list[CanonicalFile] = []
    at, last = 0, b""
    place = 0  # where the next local header is due
    for _ in range(count):
        if at + _HEADER.size > len(data):
            raise refused("its directory is too short")
        _, _, _, _, _, _, _, crc, _, size, name_size, *_ = _HEADER.unpack_from(data, at)
        name = data[at + _HEADER.size : at + _HEADER.size + name_size]
        if size == MAX32:
            large = at + _HEADER.size + name_size + 4  # behind the ZIP64 field's own header
            size = int.from_bytes(data[large : large + 8], "little")
        if size > limits.file_bytes or name <= last:
            raise refused("its files are too large or not in order")
        header = central_header(name, crc, size, place)
        if data[at : at + len(header)] != header:
            raise refused("a header of its directory is another one")
        at, last = at + len(header), name
        start = place + len(local_header(name, crc, size))
        files.append(CanonicalFile(_text(name), start, size, crc))
        place = start + size
    if at != len(data):
        raise refused("its directory is too long")
    return tuple(files)


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise refused("a name is not UTF-8") from error


def _check_all(files: tuple[CanonicalFile, ...], limits: ImportLimits) -> None:
    if sum(each.size_bytes for each in files) > limits.unpacked_bytes:
        raise refused(f"it has more than {limits.unpacked_bytes:,} bytes")
    found = Findings()
    for each in files:
        if clean_path(each.path, limits, found) != each.path:
            raise refused(f"“{found.errors[0].place if found.errors else each.path}” is no name that it may have")
    check_twice((each.path for each in files), (), found)
    if found.errors:
        raise refused(found.errors[0].message)


def _exactly(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    data = file.read(size)
    if len(data) != size:
        raise refused("it ends early")
    return data
