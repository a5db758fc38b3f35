"""What one sandbox may use, and what it is told when it ends.

Memory, processor time and the size of a file are bounded by the kernel in the sandbox itself; time on the clock, the
folder of results, threads and what it says are bounded by its starter, who looks every `TICK_S` seconds and ends it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from content.errors import ContentError

MIB = 1 << 20
TICK_S = 0.05
Stopped = Literal["", "time", "output", "threads", "answer"]


@dataclass(frozen=True)
class Limits:
    """`output_bytes` and `entries`: the whole folder of results. `answer_bytes`: all it writes to standard output."""

    memory_bytes: int
    wall_s: float
    file_bytes: int
    output_bytes: int
    entries: int = 16
    threads: int = 256
    files: int = 64
    answer_bytes: int = 16 * MIB

    def inside(self) -> dict[str, int]:
        """What the runner sets for itself, by the names of `resource.RLIMIT_…`."""
        # The wall clock ends first unless more than one core is busy; the limit of processor time is the net below it.
        cpu_s = int(self.wall_s * (os.cpu_count() or 1)) + 1
        return {
            "AS": self.memory_bytes,
            "CPU": cpu_s,
            "FSIZE": self.file_bytes,
            "NOFILE": self.files,
            "NPROC": self.threads,
            "CORE": 0,
        }


@dataclass(frozen=True)
class Result:
    """How a sandbox ended. `code`: its exit code, negative for a signal. `stopped`: the limit for which it was ended.
    `said`: beginning and end of its standard error. `value`: what a called function returned, as JSON came in; it is
    the word of code that may have been taken over. `refusal`: the ContentError that the function raised."""

    code: int
    stopped: Stopped = ""
    said: str = ""
    value: object = None
    refusal: ContentError | None = None


def beyond(folder: Path, limits: Limits) -> bool:
    """Whether there is more in the folder of results than is allowed."""
    entries = size = 0
    folders = [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                for entry in found:
                    entries += 1
                    status = entry.stat(follow_symlinks=False)
                    size += max(status.st_size, status.st_blocks * 512)
                    if entries > limits.entries or size > limits.output_bytes:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
        except OSError:  # it went while we looked
            continue
    return False


def threads(pid: int) -> int:
    """Threads of a process; 0 if there is none any more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:")), 0)
