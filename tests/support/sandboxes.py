"""The processes in sandboxes, found by what they see: their command lines name nothing of the outside."""

from __future__ import annotations

import os
from pathlib import Path


def sandboxed(folder: Path) -> list[int]:
    """Processes of sandboxes whose files lie below a folder, and bubblewrap's own beside them; this one aside."""
    # The mount table names places from the root of their file system, which may be mounted anywhere.
    tail = "/".join(folder.parts[-2:]).encode()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            mounts = (entry / "mountinfo").read_bytes()
            if tail in (entry / "cmdline").read_bytes() or any(_is_ours(line, tail) for line in mounts.splitlines()):
                found.append(int(entry.name))
        except OSError:  # it ended
            continue
    return found


def _is_ours(line: bytes, tail: bytes) -> bool:
    fields = line.split()
    return fields[4] in (b"/in", b"/out") and tail in fields[3]
