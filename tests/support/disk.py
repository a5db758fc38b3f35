"""A disk of a test's own: it can be filled to the last block, and it can lose what was not synced (ext4 on a loop device).

Needs root and loop devices. The power loss is ext4's shutdown ioctl without a flush of its log: what the kernel had not
been told to write is gone after the next mount, as after the real thing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path

EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, struct.pack("I", 2)


def missing() -> str:
    """Why there can be no such disk here; empty where there can."""
    if os.geteuid() != 0:
        return "mounting a disk needs root"
    if not Path("/dev/loop-control").exists():
        return "mounting a disk needs loop devices"
    lacking = [name for name in ("mkfs.ext4", "mount", "umount") if shutil.which(name) is None]
    return f"needs {', '.join(lacking)}" if lacking else ""


class Disk:
    """An ext4 file system in a sparse file, mounted at `path`. A twentieth of it is root's own."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self._image, self.path = folder / "disk.img", folder / "disk"
        self._ballast = self.path / "ballast"
        self.path.mkdir(parents=True)
        with self._image.open("wb") as file:
            file.truncate(size_bytes)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.path))

    def unmount(self) -> None:
        """Also where somebody still holds a file: it is unmounted when that ends."""
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("umount", "--lazy", str(self.path))

    def fill(self) -> None:
        """Leave no block to anybody but root."""
        with self._ballast.open("ab") as file:
            free = os.statvfs(self.path)
            os.posix_fallocate(file.fileno(), self._ballast.stat().st_size, max(1, free.f_bavail) * free.f_frsize)

    def make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def lose_power(self) -> None:
        """From here on nothing reaches the disk; whoever writes gets errors."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(folder)

    def come_back(self) -> None:
        _run("umount", str(self.path))
        self.mount()


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
