"""Scratch folders of a job: one per attempt below `settings.workspace`, removed whatever happens.

A worker that was killed could not clean up, so the next attempt of the job removes what earlier ones left, and `sweep`
what jobs left that never came back.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.sandbox import slots


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
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another attempt's folder is still there
            base.rmdir()


def forget(root: Path, job: str) -> None:
    """Remove what a job left that has ended: its worker may have been killed between its commit and its cleaning up."""
    shutil.rmtree(root / job, ignore_errors=True)


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
