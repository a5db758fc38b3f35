"""Paths of somebody else's files as names that every file system takes: none leaves its folder, none hides another.

A path that is harmless stays as it is. Before: a manifest of an imported package. After: `unpack_imported.py`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

_NOT_IN_NAMES = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]')
# Devices of Windows, with whatever ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(\.|$)", re.I)
MAX_NAME_BYTES = 200


def safe_names(paths: Iterable[str]) -> dict[str, str]:
    """Path → relative name with `/`. Two paths never get one name, however a file system compares them."""
    cleaned = {path: "/".join(_part(part) for part in path.split("/")) for path in sorted(paths)}
    folders = {_key(str(parent)) for name in cleaned.values() for parent in PurePosixPath(name).parents}
    taken: set[str] = set()
    found: dict[str, str] = {}
    for path, name in cleaned.items():
        if _key(name) in taken or _key(name) in folders:
            name = _marked(name, path)
        taken.add(_key(name))
        found[path] = name
    return found


def _part(part: str) -> str:
    clean = _NOT_IN_NAMES.sub("_", part)
    bare = clean.rstrip(". ")
    clean = bare + "_" * (len(clean) - len(bare)) or "_"
    if _DEVICES.match(clean):
        clean = f"_{clean}"
    return _marked(clean, part) if len(clean.encode()) > MAX_NAME_BYTES else clean


def _marked(name: str, of: str) -> str:
    """The name, cut where it is long, with a mark that follows from what it stands for."""
    at = PurePosixPath(name)
    suffix = at.suffix if len(at.suffix.encode()) <= 16 else ""
    stem = at.name.removesuffix(suffix) if suffix else at.name
    stem = stem.encode()[: MAX_NAME_BYTES - 40].decode(errors="ignore")
    mark = hashlib.sha256(of.encode()).hexdigest()[:12]
    return str(at.with_name(f"{stem}-{mark}{suffix}"))


def _key(name: str) -> str:
    """What a file system that looks neither at case nor at Unicode's forms sees."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
