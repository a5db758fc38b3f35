"""Packages for tests, made in code: usual ones by `zip_of`, and byte by byte by `raw_zip` for odd and hostile ones.

`raw_zip` writes what it is told, also what contradicts itself: each part of a local header, a central header and the end
records can be set apart from the others.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from content.scorm.archive import Archive, open_archive
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits

SHARED = Path(__file__).resolve().parents[4] / "shared" / "scorm"
"""Packages of others, beside the repository; a clone on its own has none."""
T = TypeVar("T")
UTF8 = 1 << 11
DESCRIPTOR = 1 << 3
MAX32 = 0xFFFFFFFF
INDEX = b"<!DOCTYPE html><title>Page</title><p>Hello</p>"


def shared_packages(folder: str = "") -> list[Path]:
    """All packages in `shared/` (of `adl-2004-4th` or `handmade`), sorted; none where it is absent."""
    return sorted((SHARED / folder).rglob("*.zip"))


def shared_package(name: str) -> Path:
    """One of them; skips the test where it is absent."""
    found = [path for path in shared_packages() if path.name == name]
    if not found:
        pytest.skip(f"{name} is not there: it comes with shared/, which a clone on its own has not")
    return found[0]


def zip_of(
    files: Mapping[str, bytes | str] | list[tuple[str, bytes | str]],
    *,
    folders: Sequence[str] = (),
    deflated: bool = True,
    comment: bytes = b"",
) -> bytes:
    """A zip as Python's own module writes it. `folders`: entries for folders, which come first."""
    out = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    pairs = files if isinstance(files, list) else list(files.items())
    with zipfile.ZipFile(out, "w", method) as archive:
        for folder in folders:
            archive.writestr(folder.rstrip("/") + "/", b"")
        for name, data in pairs:
            archive.writestr(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10)), data, method)
        archive.comment = comment
    return out.getvalue()


def manifest_12(*, href: str = "index.html", title: str = "A course", files: Sequence[str] = ()) -> str:
    """A small valid manifest of SCORM 1.2 with one item."""
    listed = "".join(f'<file href="{each}"/>' for each in (href, *files))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<manifest identifier="course_1" version="1.0" xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"
  xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2">
  <metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion></metadata>
  <organizations default="org_1"><organization identifier="org_1"><title>{title}</title>
    <item identifier="item_1" identifierref="res_1"><title>{title}</title></item></organization></organizations>
  <resources><resource identifier="res_1" type="webcontent" adlcp:scormtype="sco" href="{href}">{listed}</resource></resources>
