"""Results are taken out of a sandbox's folder: plain files under the names that were agreed, and nothing else.

The sandbox has ended, so nothing changes any more. A link, a device, a pipe, a folder, a file with another name that
also exists elsewhere, or anything unexpected beside them means that whoever made it is not our code.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from content.errors import ContentError


def accept(folder: Path, expected: Iterable[str], target: Path, max_bytes: int) -> list[Path]:
    """Move `expected` from `folder` to `target`, those that are there; returns where they are now.

    Raises ContentError `sandbox-result` for whatever must not be taken over; then nothing was moved.
    """
    wanted = set(expected)
    found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in found:
        if entry.name not in wanted:
            raise _refused(entry.name, "nobody asked for it")
        why = _why_not(Path(entry.path), max_bytes)
        if why:
            raise _refused(entry.name, why)
    moved: list[Path] = []
    for entry in found:
        path = target / entry.name
        try:
            Path(entry.path).rename(path)
        except OSError:  # another file system
            shutil.copyfile(entry.path, path, follow_symlinks=False)
        path.chmod(0o600)
        moved.append(path)
    return moved


def _why_not(path: Path, max_bytes: int) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"it cannot be opened: {os.strerror(error.errno or 0)}"
    try:
        status = os.fstat(handle)
    finally:
        os.close(handle)
    if not stat.S_ISREG(status.st_mode):
        return "it is no plain file"
    if status.st_nlink != 1:
        return "it has another name too"
    return f"it is larger than {max_bytes} bytes" if status.st_size > max_bytes else ""


def _refused(name: str, why: str) -> ContentError:
    shown = "".join(each if each.isprintable() else "?" for each in name[:60])
    return ContentError("sandbox-result", f"The sandbox left “{shown}”, which is not taken over: {why}.")
