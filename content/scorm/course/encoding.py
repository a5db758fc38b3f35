"""The bytes of a text document as text, whatever its encoding is said to be.

A byte order mark counts most, then zero bytes (UTF-16 without a mark), then what the XML declaration says, then UTF-8. What is
declared as UTF-8 and is not, is read as UTF-8 with its other bytes taken as Windows-1252, which is what they are in practice.
Encodings come from a list: Python knows codecs that are no character encodings.
"""

from __future__ import annotations

import codecs
import re

from content.scorm.findings import Findings

_DECLARED = re.compile(
    rb"""\s*<\?xml\s[^>]{0,400}?encoding\s*=\s*["']\s*([A-Za-z0-9._:-]{1,40})\s*["']""", re.IGNORECASE
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Supersets where writers mean them: GB2312 is written as GBK, Shift_JIS as Windows-31J, Latin-1 as Windows-1252.
_CODECS = {
    **dict.fromkeys(("utf-8", "utf8", "us-ascii", "ascii", "unicode-1-1-utf-8"), "utf-8"),
    **dict.fromkeys(("utf-16", "utf16", "utf-16le", "utf-16be", "ucs-2", "unicode", "iso-10646-ucs-2"), "utf-16"),
    **dict.fromkeys(("gb2312", "gbk", "gb18030", "gb-2312", "cp936", "x-gbk", "euc-cn", "hz-gb-2312"), "gb18030"),
    **dict.fromkeys(("big5", "big-5", "big5-hkscs", "cp950", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j", "ms932", "cp932"), "cp932"),
    **dict.fromkeys(("euc-jp", "eucjp", "x-euc-jp"), "euc_jp"),
    "iso-2022-jp": "iso2022_jp",
    **dict.fromkeys(("euc-kr", "euckr", "ks_c_5601-1987", "ksc5601", "cp949", "windows-949"), "cp949"),
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "l1", "windows-1252"), "cp1252"),
    **{f"iso-8859-{n}": f"iso8859-{n}" for n in (*range(2, 12), *range(13, 17))},
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    **{f"windows-{n}": f"cp{n}" for n in range(1250, 1259)},
    **{f"cp{n}": f"cp{n}" for n in (437, 850, 852, 866, 874, *range(1250, 1259))},
    **dict.fromkeys(("tis-620", "windows-874"), "cp874"),
    **dict.fromkeys(("koi8-r", "koi8-u"), "koi8_u"),
    **dict.fromkeys(("macintosh", "mac", "x-mac-roman"), "mac_roman"),
}
_TRUSTED = frozenset(("gb18030", "big5hkscs", "cp932", "euc_jp", "iso2022_jp", "cp949", "cp874"))
_LONE = re.compile("[\udc80-\udcff]")


def decode(data: bytes, document: str, found: Findings) -> str:
    """The text without its mark. Never fails: what cannot be read is replaced, and told."""
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _as(data[len(mark) :], codec, document, found)
    wide = _wide(data[:64])
    if wide:
        return _as(data, wide, document, found)
    match = _DECLARED.match(data[:1024])
    declared = match[1].decode("ascii").lower() if match else "utf-8"
    codec = _CODECS.get(declared, "")
    if not codec:
        found.warn("xml-encoding", document, f"The encoding “{declared}” is not known. The text was read as UTF-8.")
    if codec in ("", "utf-16", "utf-8"):  # UTF-16 is said but not there
        return _as_utf8(data, document, found)
    if codec not in _TRUSTED and not data.isascii():
        try:  # letters of one byte each are hardly ever UTF-8 by chance
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            found.warn(
                "xml-encoding", document, f"“{declared}” is declared but the text is UTF-8, and was read as that."
            )
            return text
    return _as(data, codec, document, found)


def _wide(start: bytes) -> str:
    """UTF-16 or UTF-32 without a mark: where the zero bytes of its ASCII letters are."""
    if b"\0" not in start or len(start) < 4:
        return ""
    if start[:3] == b"\0\0\0":
        return "utf-32-be"
    if start[1:4] == b"\0\0\0":
        return "utf-32-le"
    return "utf-16-be" if start[0] == 0 else "utf-16-le" if start[1] == 0 else ""


def _as(data: bytes, codec: str, document: str, found: Findings) -> str:
    if codec == "utf-8":
        return _as_utf8(data, document, found)
    if codec == "cp1252":  # five bytes are unused there, and then the control characters that Latin-1 has
        return data.decode("latin-1").translate(_WINDOWS)
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        at = data.count(b"\n", 0, error.start) + 1
        message = f"Some letters are not “{codec}”, as the others are; they were replaced."
        found.warn("xml-encoding", f"{document}:{at}", message)
        return data.decode(codec, "replace")


def _as_utf8(data: bytes, document: str, found: Findings) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        at = data.count(b"\n", 0, error.start) + 1
        message = "The text is declared as UTF-8 but is not all of it; the rest was read as Windows-1252."
        found.warn("xml-encoding", f"{document}:{at}", message)
        return _LONE.sub(
            lambda lone: chr(ord(lone[0]) - 0xDC00).translate(_WINDOWS), data.decode("utf-8", "surrogateescape")
        )


_WINDOWS = {
    byte: bytes((byte,)).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
