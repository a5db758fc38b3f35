"""The names of entries as text: what the zip says about their character set, else what was guessed.

Before: `local`. After: `names` makes paths of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from content.scorm.archive.charsets import guess
from content.scorm.archive.directory import UNICODE_PATH, Central, field_of
from content.scorm.archive.local import in_force
from content.scorm.archive.words import counted
from content.scorm.findings import Findings

_UTF8_FLAG = 1 << 11
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
                f"The zip has {counted(len(unsure), 'name')} not in Unicode, read here as {codec}. If they look wrong, pack "
                "the files with a tool that writes names in UTF-8, for instance 7-Zip."
            )
            found.warn("zip-name-encoding", headers[unsure[0]].name.decode(codec, "replace"), message)
        else:
            codec = "utf-8"
        for number in unsure:
            names[number] = headers[number].name.decode(codec, "replace")
    return names


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


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _is_utf8(data: bytes) -> bool:
    return _decoded(data, "utf-8") is not None
