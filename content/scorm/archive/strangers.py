"""What a file is that is no zip, by its first bytes, in words an author knows.

Before: `end` found no end record. After: the package is refused by the name of what it is.
"""

from __future__ import annotations

HEAD_BYTES = 1024
_PLAIN = "Unpack it and pack the course's files as a plain zip."
_EXPORT = "In the tool that made the course, export it as a SCORM package (a zip) and upload that."
_PAGE = "What was saved is a page of a web site, often its log-in or error page; download the package anew."

_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"Rar!\x1a\x07", "a RAR archive", _PLAIN),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _PLAIN),
    (b"\x1f\x8b", "a gzip file (.gz, .tgz)", _PLAIN),
    (b"BZh", "a bzip2 file", _PLAIN),
    (b"\xfd7zXZ\x00", "an xz file", _PLAIN),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", _PLAIN),
    (b"MSCF", "a cabinet file (.cab)", _PLAIN),
    (b"\x60\xea", "an ARJ archive", _PLAIN),
    (b"xar!", "a xar archive", _PLAIN),
    (b"%PDF-", "a PDF document", _EXPORT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of Microsoft Office or an installer", _EXPORT),
    (b"{\\rtf", "an RTF document", _EXPORT),
    (b"MZ", "a Windows program, perhaps a self-extracting archive", _PLAIN),
    (b"\x7fELF", "a Linux program", _EXPORT),
    (b"\xca\xfe\xba\xbe", "a macOS program or Java class", _EXPORT),
    (b"\xcf\xfa\xed\xfe", "a macOS program", _EXPORT),
    (b"#!", "a script", _EXPORT),
    (b"\x89PNG", "a picture (PNG)", _EXPORT),
    (b"\xff\xd8\xff", "a picture (JPEG)", _EXPORT),
    (b"GIF8", "a picture (GIF)", _EXPORT),
    (b"ID3", "a sound (MP3)", _EXPORT),
    (b"OggS", "a sound or film (Ogg)", _EXPORT),
    (b"RIFF", "a sound, film or picture (RIFF)", _EXPORT),
    (b"\x1aE\xdf\xa3", "a film (Matroska, WebM)", _EXPORT),
    (b"FWS", "a Flash film", _EXPORT),
    (b"CWS", "a Flash film", _EXPORT),
    (b"SQLite format 3", "a database (SQLite)", _EXPORT),
    (b"version https://git-lfs", "a pointer to a file that Git LFS keeps elsewhere", "Fetch the file itself (`git lfs pull`)."),
)  # fmt: skip


def what_it_is(head: bytes) -> tuple[str, str]:
    """What the file is, with its article, or nothing if that is unknown; and what to do. `head`: its first `HEAD_BYTES`."""
    for beginning, name, remedy in _BEGINNINGS:
        if head.startswith(beginning):
            return name, remedy
    if head[257:262] == b"ustar":
        return "a tar archive", _PLAIN
    if head[2:5] == b"-lh":
        return "an LHA archive", _PLAIN
    if head[4:8] == b"ftyp":
        return "a film or sound (MP4)", _EXPORT
    return _by_text(head)


def _by_text(head: bytes) -> tuple[str, str]:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "replace").encode()
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<meta")):
        return "an HTML page", _PAGE
    if b"<manifest" in text:
        return (
            "a manifest alone",
            "Zip the whole folder that it lies in, with all files of the course, and upload the zip.",
        )
    if text.startswith(b"<"):
        return "an XML document", _EXPORT
    if text.startswith((b"{", b"[")):
        return "a JSON document", _PAGE
    if not head.strip(b"\0"):
        return "nothing but zeros", "The upload or the copy was cut off; upload the package again."
    return "", _EXPORT
