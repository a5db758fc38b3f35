"""What a zip is made of: names with bytes, or with the digest of a rendition that lies in the object store; and the plan of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from content.errors import Problem


@dataclass(frozen=True)
class Stored:
    """A rendition. It is read when the zip is written, and checked against this digest and size."""

    digest: str
    size_bytes: int


@dataclass(frozen=True)
class Entry:
    """One file of an export; `path` is relative, with `/`, of ASCII letters, digits, `-`, `_` and `.`. A `foreign` file is as
    somebody else made it, in whatever encoding, and its path has any letters."""

    path: str
    content: bytes | Stored
    foreign: bool = False

    @property
    def size_bytes(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.size_bytes


@dataclass(frozen=True)
class ExportPlan:
    """`entries` are sorted by path; `size_bytes` is the exact size of the zip."""

    entries: tuple[Entry, ...]
    passport: Mapping[str, Any]
    findings: tuple[Problem, ...]
    size_bytes: int
