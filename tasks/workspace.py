"""Scratch folders of a job: one per attempt below `settings.workspace`, bounded in size, removed whatever happens.

Originals, results and the folders of sandboxes at work all lie in the attempt's folder, so they are counted there. A
worker that was killed could not clean up, so the next attempt of the job removes what earlier ones left, and `sweep`
what jobs left that never came back.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.sandbox import slots
from content.errors import ContentError

HELD, _NEW = "held-", ".new-"


@contextmanager
def attempt(root: Path, job: str, number: int) -> Iterator[Path]:
    """A fresh folder for this attempt; the folders of earlier attempts of the job go first, later ones stay."""
    base = root / job
    for left in base.iterdir() if base.is_dir() else ():
        if not left.name.isdigit() or int(left.name) <= number:
            shutil.rmtree(left, ignore_errors=True)
    folder = base / str(number)
    folder.mkdir(parents=True, mode=0o700)
    try:
        yield folder
    finally:
        slots.remove(folder)  # patiently: a worker that was told to end may still be writing
        with contextlib.suppress(OSError):  # another attempt's folder is still there
            base.rmdir()


@contextmanager
def held(root: Path) -> Iterator[Path]:
    """A fresh folder for who has no job by whose next attempt it would be found: locked for as long as it is used, so that
    whoever comes next removes what the dead have left."""
    reap(root)
    name = secrets.token_hex(8)
    fresh = root / f"{_NEW}{name}"
    fresh.mkdir(parents=True, mode=0o700)
    # Locked before it gets its name, since whoever sees an unlocked folder removes it.
    lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = fresh.rename(root / f"{HELD}{name}")
        try:
            yield folder
        finally:
            slots.remove(folder)
    finally:
        os.close(lock)


def reap(root: Path) -> None:
    """Remove the folders of `held` whose holders have died."""
    for folder in root.glob(f"{HELD}*") if root.is_dir() else ():
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # it went meanwhile
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            slots.remove(folder)
        finally:
            os.close(lock)


def used_bytes(folder: Path) -> int:
    """What lies in a folder and below; what vanishes meanwhile does not count, nor does a second name of a file."""
    files: dict[tuple[int, int], int] = {}
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                status = (Path(base) / name).lstat()
                files[status.st_dev, status.st_ino] = max(status.st_size, status.st_blocks * 512)
    return sum(files.values())


def guard(folder: Path, limit_bytes: int, asset: str) -> Callable[[], None]:
    """A check to be called while something is written into a job's folder: it raises `workspace-full` when there is more
    than the limit. (Not retryable: the same job would fill it again.)"""

    def check() -> None:
        if used_bytes(folder) > limit_bytes:
            raise full(limit_bytes, asset)

    return check


def full(limit_bytes: int, asset: str) -> ContentError:
    message = f"With “{asset}” the originals and results of this job are more than {limit_bytes} bytes together."
    return ContentError("workspace-full", message, "Use smaller files, or raise the setting workspace_max_bytes.")


def forget(root: Path, job: str) -> None:
    """Remove what a job left that has ended: its worker may have been killed between its commit and its cleaning up."""
    slots.remove(root / job)


def sweep(root: Path, older_than_s: float) -> int:
    """Remove folders of jobs that nobody touched for so long, and those of sandboxes whose process has died; returns
    how many."""
    removed = slots.reap(root)
    for base in root.iterdir() if root.is_dir() else ():
        if base.name != slots.FOLDER and base.is_dir() and time.time() - _touched(base) > older_than_s:
            shutil.rmtree(base, ignore_errors=True)
            removed += 1
    return removed


def _touched(base: Path) -> float:
    """When anything in a job's folder last changed: the folder itself does not while its files grow."""
    newest = base.stat().st_mtime
    for path in base.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            newest = max(newest, path.stat().st_mtime)
    return newest
