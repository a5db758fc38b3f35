"""What each entry claims, against the limits and against what a package may hold: no byte is unpacked for it.

Before: `directory`. After: `local` compares the local headers, `names` looks at the names.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Sequence

from content.scorm.archive.directory import AES, ASI_UNIX, PKWARE_UNIX, Central, field_of
from content.scorm.archive.inflate import refused
from content.scorm.archive.words import too_large
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits

STORED, DEFLATED = 0, 8
_METHODS = {
    1: "Shrink", 2: "Reduce", 3: "Reduce", 4: "Reduce", 5: "Reduce", 6: "Implode", 9: "Deflate64", 10: "PKWARE DCL",
    12: "bzip2", 14: "LZMA", 16: "IBM CMPSC", 18: "IBM TERSE", 19: "IBM LZ77", 20: "Zstandard", 93: "Zstandard", 94: "MP3",
    95: "xz", 96: "JPEG", 97: "WavPack", 98: "PPMd", 99: "AES encryption",
}  # fmt: skip
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_PATCH = 1 << 5
_TELLING = tuple(number.to_bytes(2, "little") for number in (AES, ASI_UNIX, PKWARE_UNIX))
"""What extra fields must hold somewhere to be of interest here."""
_FOLDER_FLAG = 0x10
_SPECIAL = {stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}
_LEAST_DEFLATED = 2
"""Bytes of a deflate stream of nothing; some tools write it for folders."""


def check_claims(headers: Sequence[Central], limits: ImportLimits, found: Findings) -> None:
    """Adds to `found`: `zip-disks`, `zip-encrypted`, `zip-link`, `zip-device`, `zip-method`, `zip-patch`, `zip-file-size`,
    `zip-ratio`, `zip-stored-size`, `zip-fields`, `zip-unpacked-size`."""
    unpacked = packed = 0
    tight = False
    for header in headers:
        unpacked += header.size
        packed += header.packed
        if (
            header.flags & (_ENCRYPTED | _PATCH)
            or header.disk
            or header.method not in (STORED, DEFLATED)
            or header.size > limits.ratio_from_bytes
            or header.size > limits.file_bytes
            or (header.extra and any(mark in header.extra for mark in _TELLING))
            or stat.S_IFMT(header.attributes >> 16) not in (0, stat.S_IFREG)
            or (header.method == STORED and header.size != header.packed)
        ):
            _check_one(header, limits, found)
            tight = tight or _is_tight(header, limits)
    if unpacked > limits.unpacked_bytes:
        message = (
            f"All files of the package have {too_large(unpacked, limits.unpacked_bytes)}. Leave out what the course does not "
            "need, save films and pictures smaller, or make several packages of it."
        )
        found.error("zip-unpacked-size", "", message)
    if (
        unpacked > max(limits.ratio_package_from_bytes, limits.ratio * packed) and not tight
    ):  # else told of the file already
        found.error("zip-ratio", "", _ratio("The package", "its files are", unpacked, packed, limits))


def is_folder(header: Central, name: str, found: Findings) -> bool:
    """By its decoded name, or by what a system notes for a folder where there is no data. Adds `zip-folder-data`."""
    if name[-1:] in ("/", "\\"):
        if header.size or header.packed > _LEAST_DEFLATED:
            found.error("zip-folder-data", name, "A folder holds data as if it were a file. Make the zip anew.")
        return True
    marked = header.attributes & _FOLDER_FLAG or stat.S_ISDIR(header.attributes >> 16)
    return bool(marked and not header.size)


def _check_one(header: Central, limits: ImportLimits, found: Findings) -> None:
    place = header.shown
    if header.disk:
        found.error("zip-disks", place, "The file lies in another part of a split zip. Pack the files as one zip.")
    if header.flags & _ENCRYPTED or header.method == 99 or _has(header, AES):
        found.error("zip-encrypted", place, "The file is encrypted with a password. Pack the files without one.")
    elif header.method not in (STORED, DEFLATED):
        name = _METHODS.get(header.method, "a method unknown here")
        message = (
            f"The file is packed with {name} (method {header.method}), which packages must not use: "
            "SCORM asks for Deflate. Pack the files anew with the method “Deflate”"
        )
        windows = ", for instance with 7-Zip, since Windows itself takes Deflate64 for large files."
        found.error("zip-method", place, message + (windows if header.method == 9 else "."))
    if header.flags & _PATCH:
        found.error("zip-patch", place, "The entry is a patch for a file and not the file. Pack the files themselves.")
    _check_kind(header, found)
    if header.size > limits.file_bytes:
        message = (
            f"“{header.shown}” has {too_large(header.size, limits.file_bytes)}. Save it smaller (a film with a lower resolution or "
            "bit rate) or in parts, or leave it out."
        )
        found.error("zip-file-size", place, message)
    if _is_tight(header, limits):
        found.error("zip-ratio", place, _ratio("The file", "it is", header.size, header.packed, limits))
    if header.method == STORED and header.size != header.packed and not header.flags & _ENCRYPTED:
        found.error("zip-stored-size", place, "The file is stored as it is, and yet has two sizes. Make the zip anew.")


def _check_kind(header: Central, found: Findings) -> None:
    """Links and devices, in all places where zips can say so (Unix mode, APPNOTE 4.5.7, Info-ZIP's ASi field)."""
    modes = [header.attributes >> 16]
    link = False
    try:
        unix, asi = field_of(header.extra, PKWARE_UNIX), field_of(header.extra, ASI_UNIX)
    except ValueError:
        message = "What a system noted beside the file is damaged. Make the zip anew."
        found.error("zip-fields", header.shown, message)
        return
    if unix is not None and len(unix) > 12:
        link = True
    if asi is not None and len(asi) >= 6:
        modes.append(struct.unpack_from("<H", asi, 4)[0])
    if link or any(stat.S_ISLNK(mode) for mode in modes):
        message = "The entry is a link to another file. Pack the file itself in its place (zip without the option -y)."
        found.error("zip-link", header.shown, message)
    elif any(stat.S_IFMT(mode) in _SPECIAL for mode in modes):
        found.error("zip-device", header.shown, "The entry is a device or pipe, not a file. Leave it out of the zip.")


def _has(header: Central, number: int) -> bool:
    try:
        return field_of(header.extra, number) is not None
    except ValueError:
        return True


def _is_tight(header: Central, limits: ImportLimits) -> bool:
    return header.size > limits.ratio_from_bytes and header.size > limits.ratio * header.packed


def _ratio(what: str, made: str, unpacked: int, packed: int, limits: ImportLimits) -> str:
    return (
        f"{what} unpacks to {unpacked // max(packed, 1):,} times its size in the zip, because {made} made of the same bytes "
        f"again and again, as “zip bombs” are; at most {limits.ratio:g} times are taken. Save silent sounds and plain pictures "
        "in a format that is small by itself (MP3, PNG), and leave out what is only filled up."
    )


def check_file_size(file_bytes: int, limits: ImportLimits) -> None:
    """Raises PackageRefused `zip-size`."""
    if file_bytes > limits.zip_bytes:
        message = (
            f"The zip has {too_large(file_bytes, limits.zip_bytes)}. Leave out what the course does not need, save films and "
            "pictures smaller, or make several packages of it."
        )
        raise refused("zip-size", "", message)