</manifest>"""


def package_files(**more: bytes | str) -> dict[str, bytes | str]:
    """The files of the smallest sound package, and others."""
    return {"imsmanifest.xml": manifest_12(), "index.html": INDEX, **more}


def opened(data: bytes, *, limits: ImportLimits | None = None, found: Findings | None = None) -> Archive:
    """The archive; raises PackageRefused as `open_archive` does."""
    return open_archive(io.BytesIO(data), limits or ImportLimits(), found if found is not None else Findings())


@dataclass(frozen=True)
class Raw:
    """One entry as it is to be written. What is None follows from `data`; `local_…` and `central_…` differ where set.

    `descriptor`: what follows the data; None: what the flag asks for. `at`: the offset that the central header names.
    `hidden`: no central header. `ghost`: no local part, the central header alone.
    """

    name: bytes
    data: bytes = b""
    method: int = 8
    flags: int = 0
    made_by: int = 3 << 8 | 20
    attributes: int = 0o100644 << 16
    packed: bytes | None = None
    crc: int | None = None
    size: int | None = None
    packed_size: int | None = None
    local_name: bytes | None = None
    local_method: int | None = None
    local_flags: int | None = None
    local_crc: int | None = None
    local_size: int | None = None
    local_packed_size: int | None = None
    local_extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    descriptor: bytes | None = None
    disk: int = 0
    at: int | None = None
    before: bytes = b""
    hidden: bool = False
    ghost: bool = False
    needed: int = 20

    @property
    def payload(self) -> bytes:
        if self.packed is not None:
            return self.packed
        return deflate(self.data) if self.method == 8 else self.data

    @property
    def true_crc(self) -> int:
        return zlib.crc32(self.data) if self.crc is None else self.crc

    @property
    def true_size(self) -> int:
        return len(self.data) if self.size is None else self.size

    @property
    def true_packed(self) -> int:
        return len(self.payload) if self.packed_size is None else self.packed_size

    def local(self) -> bytes:
        """Header, data and descriptor."""
        flags = _or(self.local_flags, self.flags)
        streamed = bool(flags & DESCRIPTOR)
        name = _or(self.local_name, self.name)
        crc = _or(self.local_crc, 0 if streamed else self.true_crc)
        packed = _or(self.local_packed_size, 0 if streamed else self.true_packed)
        size = _or(self.local_size, 0 if streamed else self.true_size)
        head = struct.pack(
            "<4s5H3I2H", b"PK\3\4", self.needed, flags, _or(self.local_method, self.method), 0, 0x21,
            crc, min(packed, MAX32), min(size, MAX32), len(name), len(self.local_extra),
        )  # fmt: skip
        tail = self.descriptor
        if tail is None:
            tail = descriptor(self.true_crc, self.true_packed, self.true_size) if streamed else b""
        return head + name + self.local_extra + self.payload + tail

    def central(self, offset: int) -> bytes:
        head = struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", self.made_by, self.needed, self.flags, self.method, 0, 0x21,
            self.true_crc, min(self.true_packed, MAX32), min(self.true_size, MAX32),
            len(self.name), len(self.central_extra), len(self.comment), self.disk, 0, self.attributes,
            min(_or(self.at, offset), MAX32),
        )  # fmt: skip
        return head + self.name + self.central_extra + self.comment


@dataclass(frozen=True)
class End:
    """The end records; what is None is as it should be. `zip64`: records of that kind too."""

    count: int | None = None
    count_here: int | None = None
    size: int | None = None
    offset: int | None = None
    disk: int = 0
    directory_disk: int = 0
    comment: bytes = b""
    comment_size: int | None = None
    zip64: bool = False
    zip64_count: int | None = None
    zip64_size: int | None = None
    zip64_offset: int | None = None
    zip64_at: int | None = None
    disks: int = 1
    before: bytes = field(default=b"", repr=False)

    def record(self, count: int, size: int, offset: int) -> bytes:
        out = self.before
        if self.zip64:
            at = _or(self.zip64_at, offset + size + len(out))
            n = _or(self.zip64_count, count)
            out += struct.pack(
                "<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, n, n, _or(self.zip64_size, size),
                _or(self.zip64_offset, offset),
            )  # fmt: skip
            out += struct.pack("<4sIQI", b"PK\6\7", 0, at, self.disks)
        comment_size = _or(self.comment_size, len(self.comment))
        total = _or(self.count, count)
        out += struct.pack(
            "<4s4HIIH", b"PK\5\6", self.disk, self.directory_disk, _or(self.count_here, total), total,
            _or(self.size, size), _or(self.offset, offset), comment_size,
        )  # fmt: skip
        return out + self.comment


def raw_zip(
    entries: Iterable[Raw],
    *,
    prefix: bytes = b"",
    relative: bool = False,
    gap: bytes = b"",
    end: End | None = None,
    trailer: bytes = b"",
    backwards: bool = False,
) -> bytes:
    """The bytes of a zip. `prefix`: before everything, with offsets from the file's start or (`relative`) from the zip's.
    `gap`: between the last entry and the directory. `backwards`: the directory in the other order."""
    entries = list(entries)
    out = bytearray(prefix)
    base = len(prefix) if relative else 0
    placed: list[tuple[Raw, int]] = []
    for each in entries:
        out += each.before
        if not each.hidden:
            placed.append((each, len(out) - base))
        if not each.ghost:
            out += each.local()
    out += gap
    offset = len(out) - base
    directory = b"".join(each.central(at) for each, at in (reversed(placed) if backwards else placed))
    out += directory
    out += (end or End()).record(len(placed), len(directory), offset)
    return bytes(out + trailer)


def raw_package(*entries: Raw) -> list[Raw]:
    """The entries of a sound package, then others."""
    return [Raw(b"imsmanifest.xml", manifest_12().encode()), Raw(b"index.html", INDEX), *entries]


def deflate(data: bytes, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def descriptor(crc: int, packed: int, size: int, *, signed: bool = True, wide: bool = False) -> bytes:
    """A data descriptor (APPNOTE 4.3.9): with or without signature, with sizes of 4 or 8 bytes."""
    return (b"PK\7\x08" if signed else b"") + struct.pack("<IQQ" if wide else "<III", crc, packed, size)


def extra(number: int, data: bytes) -> bytes:
    """An extra field."""
    return struct.pack("<HH", number, len(data)) + data


def zip64_extra(*values: int) -> bytes:
    return extra(1, struct.pack(f"<{len(values)}Q", *values))


def unicode_path(raw: bytes, name: str, *, crc: int | None = None) -> bytes:
    """Info-ZIP's Unicode Path field (0x7075) for a name."""
    return extra(0x7075, struct.pack("<BI", 1, zlib.crc32(raw) if crc is None else crc) + name.encode())


def _or(value: T | None, other: T) -> T:
    return other if value is None else value
