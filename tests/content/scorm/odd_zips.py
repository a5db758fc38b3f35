"""Zips that are odd and must be taken, made in code: as real tools, disks and transfers leave them.

Each is the sound package of `raw_package` with something beside it, so that whoever runs the table can read a course out of it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from tests.content.scorm.packages import (
    DESCRIPTOR,
    INDEX,
    MAX32,
    UTF8,
    End,
    Raw,
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
SOUND = ("imsmanifest.xml", "index.html")


@dataclass(frozen=True)
class Odd:
    """`paths`: of all files it must be found to have; `codes`: of the warnings; `root`: what was stripped."""

    build: Callable[[], bytes]
    paths: tuple[str, ...] = SOUND
    codes: frozenset[str] = field(default_factory=frozenset[str])
    root: str = ""


def _odd(
    *entries: Raw, more: tuple[str, ...] = (), warns: tuple[str, ...] = (), end: End | None = None, **how: object
) -> Odd:
    return Odd(lambda: raw_zip(raw_package(*entries), end=end, **how), SOUND + more, frozenset(warns))  # type: ignore[arg-type]


def _file(
    name: str | bytes, *, path: str = "", warns: tuple[str, ...] = (), flags: int | None = None, **how: object
) -> Odd:
    """One more file of this name."""
    raw = name.encode() if isinstance(name, str) else name
    flagged = UTF8 if isinstance(name, str) and not name.isascii() else 0
    entry = Raw(raw, b"<p>A page</p>", flags=flagged if flags is None else flags, **how)  # type: ignore[arg-type]
    return _odd(entry, more=(path or str(name),), warns=warns)


def _described(form: bytes, **how: object) -> Odd:
    return _odd(Raw(b"a.html", b"<p>A page</p>", flags=DESCRIPTOR, descriptor=form, **how), more=("a.html",))  # type: ignore[arg-type]


def wav(size: int) -> bytes:
    """A sound of 16 bits and 44.1 kHz in which nothing is heard."""
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 44100, 88200, 2, 16, b"data", size
    )
    return head + bytes(size)


def bmp(size: int) -> bytes:
    """A white picture, 1024 pixels wide."""
    head = struct.pack("<2sIIIIiiHHIIiiII", b"BM", 54 + size, 0, 54, 40, 1024, size // 3072, 1, 24, 0, size, 0, 0, 0, 0)
    return head + b"\xff" * size


def _in_charset(codec: str, *names: str, declared: str = "", href: str = "") -> Odd:
    """Names without a flag; the manifest names the first of them if `href` says so."""
    manifest = manifest_12(href=href or names[0])
    text = manifest.replace("UTF-8", declared).encode(declared) if declared else manifest.encode()
    entries = [Raw(b"imsmanifest.xml", text), Raw(b"index.html", INDEX)]
    entries += [Raw(name.encode(codec), b"<p>A page</p>") for name in names]
    return Odd(lambda: raw_zip(entries), SOUND + names, frozenset({"zip-name-encoding"}))


def _inside(root: str, beside: Mapping[str, bytes] | None = None, **how: object) -> Odd:
    files = {**(beside or {}), **{f"{root}{name}": data for name, data in package_files().items()}}
    return Odd(lambda: zip_of(files), SOUND, root=root, **how)  # type: ignore[arg-type]


def _all_zip64() -> bytes:
    def large(entry: Raw) -> Raw:
        size, packed = len(entry.data), len(entry.payload)
        return Raw(
            entry.name, entry.data, size=size, packed_size=packed, local_size=MAX32, local_packed_size=MAX32,
            local_extra=zip64_extra(size, packed), central_extra=zip64_extra(size, packed), needed=45,
        )  # fmt: skip

    return raw_zip([large(each) for each in raw_package()], end=End(zip64=True))


def _only_zip64_end() -> bytes:
    return raw_zip(raw_package(), end=End(zip64=True, count=0xFFFF, size=MAX32, offset=MAX32))


DATA = b"<p>A page</p>"
CRC, PACKED, SIZE = Raw(b"a.html", DATA).true_crc, len(Raw(b"a.html", DATA).payload), len(DATA)
DOS = "Урок.html".encode("cp866")
SIGNATURE = b"PK\5\5\4\0sign"
TIMES = extra(0x5455, b"\3" + bytes(8))
NTFS = extra(0x000A, bytes(32))
OWNERS = extra(0x7875, b"\1\4\0\0\0\0\4\0\0\0\0")

HEADERS: Mapping[str, Odd] = {
    "as Python writes it": Odd(lambda: zip_of(package_files())),
    "everything stored": Odd(lambda: zip_of(package_files(), deflated=False)),
    "entries for folders": Odd(lambda: zip_of(package_files(), folders=["a", "a/b"])),
    "descriptor": _described(descriptor(CRC, PACKED, SIZE)),
    "descriptor without signature": _described(descriptor(CRC, PACKED, SIZE, signed=False)),
    "descriptor of ZIP64": _described(descriptor(CRC, PACKED, SIZE, wide=True)),
    "descriptor of ZIP64 without signature": _described(descriptor(CRC, PACKED, SIZE, signed=False, wide=True)),
    "descriptor behind a stored file": _described(descriptor(CRC, SIZE, SIZE), method=0),
    "descriptor, and ZIP64 in the local header alone": _described(
        descriptor(CRC, PACKED, SIZE, wide=True), local_size=MAX32, local_packed_size=MAX32, local_extra=zip64_extra(0, 0)
    ),
    "descriptor, and unknown sizes for ZIP64": _described(
        descriptor(CRC, PACKED, SIZE, wide=True),
        local_size=MAX32, local_packed_size=MAX32, local_extra=zip64_extra(2**64 - 1, 2**64 - 1),
    ),
    "descriptor, and sizes in the local header too": _described(
        descriptor(CRC, PACKED, SIZE), local_size=SIZE, local_packed_size=PACKED, local_crc=CRC
    ),
    "flag of a descriptor in the local header alone, and there is one": _odd(
        Raw(b"a.html", DATA, local_flags=DESCRIPTOR, descriptor=descriptor(CRC, PACKED, SIZE)), more=("a.html",)
    ),
    "flag of a descriptor in the directory alone, and there is one": _described(
        descriptor(CRC, PACKED, SIZE, signed=False), local_flags=0, local_size=SIZE, local_packed_size=PACKED, local_crc=CRC
    ),
    "flag of a descriptor, and none": _described(b"", local_size=SIZE, local_packed_size=PACKED, local_crc=CRC),
    "descriptor without a flag": _odd(
        Raw(b"a.html", DATA, descriptor=descriptor(CRC, PACKED, SIZE)), more=("a.html",)
    ),
    "flags of the packer's effort": _file("a.html", flags=2, local_flags=6),
    "comment": _odd(end=End(comment=b"Made by a tool, \xe9\x00PK\3\4 and so on")),
    "longest comment": _odd(end=End(comment=b"c" * 0xFFFF)),
    "comments of entries": _file("a.html", comment=b"a comment PK\1\2"),
    "ZIP64 everywhere": Odd(_all_zip64),
    "ZIP64 end alone": Odd(_only_zip64_end),
    "ZIP64 end, and the plain one is right too": _odd(end=End(zip64=True)),
    "ZIP64 locator that counts no disks": _odd(end=End(zip64=True, disks=0)),
    "ZIP64 field with all values": _file(
        "a.html", central_extra=zip64_extra(SIZE, PACKED)
    ),
    "ZIP64 for the offset alone": Odd(
        lambda: raw_zip([*raw_package(), Raw(b"a.html", DATA, at=MAX32, central_extra=zip64_extra(
            sum(len(each.local()) for each in raw_package())))]),
        (*SOUND, "a.html"),
    ),
    "times, owners and NTFS fields": _file("a.html", local_extra=TIMES + OWNERS, central_extra=TIMES + NTFS + OWNERS),
    "Java's mark": _file("a.html", local_extra=extra(0xCAFE, b""), central_extra=extra(0xCAFE, b"")),
    "field filled up for alignment": _file("a.html", local_extra=b"\0\0\0"),
    "large alignment field": _file("a.html", local_extra=extra(0xD935, bytes(4000))),
    "field that goes on behind its end": _file("a.html", central_extra=struct.pack("<HH", 0x9999, 400) + b"x"),
    "zeros between files": _odd(
        Raw(b"a.html", DATA, before=bytes(13)), more=("a.html",), warns=("zip-padding",)
    ),
    "zeros before the directory": _odd(gap=bytes(100), warns=("zip-padding",)),
    "zeros at the end": _odd(trailer=bytes(512), warns=("zip-padding",)),
    "line end at the end": _odd(trailer=b"\r\n", warns=("zip-padding",)),
    "line end before": _odd(prefix=b"\r\n", warns=("zip-padding",)),
    "byte order mark and blanks before, offsets of the zip": _odd(
        prefix=b"\xef\xbb\xbf\n\n", relative=True, warns=("zip-padding",)
    ),
    "line end before a ZIP64": _odd(prefix=b"\n", relative=True, end=End(zip64=True), warns=("zip-padding",)),
    "mark of a split zip that fitted": _odd(prefix=b"PK00"),
    "directory in another order": _odd(Raw(b"a.html", DATA), more=("a.html",), backwards=True),
    "signed directory": _odd(end=End(before=SIGNATURE)),
    "made by NTFS with its attributes": _file("a.html", made_by=10 << 8 | 63, attributes=0x00100020),
    "made by DOS": _file("a.html", made_by=20, attributes=0x20),
    "made by macOS": _file("a.html", made_by=19 << 8 | 21, attributes=0o100755 << 16 | 0x4000),
    "rights alone": _file("a.html", attributes=0o600 << 16),
    "rights with setuid": _file("a.html", attributes=0o104755 << 16),
    "needs a later version": _file("a.html", needed=63),
    "folder by its attribute": _odd(Raw(b"folder", attributes=0x10, method=0)),
    "folder by its mode": _odd(Raw(b"folder", attributes=0o040755 << 16, method=0)),
    "folder that was deflated": _odd(Raw(b"folder/")),
    "folder twice": _odd(Raw(b"folder/", method=0), Raw(b"folder/", method=0)),
    "root as a folder": _odd(Raw(b"/", method=0), Raw(b"./", method=0)),
    "empty file, deflated": _odd(Raw(b"a.html"), more=("a.html",)),
    "empty file, deflated to nothing": _odd(Raw(b"a.html", packed=b""), more=("a.html",)),
    "empty file, stored": _odd(Raw(b"a.html", method=0), more=("a.html",)),
}  # fmt: skip

NAMES: Mapping[str, Odd] = {
    "Unicode with its flag": _file("Урок 1/картинка – 日本語 🎓.png"),
    "Unicode without its flag": _file("Урок 1/картинка – 日本語 🎓.png", flags=0),
    "flag of an English name in the directory alone": _file("e.html", flags=UTF8, local_flags=0),
    "flag of an English name in the local header alone": _file("e.html", local_flags=UTF8),
    "flag and no Unicode": _file(DOS, path="Урок.html", flags=UTF8, warns=("zip-name-encoding",)),
    "letters taken apart, as macOS has them": _file("cafe\u0301 й.html".replace("й", "и\u0306"), path="café й.html"),
    "cp866": _in_charset("cp866", "Урок первый.html", "Введение/Тест.html"),
    "cp866, hrefs in percent": _in_charset("cp866", "Ёж.html", "Яя.html", href="%D0%81%D0%B6.html"),
    "cp866, nothing refers to it": _in_charset("cp866", "Урок первый.html", "Введение/Тест.html", href="index.html"),
    "cp1251": _in_charset("cp1251", "Урок первый.html", "Введение/Тест.html"),
    "cp1251, manifest too": _in_charset("cp1251", "Урок первый.html", declared="windows-1251"),
    "koi8-r": _in_charset("koi8-r", "Урок первый.html", "Введение/Тест.html"),
    "GBK": _in_charset("gbk", "课程/第一单元.html", "图片.html"),
    "GBK, manifest too": _in_charset("gbk", "课程/第一单元.html", declared="gb2312"),
    "GBK, nothing refers to it": _in_charset("gbk", "课程/第一单元.html", "图片.html", href="index.html"),
    "Shift_JIS with backslash bytes": _in_charset("cp932", "表/予定ソ.html", "テスト.html"),
    "Shift_JIS, nothing refers to it": _in_charset("cp932", "第一章/はじめに.html", "テスト.html", href="index.html"),
    "Big5": _in_charset("cp950", "課程/第一單元.html", "圖片.html"),
    "Korean": _in_charset("cp949", "강의/학습 목표.html", href="index.html"),
    "German of DOS": _in_charset("cp850", "Prüfung/Übung 1.html", "Größe.html", href="index.html"),
    "German of Windows": _in_charset("cp1252", "Prüfung/Übung 1.html", "Größe.html", href="index.html"),
    "French of DOS": _in_charset("cp850", "Leçon générale.html", "Évaluation à l’école.html".replace("’", "'")),
    "Polish of DOS": _in_charset("cp852", "Książka/żółw.html"),
    "Greek of DOS": _in_charset("cp737", "Μάθημα.html", "Εισαγωγή.html"),
    "Unicode name beside one of DOS": _file(DOS, path="Урок.html", central_extra=unicode_path(DOS, "Урок.html")),
    "Unicode name beside question marks": _file(
        b"????.html", path="Урок.html", central_extra=unicode_path(b"????.html", "Урок.html")
    ),
    "Unicode name beside Info-ZIP's escapes": _file(
        b"#U0423#U0440#U043e#U043a.html", path="Урок.html",
        central_extra=unicode_path(b"#U0423#U0440#U043e#U043a.html", "Урок.html"),
    ),
    "Unicode name in both headers": _file(
        DOS, path="Урок.html", central_extra=unicode_path(DOS, "Урок.html"), local_extra=unicode_path(DOS, "Урок.html")
    ),
    "Unicode name of a name before": _file("b.html", central_extra=unicode_path(b"a.html", "a.html")),
    "Unicode name of a version unknown": _file("a.html", central_extra=extra(0x7075, b"\2abcdefg")),
    "backslashes": _file("a\\b\\c.html", path="a/b/c.html", warns=("zip-name-backslash",)),
    "folder with a backslash": _odd(Raw(b"a\\b\\", method=0), Raw(b"a\\b\\c", b"x"), more=("a/b/c",), warns=("zip-name-backslash",)),
    "single dots": _file("./a/./b.html", path="a/b.html", warns=("zip-name-dots",)),
    "doubled slashes": _file("a//b.html", path="a/b.html", warns=("zip-name-dots",)),
    "dots within names": _file("a..b/..c/.hidden/d...e.html"),
    "name of 512 bytes": _file("n" * 255 + "/" + "n" * 254 + "/n"),
    "names of 255 bytes in other letters": _file("Я" * 127 + "n/" + "Я" * 127),
    "31 folders deep": _file("d/" * 31 + "x.html"),
    "signs that addresses need escaped": _file("a b/100%25 & more#top+plus;.html"),
    "signs that addresses and Windows have their own use for": _file("a/b?x=1.html", warns=("zip-name-characters",)),
    "folder with signs that Windows has not": _odd(
        Raw(b"a*/", method=0), Raw(b"a*/b.html", DATA), more=("a*/b.html",), warns=("zip-name-characters",)
    ),
    "Arabic with a mark of direction": _file("مقدمة\u200f (1).html"),
    "slash in percent": _file("a%2Fb.html"),
    "signs that Windows has not": _file("a<b>|*?\".html", warns=("zip-name-characters",)),
    "blank before": _file(" a.html"),
    "nearly reserved": _file("console/com0/nullable/auxiliary.com1.html"),
    "Persian with a joiner": _file("می\u200cخواهم.html"),
    "case of folders differs": _odd(
        Raw(b"Media/a.html", DATA), Raw(b"media/b.html", DATA), more=("Media/a.html", "media/b.html")
    ),
    "silent sound": _odd(Raw(b"silence.wav", wav(3 * MIB)), more=("silence.wav",)),
    "white picture beside a photo": _odd(
        Raw(b"white.bmp", bmp(6 * MIB)), Raw(b"photo.jpg", b"\xff\xd8\xff\xe0" + Random(1).randbytes(40_000)),
        more=("white.bmp", "photo.jpg"),
    ),
    "large white picture among other things": _odd(
        Raw(b"white.bmp", bmp(30 * MIB)), Raw(b"photo.jpg", b"\xff\xd8\xff\xe0" + Random(1).randbytes(200_000)),
        more=("white.bmp", "photo.jpg"),
    ),
    "zip in a zip": _odd(Raw(b"more.zip", zip_of({"../x": b"x"}), method=0), more=("more.zip",)),
}  # fmt: skip

TREES: Mapping[str, Odd] = {
    "what macOS leaves": Odd(
        lambda: zip_of({**package_files(), "__MACOSX/._index.html": b"\0", ".DS_Store": b"1", "a/.DS_Store": b"2",
                        "a/._b": b"3", "__MACOSX/a/b.html": b"4", "Icon\r": b"", "a/._Icon\r": b""}),
        codes=frozenset({"zip-junk"}),
    ),
    "what Windows leaves": Odd(
        lambda: zip_of({**package_files(), "Thumbs.db": b"1", "a/thumbs.db": b"2", "desktop.ini": b"3",
                        "index.html:Zone.Identifier": b"4"}),
        codes=frozenset({"zip-junk"}),
    ),
    "one folder": _inside("course/", codes=frozenset({"zip-root-folder"})),
    "one folder beside what macOS leaves": _inside(
        "My Course/", {"__MACOSX/My Course/._index.html": b"\0", ".DS_Store": b"1"},
        codes=frozenset({"zip-root-folder", "zip-junk"}),
    ),
    "two folders, one in the other": _inside("export/My Course/", codes=frozenset({"zip-root-folder"})),
    "one folder beside a loose file": _inside(
        "course/", {"readme.txt": b"Read me"}, codes=frozenset({"zip-root-folder", "zip-outside-root"})
    ),
    "manifest in upper case": Odd(
        lambda: zip_of({"IMSMANIFEST.XML": manifest_12(), "index.html": INDEX}), ("IMSMANIFEST.XML", "index.html")
    ),
    "manifest in upper case in a folder": Odd(
        lambda: zip_of({"A/IMSMANIFEST.XML": manifest_12(), "A/index.html": INDEX}), ("IMSMANIFEST.XML", "index.html"),
        frozenset({"zip-root-folder"}), "A/",
    ),
    "manifests in folders too": Odd(
        lambda: zip_of({**package_files(), "a/imsmanifest.xml": "<x/>", "b/imsmanifest.xml": "<y/>"}),
        (*SOUND, "a/imsmanifest.xml", "b/imsmanifest.xml"),
    ),
}  # fmt: skip

ODD: Mapping[str, Odd] = {**HEADERS, **NAMES, **TREES}
"""All, by name."""
