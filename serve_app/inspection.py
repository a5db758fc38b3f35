"""Reports on packages from local files: several sandboxes at once, answers in the order of the files, nothing left behind.

Needs neither a stack nor settings. Where files lie on the file system of `/var/tmp`, they are not even copied.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster import sandbox
from cluster.settings import Settings
from content.errors import ContentError

if TYPE_CHECKING:
    from content.scorm.report import Report

Watch = Callable[[Path, float], None]
_PATTERN = frozenset("*?[")


class _Stopped(Exception):
    """Whoever asked has gone."""


class Inspection:
    """One run over some files. To be closed, which ends what still runs."""

    def __init__(self, paths: Sequence[Path], watch: Watch | None = None) -> None:
        self._paths, self._watch = paths, watch
        self._stopped = threading.Event()
        self._left, self._lock = len(paths), threading.Lock()
        self._after = ExitStack()
        folder = self._after.enter_context(tempfile.TemporaryDirectory(prefix="content-inspect-", dir=_scratch()))
        self._folder = Path(folder)
        own: dict[str, Any] = {"workspace": self._folder, "sandbox_ahead": 0}
        self._settings = Settings(**own)
        self._after.callback(sandbox.close, self._settings)
        self._workers = max(1, min(len(paths), os.cpu_count() or 1))
        pool = ThreadPoolExecutor(self._workers, "inspect")
        self._after.callback(pool.shutdown, cancel_futures=True)
        self._after.callback(self._stopped.set)
        self._started = pool.submit(self._warm, self._workers)
        self._found: list[Future[Report | ContentError]] = [pool.submit(self._read, path) for path in paths]

    def __enter__(self) -> Inspection:
        return self

    def __exit__(self, *_: object) -> None:
        self._after.close()

    def __iter__(self) -> Iterator[tuple[Path, Report | ContentError]]:
        """Each file in order, with its report, or with what kept us from reading it."""
        for path, future in zip(self._paths, self._found, strict=True):
            yield path, future.result()

    def _warm(self, count: int) -> None:
        """Start sandboxes for the next files. Where there is none, each file will say so."""
        from tasks.importing.reading_packages import PACKAGES

        with suppress(ContentError):
            sandbox.warm(PACKAGES, self._settings, count)

    def _read(self, path: Path) -> Report | ContentError:
        if (wrong := _why_not(path)) is not None:
            return wrong
        from tasks.importing.reading_packages import read_package

        with self._lock:
            self._left -= 1
            ahead = min(self._left, self._workers)
        watch = self._watch
        with tempfile.TemporaryDirectory(prefix="file-", dir=self._folder) as output:
            on_share = None if watch is None else lambda share: watch(path, share)
            self._warm(ahead + 1)
            try:
                reading = read_package(
                    path, Path(output), self._settings, canonical=False, watch=self._go_on, on_share=on_share
                )
            except ContentError as error:
                return error
            except OSError as error:
                return ContentError("file-unreadable", f"The file cannot be read: {error.strerror}.")
        return reading.report

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise _Stopped


def _why_not(path: Path) -> ContentError | None:
    """What keeps a file from being read at all."""
    if path.is_dir():
        return ContentError("file-is-folder", "It is a folder, and no package.", f"Name the zips in it: {path}/*.zip.")
    if not path.exists():
        pattern = _PATTERN & set(path.name)
        why = "No file is called so, and none matches it." if pattern else "There is no such file."
        return ContentError("file-missing", why, "Look for a mistake in its name.")
    if not path.is_file():
        return ContentError("file-unreadable", "It is no plain file.", "Give it as a file on a disk.")
    if not os.access(path, os.R_OK):
        return ContentError("file-unreadable", "You may not read this file.", "Ask its owner for the permission.")
    return None


def _scratch() -> str | None:
    """`TMPDIR` where somebody chose one; else a folder on a disk rather than in memory; None for the system's own choice."""
    return "/var/tmp" if "TMPDIR" not in os.environ and os.access("/var/tmp", os.W_OK) else None
