"""Zips that must be refused, made in code: a name, a builder, and the codes of which one or all must be told.

Each is a sound package but for what its name says, so that whoever runs the table (the archive's own tests, the inspector's)
knows why it was refused. `odd_zips` has those that must be taken.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from content.scorm.limits import ImportLimits
from tests.content.scorm.packages import (
    DESCRIPTOR,
    MAX32,
    UTF8,
    End,
    Raw,
    deflate,
    descriptor,
    extra,
    manifest_12,
    package_files,
    raw_package,
    raw_zip,
    unicode_path,
    zip64_extra,
    zip_of,
)

MIB = 1 << 20


@dataclass(frozen=True)
class Case:
    """`codes`: of the errors, all of them and no other. `unpacked`: seen only once the contents are read.
    `reasons`: how many are told, if that matters."""

    build: Callable[[], bytes]
    codes: frozenset[str]
    limits: ImportLimits = field(default_factory=ImportLimits)
    unpacked: bool = False
    says: str = ""
    reasons: int = 0


def _with(
    *entries: Raw, end: End | None = None, prefix: bytes = b"", gap: bytes = b"", trailer: bytes = b""
) -> Callable[[], bytes]:
    return lambda: raw_zip(raw_package(*entries), end=end, prefix=prefix, gap=gap, trailer=trailer)


def _case(
    build: Callable[[], bytes] | Raw,
    *codes: str,
    says: str = "",
    unpacked: bool = False,
    reasons: int = 0,
    **limits: float,
) -> Case:
    builder = _with(build) if isinstance(build, Raw) else build
    return Case(builder, frozenset(codes), ImportLimits(**limits), unpacked, says, reasons)  # type: ignore[arg-type]


def _named(name: str | bytes, code: str) -> Case:
    raw = name.encode() if isinstance(name, str) else name
    return _case(Raw(raw, b"x", flags=UTF8 if isinstance(name, str) and not name.isascii() else 0), code)


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("imsmanifest.xml"))
    return out.getvalue()


def _two_of(first: str, second: str) -> Case:
    entries = (Raw(first.encode(), b"1", flags=UTF8), Raw(second.encode(), b"2", flags=UTF8))
    return _case(_with(*entries), "zip-duplicate")


def _quoted_overlap() -> bytes:
    """A later entry lies within the packed data of an earlier one, so that its bytes unpack twice."""
    inner = Raw(b"inner.bin", bytes(1000)).local()
    outer = Raw(b"outer.bin", inner, method=0)
    start = len(raw_zip(raw_package(outer))) - len(raw_zip(raw_package())) - len(outer.central(0)) - len(inner)
    begin = sum(len(each.local()) for each in raw_package())
    ghost = Raw(b"inner.bin", bytes(1000), ghost=True, at=begin + start)
    return raw_zip(raw_package(outer, ghost))


def _same_place() -> bytes:
    kernel = Raw(b"kernel.bin", bytes(2000))
    begin = sum(len(each.local()) for each in raw_package())
    ghosts = [Raw(b"kernel.bin", bytes(2000), ghost=True, at=begin) for _ in range(5)]
    return raw_zip(raw_package(kernel, *ghosts))


def _split_directory() -> bytes:
    data = bytearray(raw_zip(raw_package()))
    data[data.rfind(b"PK\1\2")] = 0
    return bytes(data)


def _sound() -> bytes:
    return raw_zip(raw_package())


LIES = 40_000_000_000
PAGE = Raw(b"page.html", b"<p>A page</p>" * 20)
UNICODE = "Урок.html"
DOS = UNICODE.encode("cp866")

NO_ZIPS: Mapping[str, Case] = {
    "0 bytes": _case(lambda: b"", "zip-no-bytes"),
    "rar": _case(lambda: b"Rar!\x1a\x07\x01\x00" + bytes(90), "not-a-zip", says="RAR"),
    "7z": _case(lambda: b"7z\xbc\xaf\x27\x1c" + bytes(90), "not-a-zip", says="7z"),
    "gzip": _case(lambda: b"\x1f\x8b\x08" + bytes(90), "not-a-zip", says="gzip"),
    "tar": _case(_tar, "not-a-zip", says="tar"),
    "PDF": _case(lambda: b"%PDF-1.7\n%\xe2\xe3" + bytes(90), "not-a-zip", says="PDF"),
    "picture": _case(lambda: b"\x89PNG\r\n\x1a\n" + bytes(90), "not-a-zip", says="PNG"),
    "film": _case(lambda: b"\0\0\0\x18ftypmp42" + bytes(90), "not-a-zip", says="MP4"),
    "program": _case(lambda: b"MZ\x90" + bytes(900), "not-a-zip", says="Windows program"),
    "HTML page": _case(lambda: b"\n <!DOCTYPE html><html>Log in</html>", "not-a-zip", says="HTML page"),
    "HTML page in UTF-16": _case(lambda: "<html>Log in</html>".encode("utf-16"), "not-a-zip", says="HTML page"),
    "manifest alone": _case(lambda: manifest_12().encode(), "not-a-zip", says="manifest alone"),
    "JSON": _case(lambda: b'{"error": "expired"}', "not-a-zip", says="JSON"),
    "text": _case(lambda: b"hello", "not-a-zip", says="The file is not a zip, as packages are. In the tool"),
    "one byte": _case(lambda: b"P", "not-a-zip", says="The file is not a zip"),
    "zeros": _case(lambda: bytes(4096), "not-a-zip", says="zeros"),
    "LFS pointer": _case(lambda: b"version https://git-lfs.github.com/spec/v1\n", "not-a-zip", says="Git LFS"),
    "cut off in the middle": _case(lambda: _sound()[:300], "zip-truncated"),
    "cut off by one byte": _case(lambda: _sound()[:-1], "zip-truncated"),
    "cut off in the comment": _case(_with(end=End(comment=b"abc", comment_size=9)), "zip-truncated"),
    "empty zip": _case(lambda: raw_zip([]), "zip-empty"),
    "folders only": _case(lambda: zip_of({}, folders=["a", "a/b"]), "zip-empty"),
    "junk only": _case(lambda: zip_of({"__MACOSX/._a": b"1", "x/.DS_Store": b"2"}), "zip-empty"),
}

LIMITS: Mapping[str, Case] = {
    "larger than taken": _case(_sound, "zip-size", zip_bytes=500, says="at most 500 bytes are taken. Leave out"),
    "bomb": _case(Raw(b"zeros.bin", bytes(8 * MIB)), "zip-ratio", says="The package unpacks to"),
    "bomb that is judged alone": _case(
        Raw(b"zeros.bin", bytes(32 * MIB + 1)), "zip-ratio", says="The file unpacks to 1,0", reasons=1
    ),
    "bomb beside noise": _case(
        _with(Raw(b"zeros.bin", bytes(32 * MIB + 1)), Raw(b"noise.bin", Random(1).randbytes(MIB))),
        "zip-ratio", says="made of the same bytes again and again", reasons=1,
    ),
    "bomb that claims no packed bytes": _case(
        Raw(b"zeros.bin", packed=b"", size=33 * MIB), "zip-ratio", says="The file unpacks to 34,603,008 times", reasons=1
    ),
    "bombs below what is judged alone": _case(
        _with(*(Raw(b"%d.bin" % n, bytes(8 * MIB)) for n in range(3))), "zip-ratio", says="The package", reasons=1
    ),
    "many small bombs": _case(_with(*(Raw(b"%d.bin" % n, bytes(MIB)) for n in range(40))), "zip-ratio"),
    "claims 40 GB": _case(
        Raw(b"x", b"x", size=LIES, central_extra=zip64_extra(LIES), local_size=MAX32, local_packed_size=MAX32,
            local_extra=zip64_extra(LIES, 3)),
        "zip-file-size", "zip-ratio", "zip-unpacked-size", says="has 40,000.0 MB; at most 4,295.0 MB are taken", reasons=3,
    ),
    "unpacks to more than taken": _case(Raw(b"x", bytes(range(256)) * 8), "zip-unpacked-size", unpacked_bytes=2000),
    "a file larger than taken": _case(Raw(b"x", bytes(range(256)) * 8), "zip-file-size", file_bytes=2000, says="“x” has 2,048 bytes; at most 2,000 bytes are taken. Save it smaller"),
    "too many entries": _case(_with(*(Raw(b"%d" % n) for n in range(100))), "zip-entries", entries=100, says="102 files and folders in it; at most 100 are taken. Leave out"),
    "claims 60,000 entries": _case(_with(end=End(count=60_000)), "zip-entries"),
    "long name": _case(Raw(b"nn/" * 30 + b"n" * 250 + b"/" + b"n" * 172, b"x"), "zip-name-length", says="513 bytes"),
    "long name by bytes": _case(
        Raw(("Я" * 86 + "/").encode() * 3, b"", flags=UTF8, method=0), "zip-name-length", says="518 bytes"
    ),
    "name of 60,000 bytes": _case(Raw(b"n" * 60_000, b"x"), "zip-name-length", says="60,000 bytes"),
    "long name of one file": _case(Raw(b"a/" + b"n" * 256, b"x"), "zip-name-length", says=f"“{'n' * 256}” has 256 bytes"),
    "long name of one folder": _case(
        Raw(("Я" * 128 + "/a.html").encode(), b"x", flags=UTF8), "zip-name-length", says=f"“{'Я' * 128}” has 256 bytes"
    ),
    "deep": _case(Raw(b"d/" * 32 + b"x", b"x"), "zip-name-depth", says="in 32 folders within each other; at most 31"),
    "unpacks to more than it says": _case(Raw(b"x", bytes(200_000), size=100), "zip-size-lie", unpacked=True),
    "a large file unpacks to more than it says": _case(
        Raw(b"x", bytes(range(256)) * 40_000, size=2 * MIB), "zip-size-lie", unpacked=True
    ),
    "unpacks to less than it says": _case(Raw(b"x", b"x" * 100, size=101), "zip-size-lie", unpacked=True),
}  # fmt: skip

KINDS: Mapping[str, Case] = {
    "link": _case(Raw(b"l", b"/etc/passwd", attributes=0o120777 << 16), "zip-link"),
    "link said to be of DOS": _case(Raw(b"l", b"../x", made_by=20, attributes=0o120777 << 16), "zip-link"),
    "link by the ASi field": _case(
        Raw(b"l", b"x", attributes=0, central_extra=extra(0x756E, b"\0\0\0\0" + (0o120777).to_bytes(2, "little") + bytes(8))),
        "zip-link",
    ),
    "link by PKWARE's field": _case(Raw(b"l", b"x", central_extra=extra(0x0D, bytes(12) + b"/etc/passwd")), "zip-link"),
    "two ASi fields": _case(Raw(b"l", b"x", central_extra=extra(0x756E, bytes(14)) * 2), "zip-fields"),
    "character device": _case(Raw(b"d", attributes=0o020666 << 16), "zip-device"),
    "block device": _case(Raw(b"d", attributes=0o060666 << 16), "zip-device"),
    "pipe": _case(Raw(b"d", attributes=0o010666 << 16), "zip-device"),
    "socket": _case(Raw(b"d", attributes=0o140666 << 16), "zip-device"),
    "encrypted": _case(Raw(b"e", b"x", flags=1), "zip-encrypted"),
    "encrypted with AES": _case(Raw(b"e", b"x", method=99, flags=1, central_extra=extra(0x9901, bytes(7))), "zip-encrypted"),
    "strong encryption": _case(Raw(b"e", b"x", flags=1 | 1 << 6), "zip-encrypted"),
    "encrypted directory": _case(Raw(b"e", b"x", flags=1 << 13), "zip-encrypted"),
    "patch": _case(Raw(b"e", b"x", flags=1 << 5), "zip-patch"),
    "Deflate64": _case(Raw(b"m", b"x", method=9), "zip-method", says="Deflate64"),
    "bzip2": _case(Raw(b"m", b"x", method=12), "zip-method", says="bzip2"),
    "LZMA": _case(Raw(b"m", b"x", method=14), "zip-method", says="LZMA"),
    "Zstandard": _case(Raw(b"m", b"x", method=93), "zip-method", says="Zstandard"),
    "xz": _case(Raw(b"m", b"x", method=95), "zip-method", says="xz"),
    "PPMd": _case(Raw(b"m", b"x", method=98), "zip-method", says="PPMd"),
    "Implode": _case(Raw(b"m", b"x", method=6), "zip-method", says="Implode"),
    "unknown method": _case(Raw(b"m", b"x", method=77), "zip-method", says="77"),
    "folder with data": _case(Raw(b"folder/", b"data"), "zip-folder-data"),
    "folder by a backslash with data": _case(Raw(b"folder\\", b"data"), "zip-folder-data"),
}  # fmt: skip

NAMES: Mapping[str, Case] = {
    "no name": _named("", "zip-name-empty"),
    "absolute": _named("/etc/cron.d/x", "zip-name-absolute"),
    "absolute by backslash": _named("\\Windows\\x", "zip-name-absolute"),
    "share": _named("\\\\server\\share\\x", "zip-name-absolute"),
    "drive": _named("C:/x.html", "zip-name-drive"),
    "drive by backslash": _named("c:\\x.html", "zip-name-drive"),
    "drive without a root": _named("C:x.html", "zip-name-drive"),
    "parent": _named("../x.html", "zip-name-traversal"),
    "parent in the middle": _named("a/../../x.html", "zip-name-traversal"),
    "parent that stays inside": _named("a/../x.html", "zip-name-traversal"),
    "parent at the end": _named("a/..", "zip-name-traversal"),
    "parent by backslash": _named("a\\..\\..\\x.html", "zip-name-traversal"),
    "parent by mixed slashes": _named("..\\../x.html", "zip-name-traversal"),
    "parent in percent": _named("%2e%2e/x.html", "zip-name-traversal"),
    "parent and slash in percent": _named("a/%2E%2E%2Fx.html", "zip-name-traversal"),
    "parent in percent twice": _named("%252e%252e%252fx.html", "zip-name-traversal"),
    "parent among what macOS leaves": _named("__MACOSX/../../x", "zip-name-traversal"),
    "parent of a mark that Windows leaves": _named("../x:Zone.Identifier", "zip-name-traversal"),
    "NUL": _named("x.html\0.png", "zip-name-characters"),
    "line end": _named("x\n.html", "zip-name-characters"),
    "delete character": _named("x\x7f.html", "zip-name-characters"),
    "control character of C1": _named("x\u0085.html", "zip-name-characters"),
    "right to left": _named("x\u202egpj.exe", "zip-name-characters"),
    "left to right again": _named("x\u202a.html", "zip-name-characters"),
    "folder that isolates": _named("x\u2066/a.html", "zip-name-characters"),
    "end of what was isolated": _named("x\u2069.html", "zip-name-characters"),
    "CON": _named("CON", "zip-name-reserved"),
    "con.html": _named("con.html", "zip-name-reserved"),
    "folder nul": _named("nul/x.html", "zip-name-reserved"),
    "AUX before a space": _named("a/aux .js", "zip-name-reserved"),
    "COM1": _named("js/Com1.js", "zip-name-reserved"),
    "LPT¹": _named("LPT¹.txt", "zip-name-reserved"),
    "CONIN$": _named("CONIN$", "zip-name-reserved"),
    "trailing dot": _named("x.html.", "zip-name-reserved"),
    "folder with trailing dot": _named("a./x.html", "zip-name-reserved"),
    "three dots alone": _named("...", "zip-name-reserved"),
    "one dot with data": _named(".", "zip-name-empty"),
    "three dots": _named("a/.../x", "zip-name-reserved"),
    "trailing space": _named("x.html ", "zip-name-reserved"),
    "stream": _named("x.html:hidden", "zip-name-reserved"),
    "stream of the manifest": _named("imsmanifest.xml::$DATA", "zip-name-reserved"),
    "twice": _two_of("a.html", "a.html"),
    "twice by case": _two_of("Page.html", "pAGE.html"),
    "twice by case of the manifest": _named("IMSMANIFEST.XML", "zip-duplicate"),
    "twice by case of other letters": _two_of("УРОК.html", "урок.html"),
    "twice by sharp s": _two_of("straße.html", "STRASSE.html"),
    "twice by Unicode form": _two_of("caf\u00e9.html", "cafe\u0301.html"),
    "twice by backslash": _two_of("a/b.html", "a\\b.html"),
    "twice by dots": _two_of("a/b.html", "a/./b.html"),
    "file and folder": _case(_with(Raw(b"a", b"1"), Raw(b"a/b", b"2")), "zip-file-and-folder"),
    "file and folder by case": _case(_with(Raw(b"b/A/c", b"1"), Raw(b"B/a", b"2")), "zip-file-and-folder"),
    "file and folder's own entry": _case(_with(Raw(b"a", b"1"), Raw(b"a/")), "zip-file-and-folder"),
    "another Unicode name": _case(Raw(b"a.html", b"x", central_extra=unicode_path(b"a.html", "b.html")), "zip-name-conflict"),
    "the manifest by its Unicode name": _case(
        Raw(DOS, b"x", central_extra=unicode_path(DOS, "imsmanifest.xml")), "zip-name-conflict"
    ),
    "parent by its Unicode name": _case(
        Raw(b"???.html", b"x", central_extra=unicode_path(b"???.html", "../x.html")), "zip-name-conflict"
    ),
    "two Unicode names": _case(
        Raw(DOS, b"x", central_extra=unicode_path(DOS, UNICODE) + unicode_path(DOS, "Ключ.html")), "zip-name-conflict"
    ),
    "another Unicode name than the flagged one": _case(
        Raw("é.html".encode(), b"x", flags=UTF8, central_extra=unicode_path("é.html".encode(), "è.html")), "zip-name-conflict"
    ),
}  # fmt: skip

PLACES: Mapping[str, Case] = {
    "local name differs": _case(Raw(b"a.html", b"x", local_name=b"b.html"), "zip-headers-differ"),
    "local size differs": _case(Raw(b"a", b"x" * 50, local_size=49), "zip-headers-differ"),
    "local packed size differs": _case(Raw(b"a", b"x" * 50, local_packed_size=1), "zip-headers-differ"),
    "local checksum differs": _case(Raw(b"a", b"x", local_crc=1), "zip-headers-differ"),
    "local method differs": _case(Raw(b"a", b"x", local_method=0), "zip-headers-differ"),
    "local header says encrypted": _case(Raw(b"a", b"x", local_flags=1), "zip-headers-differ"),
    "flag of Unicode in the directory alone": _case(
        Raw("é.html".encode(), b"x", flags=UTF8, local_flags=0), "zip-headers-differ", says="in which character set"
    ),
    "flag of Unicode in the local header alone": _case(
        Raw("é.html".encode(), b"x", local_flags=UTF8), "zip-headers-differ", says="in which character set"
    ),
    "flag of a descriptor in the local header alone": _case(
        Raw(b"a.html", b"x", local_flags=DESCRIPTOR, descriptor=b"", local_size=1, local_packed_size=3), "zip-headers-differ", says="whether its sizes stand behind it"
    ),
    "flag of a descriptor that would lie further than files can be": _case(
        Raw(b"a", b"x", local_flags=DESCRIPTOR, descriptor=b"", packed_size=2**64 - 1, size=2**64 - 1, method=0,
            local_size=0, local_packed_size=0,
            central_extra=zip64_extra(2**64 - 1, 2**64 - 1)),
        "zip-headers-differ", "zip-file-size", "zip-unpacked-size", says="whether its sizes stand behind it",
    ),
    "flag of a descriptor in the directory alone": _case(
        Raw(b"a.html", b"x", flags=DESCRIPTOR, local_flags=0, descriptor=b"", local_size=1, local_packed_size=3, local_crc=0x8CDC1683),
        "zip-headers-differ", says="whether its sizes stand behind it",
    ),
    "local sizes are missing": _case(Raw(b"a", b"x", local_size=0, local_packed_size=0), "zip-headers-differ"),
    "local ZIP64 lies": _case(
        Raw(b"a", b"x" * 9, local_size=MAX32, local_packed_size=MAX32, local_extra=zip64_extra(LIES, LIES)),
        "zip-headers-differ",
    ),
    "local ZIP64 lies beside true sizes": _case(Raw(b"a", b"x" * 9, local_extra=zip64_extra(LIES, LIES)), "zip-headers-differ"),
    "local Unicode name differs": _case(
        Raw(b"a.html", b"x", local_extra=unicode_path(b"a.html", "../evil.html")), "zip-headers-differ"
    ),
    "descriptor differs": _case(
        Raw(b"a", b"x" * 50, flags=DESCRIPTOR, descriptor=descriptor(7, 7, 7)), "zip-headers-differ"
    ),
    "checksum": _case(Raw(b"a", b"x", crc=1), "zip-checksum", unpacked=True),
    "checksum of a large file": _case(Raw(b"a", bytes(range(256)) * 9000, crc=1, method=0), "zip-checksum", unpacked=True),
    "broken deflate": _case(Raw(b"a", b"x" * 50, packed=b"\xff" * 9), "zip-data", unpacked=True),
    "deflate cut off": _case(
        Raw(b"a", bytes(range(256)) * 9, packed=deflate(bytes(range(256)) * 9)[:-9]), "zip-data", unpacked=True
    ),
    "bytes behind deflate": _case(Raw(b"a", b"x", packed=deflate(b"x") + b"hidden"), "zip-data", unpacked=True),
    "stored with two sizes": _case(Raw(b"a", b"xyz", method=0, packed_size=2, size=3), "zip-stored-size", "zip-gap"),
    "all files at one place": _case(_same_place, "zip-overlap", "zip-duplicate"),
    "a file within another": _case(_quoted_overlap, "zip-overlap"),
    "packed size reaches into the next": _case(_with(Raw(b"a", b"x", method=0, packed_size=40, size=40), PAGE), "zip-overlap"),
    "packed size reaches beyond the end": _case(Raw(b"a", b"x", method=0, packed_size=4000, size=4000), "zip-overlap"),
    "hidden file between": _case(_with(Raw(b"hidden.html", b"x", hidden=True), PAGE), "zip-gap"),
    "hidden file at the end": _case(Raw(b"hidden.html", b"x", hidden=True), "zip-gap"),
    "hidden file at the beginning": _case(
        lambda: raw_zip([Raw(b"hidden.html", b"x", hidden=True), *raw_package()]), "zip-prefix-data"
    ),
    "bytes before the directory": _case(_with(gap=b"APK Sig Block 42"), "zip-gap"),
    "bytes behind the directory": _case(_with(end=End(before=b"something")), "zip-gap"),
    "megabytes of zeros between": _case(Raw(b"a", b"x", descriptor=bytes(MIB)), "zip-gap"),
    "program before": _case(_with(prefix=b"MZ\x90" + bytes(range(200))), "zip-prefix-data", says="Windows program"),
    "picture before": _case(
        lambda: raw_zip(raw_package(), prefix=b"GIF89a" + b"\1" * 60, relative=True), "zip-prefix-data", says="GIF"
    ),
    "zip before": _case(lambda: zip_of({"imsmanifest.xml": b"other"}) + _sound(), "zip-prefix-data"),
    "zip before, offsets from the start": _case(_with(prefix=zip_of({"other.xml": b"other"})), "zip-prefix-data"),
    "bytes behind": _case(_with(trailer=b"<script>"), "zip-trailing-data"),
    "page behind": _case(_with(trailer=b"\n<html>Warning: ...</html>"), "zip-trailing-data"),
    "end within the comment": _case(
        lambda: raw_zip(raw_package(), end=End(comment=b"x" + End().record(1, 60, 0))), "zip-ends"
    ),
    "end within the comment that does not reach its end": _case(_with(end=End(comment=b"PK\5\6" + b"\1" * 40)), "zip-ends"),
    "zip within the comment": _case(lambda: raw_zip(raw_package(), end=End(comment=zip_of({"a": b"b"}))), "zip-ends"),
    "on the second disk": _case(_with(end=End(disk=1)), "zip-disks"),
    "directory on the second disk": _case(_with(end=End(directory_disk=1)), "zip-disks"),
    "some entries on this disk": _case(_with(end=End(count_here=1)), "zip-disks"),
    "an entry on another disk": _case(Raw(b"a", b"x", disk=1), "zip-disks"),
    "first part of several": _case(lambda: b"PK\7\x08" + _sound()[:300], "zip-disks"),
    "two disks by ZIP64": _case(_with(end=End(zip64=True, disks=2)), "zip-disks"),
    "directory says fewer entries": _case(_with(end=End(count=1)), "zip-directory"),
    "directory says more entries": _case(_with(end=End(count=3)), "zip-directory"),
    "directory is larger": _case(_with(end=End(size=4000)), "zip-directory"),
    "directory is smaller": _case(_with(end=End(size=60)), "zip-gap"),
    "directory lies beyond": _case(_with(end=End(offset=900_000)), "zip-directory"),
    "directory is damaged": _case(_split_directory, "zip-directory"),
    "entry lies beyond": _case(Raw(b"a", b"x", at=900_000), "zip-directory", "zip-gap"),
    "entry lies further than files can be": _case(
        Raw(b"a", b"x", at=MAX32, central_extra=zip64_extra(2**64 - 1)), "zip-directory", "zip-gap"
    ),
    "entry lies where none is": _case(Raw(b"a", b"x", at=5), "zip-directory", "zip-overlap", "zip-gap"),
    "ZIP64 field is missing": _case(Raw(b"a", b"x", size=MAX32), "zip-zip64"),
    "ZIP64 field is too short": _case(Raw(b"a", b"x", size=MAX32, central_extra=extra(1, b"1234")), "zip-zip64"),
    "ZIP64 field contradicts": _case(Raw(b"a", b"x", central_extra=zip64_extra(LIES, LIES)), "zip-zip64"),
    "two ZIP64 fields": _case(Raw(b"a", b"x", central_extra=zip64_extra(1) * 2), "zip-zip64"),
    "ZIP64 end contradicts": _case(_with(end=End(zip64=True, zip64_count=9)), "zip-zip64"),
    "ZIP64 end has another offset": _case(_with(end=End(zip64=True, zip64_offset=9)), "zip-zip64"),
    "ZIP64 locator leads elsewhere": _case(_with(end=End(zip64=True, zip64_at=3, before=b"")), "zip-zip64"),
}  # fmt: skip

HOSTILE: Mapping[str, Case] = {**NO_ZIPS, **LIMITS, **KINDS, **NAMES, **PLACES}
"""All, by name."""


def sound_package() -> bytes:
    """The package that all of these would be without what makes them hostile."""
    return zip_of(package_files())
