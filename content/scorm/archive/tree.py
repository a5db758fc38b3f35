"""All paths of a zip together: none twice, no file that is a folder too; what systems left behind is dropped; the folder that
everything lies in is taken away.

Before: `names`. After: the archive's entries.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import TypeVar

from content.scorm.archive.lookup import caseless
from content.scorm.findings import Findings

T = TypeVar("T")
MANIFESTS = ("imsmanifest.xml", "cmi5.xml", "tincan.xml")
_JUNK_FOLDERS = frozenset(("__macosx", ".ds_store", ".spotlight-v100", ".trashes", ".fseventsd", "$recycle.bin"))
_JUNK_FILES = frozenset((".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".directory"))
_MARKS = (":zone.identifier", "icon\r")
"""Files that no name of ours may have, and yet are seen: where a file came from, as Windows notes it (Linux that zips on a disk
of Windows sees a file of its own); a folder's picture on macOS."""


def without_mark(name: str) -> str:
    """The name as it can be looked at further where a system left the file behind under a name that is none; else as it is."""
    for mark in _MARKS:
        if name.lower().endswith(mark):
            return f"{name[: -len(mark)]}mark"
    return name


def is_junk(path: str) -> bool:
    """Whether a system or file manager made it, and not the author."""
    segments = path.lower().rstrip("/").split("/")
    last = segments[-1]
    return last in _JUNK_FILES or last.startswith("._") or not _JUNK_FOLDERS.isdisjoint(segments)


def check_twice(files: Iterable[str], folders: Iterable[str], found: Findings) -> None:
    """Adds to `found`: `zip-duplicate` for paths that are equal, also by case or Unicode form; `zip-file-and-folder`."""
    seen: dict[str, str] = {}
    for path in files:
        key = caseless(path)
        if key in seen:
            message = (
                "The file is twice in the zip."
                if seen[key] == path
                else f"The name differs from “{seen[key]}” by case or accents only, so that many disks cannot hold both."
            )
            found.error("zip-duplicate", path, f"{message} Leave one of them out or rename it.")
        seen[key] = path
    # Sorted with the slash before all other letters, what lies in a folder comes directly after the folder's own name.
    keys = sorted(
        [(key.replace("/", "\0"), 0, path) for key, path in seen.items()]
        + [(caseless(each).replace("/", "\0"), 1, each) for each in folders]
    )
    for (key, is_folder, path), (after, after_folder, _) in itertools.pairwise(keys):
        if not is_folder and (after.startswith(key + "\0") or (after == key and after_folder)):
            found.error("zip-file-and-folder", path, "The name is both a file's and a folder's. Rename one of them.")


def find_root(paths: Iterable[str]) -> str:
    """The folder that everything lies in, with its slash; empty if there is none. With loose files beside it, the one folder
    that has the manifest."""
    inside = list(paths)
    root = ""
    while inside:
        if shared := _shared(inside):
            root += shared
            inside = [path[len(shared) :] for path in inside]
        tops = {path.partition("/")[0] for path in inside if "/" in path}
        loose = [path for path in inside if "/" not in path]
        if len(tops) != 1 or (loose and (has_manifest(loose) or not has_manifest(_below(inside, tops)))):
            return root
        top = f"{tops.pop()}/"
        root += top
        inside = [path[len(top) :] for path in inside if path.startswith(top)]
    return root


def _shared(paths: list[str]) -> str:
    """The folders that all of these lie in, at once however many they are."""
    first, last = min(paths), max(paths)  # what these two begin with, all between them do
    same = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[: first.rfind("/", 0, same) + 1]


def has_manifest(names: Iterable[str]) -> bool:
    return any(name.lower() in MANIFESTS or name.lower().endswith(".crs") for name in names)


def _below(inside: list[str], tops: set[str]) -> list[str]:
    start = f"{next(iter(tops))}/"
    return [path[len(start) :] for path in inside if path.startswith(start)]


def rooted(entries: Mapping[str, T], found: Findings) -> tuple[dict[str, T], str]:
    """The entries relative to the root, and the root. Adds as warnings: `zip-root-folder`, `zip-outside-root`."""
    root = find_root(entries)
    if not root:
        return dict(entries), ""
    message = (
        f"All files lie in the folder “{root}” and not at the top of the zip; this folder was taken as the package."
    )
    found.warn("zip-root-folder", root, message)
    for path in entries:
        if not path.startswith(root):
            found.warn(
                "zip-outside-root", path, f"The file lies beside the package's folder “{root}”; it was left out."
            )
    return {path[len(root) :]: entry for path, entry in entries.items() if path.startswith(root)}, root
