"""The end of a zip: where its directory lies, so that there is one answer and no other reader finds another.

APPNOTE 4.3.13 to 4.3.16. Exactly one end record may reach the end of the file (a comment that holds a second one, and a zip
appended to a zip, are tricks that show two readers two packages). What transfers put before or after (blank lines, a byte order
mark, zeros up to a block) is taken and told; other bytes there are refused. Before: the file. After: `directory`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import BinaryIO

from content.scorm.archive.inflate import refused
from content.scorm.archive.strangers import HEAD_BYTES, what_it_is
from content.scorm.archive.words import counted
from content.scorm.findings import Findings

END = struct.Struct("<4s4HIIH")
_LOCATOR = struct.Struct("<4sIQI")
_ZIP64 = struct.Struct("<4sQHHIIQQQQ")
_MAX_COMMENT = 0xFFFF
_MOST_NOISE = 1 << 16
_NOISE = b"\0\t\n\r \x1a"
AGAIN = "Make the zip anew with another tool, or upload it again in case it was damaged on the way."


@dataclass(frozen=True)
class End:
    """`offset`: where the directory begins in the file; `shift`: what has to be added to the offsets in it. `count` entries
    in `size` bytes. `stop`: where the first end record begins, `last`: where the last one does."""

    offset: int
    size: int
    count: int
    shift: int
    stop: int
    last: int


def find_end(file: BinaryIO, file_bytes: int, found: Findings) -> End:
    """Raises PackageRefused: `zip-no-bytes`, `not-a-zip`, `zip-truncated`, `zip-trailing-data`, `zip-ends`, `zip-disks`,
    `zip-zip64`, `zip-directory`, `zip-prefix-data`, `zip-gap`."""
    if not file_bytes:
        raise refused("zip-no-bytes", "", "The file has 0 bytes. Upload it again; if it stays so, export it again.")
    at = _end_record(file, file_bytes, found)
    record = END.unpack(_read(file, at, END.size))
    _, disk, directory_disk, here, count, size, offset, _ = record
    end = _with_zip64(file, at, End(offset, size, count, 0, at, at))
    if end.stop == end.last and (disk or directory_disk or here != count):
        raise _several_disks()
    return _placed(file, end, found)


def noise(data: bytes) -> bool:
    """Whether these bytes say nothing: what downloads and block devices add."""
    return len(data) <= _MOST_NOISE and not data.removeprefix(b"\xef\xbb\xbf").strip(_NOISE)


def _end_record(file: BinaryIO, file_bytes: int, found: Findings) -> int:
    """Where the one end record begins."""
    start = max(0, file_bytes - END.size - _MAX_COMMENT - _MOST_NOISE)
    tail = _read(file, start, file_bytes - start)
    solid = max(len(tail.rstrip(_NOISE)), len(tail) - _MOST_NOISE)
    fitting: list[tuple[int, int]] = []
    last = -1
    at = tail.find(b"PK\5\6")
    while at >= 0:
        if at + END.size <= len(tail):
            last = at
            stop = at + END.size + int.from_bytes(tail[at + 20 : at + 22], "little")
            if solid <= stop <= len(tail):
                fitting.append((at, len(tail) - stop))
        at = tail.find(b"PK\5\6", at + 1)
    if len(fitting) > 1 or (
        fitting and fitting[0][0] != last
    ):  # some readers take the last, whatever its comment's size
        message = f"The zip has more than one end, so that other programs may see another content in it. {AGAIN}"
        raise refused("zip-ends", "", message)
    if not fitting:
        raise _no_end(file, tail, last)
    if fitting[0][1]:
        message = f"{counted(fitting[0][1], 'byte')} of blanks or zeros behind the zip: ignored."
        found.warn("zip-padding", "", message)
    return start + fitting[0][0]


def _no_end(file: BinaryIO, tail: bytes, last: int) -> Exception:
    head = _read(file, 0, HEAD_BYTES)
    if head.startswith(b"PK\7\x08"):
        return _several_disks()
    if last >= 0:
        stop = last + END.size + int.from_bytes(tail[last + 20 : last + 22], "little")
        if stop > len(tail):
            return refused("zip-truncated", "", f"The zip is cut off within its last bytes. {AGAIN}")
        alien = counted(len(tail) - stop, "byte")
        message = f"Behind the zip's end there are {alien} that belong to no file of it. {AGAIN}"
        return refused("zip-trailing-data", "", message)
    if head.startswith((b"PK\3\4", b"PK\1\2", b"PK00")):
        message = "The zip is cut off: its table of contents, which stands at the end, is missing. Upload it again."
        return refused("zip-truncated", "", message)
    name, remedy = what_it_is(head)
    what = f"The file is {name}, not a package in a zip." if name else "The file is not a zip, as packages are."
    return refused("not-a-zip", "", f"{what} {remedy}")


def _with_zip64(file: BinaryIO, at: int, end: End) -> End:
    """The values of the ZIP64 end record where there is one; those of the plain one must be the same or say "see there"."""
    if at < _LOCATOR.size:
        return end
    signature, disk, told, disks = _LOCATOR.unpack(_read(file, at - _LOCATOR.size, _LOCATOR.size))
    if signature != b"PK\6\7":
        return end
    place = at - _LOCATOR.size
    if disk or disks > 1:
        raise _several_disks()
    # It stands directly before; where something was put before the zip, not where the locator says.
    for start in (told, place - _ZIP64.size):
        if 0 <= start <= place - _ZIP64.size:
            values = _ZIP64.unpack(_read(file, start, _ZIP64.size))
            if values[0] == b"PK\6\6" and start + 12 + values[1] == place:
                break
    else:
        raise refused("zip-zip64", "", f"The zip's end for large files (ZIP64) is damaged. {AGAIN}")
    _, _, _, _, disk, directory_disk, here, count, size, offset = values
    if disk or directory_disk or here != count:
        raise _several_disks()
    pairs = ((end.count, count, 0xFFFF), (end.size, size, 0xFFFFFFFF), (end.offset, offset, 0xFFFFFFFF))
    if any(plain not in (large, most) for plain, large, most in pairs):
        message = f"The zip's two ends (plain and ZIP64) contradict each other. {AGAIN}"
        raise refused("zip-zip64", "", message)
    return replace(end, offset=offset, size=size, count=count, shift=start - told, stop=start)


def _placed(file: BinaryIO, end: End, found: Findings) -> End:
    """With the place where the directory really begins: what was put before the zip moves it."""
    begin = end.stop - end.size
    if begin < 0 or end.offset > begin:
        raise refused("zip-directory", "", f"The zip's table of contents does not lie where it should. {AGAIN}")
    if end.stop < end.last and begin - end.offset != end.shift:
        raise refused("zip-zip64", "", f"The zip's end for large files (ZIP64) does not lie where it should. {AGAIN}")
    if begin == end.offset:
        return end
    if not end.size or _read(file, begin, 4) == b"PK\1\2":
        tell_prefix(file, begin - end.offset, found)
        return replace(end, offset=begin, shift=begin - end.offset)
    between = _read(file, end.offset + end.size, min(_MOST_NOISE + 1, begin - end.offset))
    if _read(file, end.offset, 4) == b"PK\1\2" and (noise(between) or _is_signature(between)):
        return end
    raise refused("zip-gap", "", f"There are bytes before the zip's end that belong to nothing. {AGAIN}")


def tell_prefix(file: BinaryIO, size: int, found: Findings) -> None:
    """Bytes before the first entry: blanks are told, others refused (`zip-prefix-data`)."""
    data = _read(file, 0, min(size, _MOST_NOISE + 1))
    if size == 4 and data in (b"PK00", b"PK\7\x08"):  # APPNOTE 8.5.4: made for several disks, fitted on one
        return
    if len(data) < size or not noise(data):
        name, _ = what_it_is(data[:HEAD_BYTES])
        what = f" (they look like {name})" if name else ""
        alien = counted(size, "byte")
        message = f"Before the zip there are {alien} that belong to no file of it{what}. Pack the files as a plain zip."
        raise refused("zip-prefix-data", "", message)
    found.warn("zip-padding", "", f"{counted(size, 'blank byte')} before the zip: ignored.")


def _is_signature(data: bytes) -> bool:
    """APPNOTE 4.3.13, a digital signature of the directory: legal, and unread."""
    return data[:4] == b"PK\5\5" and len(data) == 6 + int.from_bytes(data[4:6], "little")


def _several_disks() -> Exception:
    message = "The zip is one part of several (.z01, .z02, .zip). Join the parts, or pack the files as one zip."
    return refused("zip-disks", "", message)


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
