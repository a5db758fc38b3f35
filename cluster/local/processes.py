"""Processes that outlive the command which started them, and ending exactly those.

A process is known by its pid and the time it was made: a pid alone may belong to somebody else by now. Each is started
in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it; what it starts is found again as its
descendants and as the members of its session.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from cluster.local.errors import part_failed

LOG_KEEP_BYTES = 8 << 20


@dataclass(frozen=True)
class Started:
    """A process of ours: its pid, and its creation time as psutil tells it."""

    pid: int
    created: float

    def process(self) -> psutil.Process | None:
        """The living process, or None: ended, a zombie, or another one under the same pid."""
        try:
            found = psutil.Process(self.pid)
            if abs(found.create_time() - self.created) > 0.01 or found.status() == psutil.STATUS_ZOMBIE:
                return None
            return found
        except psutil.NoSuchProcess:
            return None


def spawn(part: str, argv: Sequence[str], log: Path, env: Mapping[str, str], cwd: Path) -> Started:
    """Start a part detached, its output into its log (begun anew). Raises LocalStackError if it cannot be executed."""
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    try:
        with log.open("wb") as output:
            child = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=dict(env), cwd=cwd, start_new_session=True, close_fds=True,
            )  # fmt: skip
    except OSError as error:
        raise part_failed(part, f"{argv[0]} cannot be executed ({error.strerror}).", "") from error
    child.returncode = 0  # it is meant to outlive us: keeps Popen from warning; psutil reaps it if it ends before we do
    try:
        return Started(child.pid, psutil.Process(child.pid).create_time())
    except psutil.NoSuchProcess:
        return Started(child.pid, 0.0)


def members(started: Started) -> list[psutil.Process]:
    """The living processes of a part: itself, its descendants, and who else is in its session."""
    leader = started.process()
    if leader is None:
        return []
    found = {leader.pid: leader}
    with suppress(psutil.NoSuchProcess):
        found |= {child.pid: child for child in leader.children(recursive=True)}
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == started.pid:
                found.setdefault(process.pid, process)
        except (OSError, psutil.Error):
            continue
    return list(found.values())


def stop(started: Started, ask: signal.Signals, patience_s: float) -> bool:
    """Ask the part to end, then end what is left of it by SIGKILL. True if it went by itself."""
    own = members(started)
    leader = started.process()
    if leader is None:
        return True
    leader.send_signal(ask)
    _, stubborn = psutil.wait_procs([leader], timeout=patience_s)
    _, left = psutil.wait_procs(own, timeout=0.0 if stubborn else 1.0)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=5.0)
    return not stubborn


def memory_bytes(started: Started) -> tuple[int, int]:
    """(PSS, RSS) of the part's processes together; where PSS may not be read, RSS stands in for it."""
    pss = rss = 0
    for process in members(started):
        try:
            resident = process.memory_info().rss
            rss += resident
            try:
                pss += process.memory_full_info().pss
            except psutil.AccessDenied:
                pss += resident
        except psutil.NoSuchProcess:
            continue
    return pss, rss


def wait_gone(started: Started, timeout_s: float) -> bool:
    """Whether the process ended within the time."""
    deadline = time.monotonic() + timeout_s
    while started.process() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
