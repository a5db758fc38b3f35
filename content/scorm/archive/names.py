"""The names of entries: made into clean paths, and refused where they could mean a place outside or a device.

A path that comes out is in NFC, has `/` between non-empty segments, none of which is `.` or `..`, is reserved on Windows, or has
control characters. Before: `decoding`. After: `tree` looks at all paths together.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits

_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[1-9¹²³])[ ]*(?:\..*)?", re.IGNORECASE | re.DOTALL
)
_PLAIN = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9_ .()+,@=~-]*/)*[A-Za-z0-9_-][A-Za-z0-9_ .()+,@=~-]*")
_ODD = re.compile(r"/(?:con|prn|aux|nul|com[1-9]|lpt[1-9])[ ./]")
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""They make letters after them stand the other way round, so that `exe.gpj` is seen as `jpg.exe`."""
_NOT_ON_WINDOWS = re.compile(r'[?*"<>|]')
_MOST_SEGMENT = 255
"""Bytes; no disk in use takes more for one file or folder."""
_DRIVE = re.compile(r"[A-Za-z]:")


def clean_path(text: str, limits: ImportLimits, found: Findings) -> str | None:
    """The path; empty for the root itself, None where it was refused. Adds to `found`: `zip-name-length`, `zip-name-depth`,
    `zip-name-characters`, `zip-name-absolute`, `zip-name-drive`, `zip-name-traversal`, `zip-name-reserved`, `zip-name-empty`; as
    warnings `zip-name-backslash`, `zip-name-dots`, and `zip-name-characters` for names that only Windows has not."""
    path = text[:-1] if text[-1:] == "/" else text
    framed = f"/{path.lower()}/"
    if not _PLAIN.fullmatch(path) or "./" in framed or " /" in framed or _ODD.search(framed):
        cleaned = _clean_odd(path, text, found)
        if not cleaned:
            return cleaned
        path = cleaned
    size = len(path) if path.isascii() else len(path.encode())
    if size > limits.name_bytes:
        found.error("zip-name-length", path, too_long(size, limits))
        return None
    if size > _MOST_SEGMENT:
        segment = max(path.encode().split(b"/"), key=len)
        if len(segment) > _MOST_SEGMENT:
            message = (
                f"“{segment.decode()}” has {len(segment):,} bytes; disks take at most {_MOST_SEGMENT} for the name of one file "
                "or folder. Rename it."
            )
            found.error("zip-name-length", path, message)
            return None
    if path.count("/") >= limits.name_depth:
        message = (
            f"The file lies in {path.count('/'):,} folders within each other; at most {limits.name_depth - 1:,} are taken. "
            "Move it up, or pack the folder that holds the course and not those above it."
        )
        found.error("zip-name-depth", path, message)
        return None
    return path


def too_long(size: int, limits: ImportLimits) -> str:
    return (
        f"The name has {size:,} bytes with its folders; at most {limits.name_bytes:,} are taken (letters beyond English have 2 to "
        "4 each). Shorten the names of the file and its folders."
    )


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
    if _DIRECTIONS.search(path):
        message = (
            "The name has characters in it that turn the direction of writing, so that it looks like another one, as names of "
            "malware do. Rename the file."
        )
        found.error("zip-name-characters", text, message)
        return None
    if "\\" in path:
        message = "Folders are separated by backslashes in the zip; they were read as slashes."
        found.warn("zip-name-backslash", text, message)
        path = path.replace("\\", "/").rstrip("/") if path.strip("\\/") else "/"
    if not set(path.split("/")) - {"", "."}:
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
    if signs := sorted(set(_NOT_ON_WINDOWS.findall(path))):
        message = f"The name has {' '.join(signs)} in it and cannot be stored on Windows, where learners may keep it. Rename the file."
        found.warn("zip-name-characters", text, message)
    if len(kept) != len(segments):
        found.warn("zip-name-dots", text, "The name has empty parts or single dots in it; they were left out.")
    return "/".join(kept)


def _hides_traversal(path: str) -> bool:
    """Whether `..` appears once percent signs are decoded, as some server in between may do, even twice."""
    for _ in range(3):
        if "%" not in path:
            return False
        path = unquote(path)
        if ".." in path.replace("\\", "/").split("/"):
            return True
    return False
