"""What can go wrong with the local stack, told with the end of the log and, where it is known, the way out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from content.errors import ContentError

LOG_LINES = 15

_REMEDIES: tuple[tuple[str, str, str], ...] = (
    (r"address already in use|already occupied|bind: address|EADDRINUSE", "port-taken", "Another program took its port; stop it, or run `content-service up` again: it chooses another port."),
    (r"no space left on device|ENOSPC", "disk-full", "The disk is full: free some space, or move the stack with --home."),
    (r"shared memory segment|/dev/shm", "shm-small", "/dev/shm is too small: start the container with --shm-size=1g, or `mount -o remount,size=1g /dev/shm`."),
    (r"uid_map|user namespace|apparmor_restrict|setting up uid map", "userns-restricted", "User namespaces are restricted: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0` allows them."),
    (r"GLIBC_\d|version `GLIBC", "glibc-old", "This system's C library is too old for the binaries of the wheels."),
    (r"permission denied|operation not permitted", "not-permitted", "A file or folder of the stack's home is not this user's: check who owns it, or choose another --home."),
    (r"too many open files", "files-limit", "Raise the limit of open files: `ulimit -n 4096`."),
)  # fmt: skip


@dataclass(eq=False)
class LocalStackError(ContentError):
    """A part of the local stack that did not come up; `log_end` holds the last lines of its log."""

    part: str = ""
    log_end: str = ""

    def __str__(self) -> str:
        log = f"\n{self.log_end}" if self.log_end else ""
        return f"{self.message} {self.remedy}".strip() + log


def part_failed(part: str, why: str, log_end: str) -> LocalStackError:
    """The error of a part, with the remedy that its own words call for."""
    for pattern, code, remedy in _REMEDIES:
        if re.search(pattern, f"{why}\n{log_end}", re.IGNORECASE):
            return LocalStackError(code, f"{part} did not come up: {why}", remedy, False, part, log_end)
    return LocalStackError("part-failed", f"{part} did not come up: {why}", "The end of its log:", False, part, log_end)
