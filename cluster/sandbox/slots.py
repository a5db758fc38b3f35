"""Folders on this machine that a sandbox sees: `in`, which it can only read, and `out`, for its results.

A sandbox that waits has its slot below `workspace/.sandboxes/{owner}`; when it gets a job the slot moves into the job's
folder, so that all of a job lies below one folder, counts together, and goes with it. An owner is a process and holds a
lock on its folder as long as it lives, so folders of the dead are known and removed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import signal
import time
from pathlib import Path

FOLDER = ".sandboxes"
MOVED = ".sandbox-"
_NEW = ".new-"
_NEW_S = 600.0
_GONE_S = 5.0


class Slots:
    """The slots of this process."""

    def __init__(self, workspace: Path) -> None:
        base = workspace / FOLDER
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        reap(workspace)
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        fresh = base / f"{_NEW}{name}"
        fresh.mkdir(mode=0o700)
        # Locked before it gets its name, since whoever sees an unlocked folder removes it.
        self._lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.folder = fresh.rename(base / name)

    def make(self) -> Path:
        folder = self.folder / secrets.token_hex(6)
        for each in (folder, folder / "in", folder / "out"):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def close(self) -> None:
        """Remove what is left; the lock goes with the process at the latest."""
        remove(self.folder)
        os.close(self._lock)


def move(slot: Path, job: Path) -> Path:
    """Bring a slot into a job's folder. Its sandbox sees the same two folders still: mounts follow a folder, not its
    name. On another file system the slot stays where it is."""
    target = job / f"{MOVED}{slot.name}"
    try:
        return slot.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return slot


def put_in(slot: Path, name: str, path: Path) -> None:
    """Let the sandbox read this file as `in/{name}`: by a link where that is possible, else a copy."""
    target = slot / "in" / name
    try:
        os.link(path, target)
    except OSError:  # another file system, or the kernel's `protected_hardlinks`
        shutil.copyfile(path, target)


def remove(folder: Path) -> None:
    """Remove a slot or a folder of slots, also while a killed sandbox is still letting go of it."""
    deadline = time.monotonic() + _GONE_S
    while True:
        for each in (*folder.glob("out"), *folder.glob("*/out")):
            with contextlib.suppress(OSError):
                each.chmod(0o700)  # whoever was inside owns it
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists() or time.monotonic() > deadline:
            return
        time.sleep(0.02)


def reap(workspace: Path) -> int:
    """Remove what owners left that have died; returns how many there were."""
    base, count = workspace / FOLDER, 0
    for folder in base.iterdir() if base.is_dir() else ():
        try:
            if folder.name.startswith(_NEW) and time.time() - folder.stat().st_mtime < _NEW_S:
                continue  # it will be locked in a moment
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # another process was faster
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            _end_users(folder)
            remove(folder)
            count += 1
        finally:
            os.close(handle)
    return count


def _end_users(folder: Path) -> None:
    """End what a dead owner's sandboxes left running.

    All of them end with their owner but for one moment: bubblewrap's child waits for its starter before it ties its own
    life to it, and a starter that is killed just then leaves it waiting for ever. It has the folder in its arguments.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.fsencode(f"{folder}/") in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
