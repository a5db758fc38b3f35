"""What an archive holds: one file, where its bytes lie, and how a lookup found it.

Before: `opening`, which made sure that all of it is safe. After: `inflate` reads the bytes, `lookup` the names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["exact", "decoded", "backslash", "relative", "form", "case", "encoding"]
"""What had to be done to a reference until it named a file: nothing; percent-decoding; backslashes read as slashes; dots,
doubled or leading slashes, spaces around it or the stripped root taken away; its Unicode form; its case; its character set."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `path`: NFC, `/` between folders, relative to the archive's root. `start`: where its packed bytes lie in the
    zip. `name`: the name's bytes as the zip has them. Sizes and checksum are what the zip says until they have been read."""

    path: str
    size_bytes: int
    packed_bytes: int
    crc32: int
    deflated: bool
    start: int
    name: bytes


@dataclass(frozen=True)
class Found:
    """The path of a file that a reference means."""

    path: str
    how: How
