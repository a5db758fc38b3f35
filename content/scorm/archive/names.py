"""The names of entries: decoded, made into clean paths, and refused where they could mean a place outside or a device.

A path that comes out is in NFC, has `/` between non-empty segments, none of which is `.` or `..`, is reserved on Windows, or has
control characters. Before: `local`. After: `tree` looks at all paths together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from content.scorm.archive.charsets import guess
from content.scorm.archive.directory import UNICODE_PATH, Central, field_of
from content.scorm.archive.local import in_force
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits

_UTF8_FLAG = 1 << 11
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[1-9¹²³])[ ]*(?:\..*)?", re.IGNORECASE | re.DOTALL
)
_PLAIN = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_ .()+,@=~-]*/)*[A-Za-z0-9_-][A-Za-z0-9_ .()+,@=~-]*")
_ODD = re.compile(r"[. ](?:/|$)|(?:^|/)(?:con|prn|aux|nul|clock\$|com[1-9]|lpt[1-9])[ ./]", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")
_LOSSY = re.compile(rb"[?_#]")


def decode_names(headers: Sequence[Central], witness: Callable[[], bytes], found: Findings) -> list[str]:
    """The names as text, in order. `witness`: gives the manifest's bytes, asked only if a character set has to be guessed.
    Adds `zip-name-conflict` to `found`."""
    names = [""] * len(headers)
    unsure: list[int] = []
    for number, header in enumerate(headers):
        if header.name.isascii() and not header.extra:
            names[number] = header.name.decode("ascii")
            continue
        name = _certain(header, found)
        if name is None:
            unsure.append(number)
        else:
            names[number] = name
    if unsure:
        some = [headers[number].name for number in unsure]
        if not all(_is_utf8(name) for name in some):
            codec = guess(some, witness())
            message = (
                f"The names of {len(unsure):,} files are not in Unicode; they were read as {codec}. If they look wrong, pack "
                "the files with a tool that writes names in UTF-8, for instance 7-Zip."
            )
            found.warn("zip-name-encoding", headers[unsure[0]].name.decode(codec, "replace"), message)
        else:
            codec = "utf-8"
        for number in unsure:
            names[number] = headers[number].name.decode(codec, "replace")
    return names


def clean_path(text: str, limits: ImportLimits, found: Findings) -> str:
    """The path; empty for the root itself, and where it was refused. Adds to `found`: `zip-name-length`, `zip-name-depth`,
    `zip-name-characters`, `zip-name-absolute`, `zip-name-drive`, `zip-name-traversal`, `zip-name-reserved`, `zip-name-empty`; as
    warnings `zip-name-backslash`, `zip-name-dots`."""
    path = text[:-1] if text[-1:] == "/" else text
    if not (_PLAIN.fullmatch(path) and not _ODD.search(path + "/")):
        cleaned = _clean_odd(path, text, found)
        if cleaned is None:
            return ""
        path = cleaned
    size = len(path) if path.isascii() else len(path.encode())
    if size > limits.name_bytes:
        message = f"The name has {size:,} bytes; at most {limits.name_bytes:,} are taken. Use shorter names."
        found.error("zip-name-length", path, message)
        return ""
    if path.count("/") >= limits.name_depth:
        message = f"The file lies {path.count('/'):,} folders deep; fewer than {limits.name_depth:,} are taken."
        found.error("zip-name-depth", path, message)
        return ""
    return path


def _clean_odd(path: str, text: str, found: Findings) -> str | None:
    """The path of a name that is not made of plain characters; None if it was refused."""
    if not text:
        found.error("zip-name-empty", "", "A file in the zip has no name. Make the zip anew.")
        return None
    path = unicodedata.normalize("NFC", path)
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in path):
        message = "The name has control characters in it, which no file can have everywhere. Rename the file."
        found.error("zip-name-characters", text, message)
        return None
    if "\\" in path:
        message = "Folders are separated by backslashes in the zip; they were read as slashes."
        found.warn("zip-name-backslash", text, message)
        path = path.replace("\\", "/").rstrip("/") if path.strip("\\/") else "/"
    if not path.strip("./") and ".." not in path.split("/"):
        return ""
    if path.startswith("/"):
        found.error(
            "zip-name-absolute",
            text,
            "The name begins at the root of a disk. Pack the folder's files, not their full paths.",
        )
        return None
    if _DRIVE.match(path):
        found.error(
            "zip-name-drive",
            text,
            "The name begins with a drive letter. Pack the folder's files, not their full paths.",
        )
        return None
    segments = path.split("/")
    if ".." in segments or _hides_traversal(path):
        found.error(
            "zip-name-traversal",
            text,
            "The name leads out of the package (“..”), as an attack would. Make the zip anew.",
        )
        return None
    kept = [segment for segment in segments if segment not in ("", ".")]
    for segment in kept:
        if segment[-1] in ". " or ":" in segment or _RESERVED.fullmatch(segment):
            message = f"“{segment}” cannot be a file's name on Windows, where learners may keep it. Rename the file or folder."
            found.error("zip-name-reserved", text, message)
            return None
    if len(kept) != len(segments):
        found.warn("zip-name-dots", text, "The name has empty parts or single dots in it; they were left out.")
    return "/".join(kept)


def _certain(header: Central, found: Findings) -> str | None:
    """The name where the zip says in what character set it is; None where that has to be guessed."""
    try:
        field = field_of(header.extra, UNICODE_PATH)
    except ValueError:
        found.error(
            "zip-name-conflict", header.shown, "The file's Unicode name is damaged or given twice. Make the zip anew."
        )
        return header.shown
    plain = "ascii" if header.name.isascii() else "utf-8" if header.flags & _UTF8_FLAG else None
    name = _decoded(header.name, plain) if plain else None
    if field is None or not in_force(field, header.name):
        return name
    other = _decoded(field[5:], "utf-8")
    if other is None or not _may_be(other, header.name, name):
        message = "The file has two different names, so that other programs may see another package. Make the zip anew."
        found.error("zip-name-conflict", header.shown, message)
        return header.shown
    return other


def _may_be(other: str, raw: bytes, name: str | None) -> bool:
    """Whether a Unicode name can be the one that was written as `raw`, where what the old character set had not became `?`,
    `_` or `#U0416`. ASCII letters must be the same ones in the same order."""
    if other == name:
        return True
    if name is not None and (not raw.isascii() or not _LOSSY.search(raw)):
        return False
    position = 0
    for letter in other.replace("\\", "/").encode():
        if letter < 0x80:
            position = raw.replace(b"\\", b"/").find(letter, position) + 1
            if not position:
                return False
    return raw.replace(b"\\", b"/").count(b"/") == other.replace("\\", "/").count("/") or not raw.isascii()


def _hides_traversal(path: str) -> bool:
    """Whether `..` appears once percent signs are decoded, as some server in between may do, even twice."""
    for _ in range(3):
        if "%" not in path:
            return False
        path = unquote(path)
        if ".." in path.replace("\\", "/").split("/"):
            return True
    return False


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _is_utf8(data: bytes) -> bool:
    return _decoded(data, "utf-8") is not None
