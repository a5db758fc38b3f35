"""Single files on a disk or memory stick: opened to be read, and written so that they appear whole or not at all.

What an operating system says of a full, slow, pulled or too small stick becomes an error that a person can act on. The
bytes are the matter of content/bundles/container*.py. docs/bundle-format.md, "Single file".
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from content.bundles.container import Container
from content.bundles.container_write import Course, Lists, PartSource, container_size, write_container
from content.errors import ContentError
from serve_app.client import TrustLists
from serve_app.device.files import sync_folder

SUFFIX: Final = ".cbundle"
BLOCK_BYTES: Final = 1 << 20


@contextmanager
def opened_file(path: Path) -> Generator[Container]:
    """A file whose layout was checked, open as long as the context lasts.

    Raises ContentError `file-unreadable`, also later when the stick is pulled, or BundleRefused `container-…`.
    """
    with _reading(path):
        handle = os.open(path, os.O_RDONLY)
    try:
        with _reading(path):
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise ContentError("file-unreadable", f"{path} is not a file.", f"Name a {SUFFIX} file.")

        def read_range(offset: int, length: int) -> bytes:
            with _reading(path):
                return os.pread(handle, length, offset)

        yield Container.read(read_range, facts.st_size)
    finally:
        os.close(handle)


def write_file(
    path: Path,
    lists: Lists,
    course: Course | None = None,
    parts: Sequence[Path] = (),
    tell: Callable[[int], None] = lambda _: None,
) -> int:
    """Write a file beside its place and rename it; returns its size in bytes. `tell` hears of each byte of a part twice.

    Raises ContentError `disk-full`, `file-too-large`, `file-unwritable`, and what `write_container` raises.
    """
    sizes = [part.stat().st_size for part in parts]
    sources = [PartSource(size, _blocks(part)) for part, size in zip(parts, sizes, strict=True)]
    fresh = path.with_name(f".{path.name}.new")
    try:
        with storing(path):
            require_room(path.parent, container_size(lists, course, sizes), "The file")
            with fresh.open("wb") as file:
                size = write_container(file.write, lists, course, sources, tell)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)
    return size


def carried(lists: TrustLists) -> Lists:
    """Lists as the API answers them or a device keeps them, to be written into a file."""
    signed = lists["revocations"]
    return Lists(lists["chain"], signed["document"].encode(), signed["signature"])


def require_room(folder: Path, need: int, what: str) -> None:
    """Raises ContentError `disk-full` unless `need` bytes are free."""
    free = shutil.disk_usage(folder).free
    if free < need:
        message = f"{what} needs {need:,} bytes more, and {free:,} are free in {folder}."
        raise ContentError("disk-full", message, "Free some space, then do it again.", True)


def _blocks(path: Path) -> Callable[[], Iterator[bytes]]:
    def blocks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block

    return blocks


@contextmanager
def _reading(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        message = f"{path} cannot be read: {os.strerror(error.errno or 0)}."
        raise ContentError("file-unreadable", message, "Check its name, and that the stick is in.") from error


@contextmanager
def storing(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ContentError(
                "disk-full", f"There is no room left in {path.parent}.", "Free some space.", True
            ) from error
        if error.errno == errno.EFBIG:
            message = f"{path.parent} cannot hold a file as large as this one."
            raise ContentError("file-too-large", message, "Format the stick as exFAT: FAT32 ends at 4 GiB.") from error
        message = f"{path} cannot be written: {os.strerror(error.errno or 0)}."
        raise ContentError(
            "file-unwritable", message, "Check the name, and that the disk may be written to."
        ) from error
