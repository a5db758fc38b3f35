"""One sandbox that was started: waiting for its one job, at it, or ended.

Its processes are held by descriptors that no other process can take over, and are gone when `end` returns.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from cluster.sandbox.kind import Backend, Kind

READY = b"ready\n"
SAID_BYTES = 2000  # of standard error, at the beginning and at the end each
_END_S = 10.0
_LET_S = 1.0


class NotReady(Exception):
    """A sandbox did not come up; the text says what it, or its backend, said."""


@dataclass(eq=False)
class Started:
    """`folder` holds `in` and `out`, `spare` what the backend needs besides. `held`: (pid, descriptor) of each process
    below the one that was started."""

    kind: Kind
    backend: Backend
    folder: Path
    spare: Path
    process: subprocess.Popen[bytes]
    held: list[tuple[int, int]] = field(default_factory=list)

    @property
    def stdin(self) -> IO[bytes]:
        return cast("IO[bytes]", self.process.stdin)

    @property
    def stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self.process.stdout)

    @property
    def stderr(self) -> IO[bytes]:
        return cast("IO[bytes]", self.process.stderr)

    @property
    def pid(self) -> int:
        """The process inside, seen from here."""
        return self.held[-1][0] if self.held else self.process.pid

    def await_ready(self, deadline: float) -> None:
        """Wait until its imports are done. Raises NotReady."""
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.stdout, selectors.EVENT_READ)
            while not said.endswith(READY):
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise NotReady(f"it was not ready in time {self.errors()}".strip())
                chunk = os.read(self.stdout.fileno(), len(READY))
                if not chunk or len(said) > len(READY):
                    raise NotReady(self.errors() or f"it ended with {self.process.wait(_END_S)}")
                said += chunk
        for pid in _descendants(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                self.held.append((pid, os.pidfd_open(pid)))

    def said_something(self) -> bool:
        """Whether something waits to be read from it: that it is ready, or its end."""
        return _readable(self.stdout.fileno(), 0)

    def errors(self) -> str:
        """What it has said on standard error so far; does not wait for more."""
        said = b""
        while len(said) < 2 * SAID_BYTES and _readable(self.stderr.fileno(), 0.05):
            chunk = os.read(self.stderr.fileno(), 2 * SAID_BYTES)
            if not chunk:
                break
            said += chunk
        return said.decode(errors="replace").strip()

    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> int:
        """Kill it whole and wait until it is gone; its exit code. May be called again."""
        for _, descriptor in self.held:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        try:
            # Who waits for the sandbox's process ends with it, and leaves no zombie behind if it is let.
            code = self.process.wait(_LET_S if self.held else 0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait(_END_S)
        for _, descriptor in self.held:
            _readable(descriptor, _END_S)  # once the process has ended
            os.close(descriptor)
        self.held = []
        for pipe in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                pipe.close()
        return code


def _readable(descriptor: int, within_s: float) -> bool:
    """Whether there is something to read, or the end, within so long. (`select` knows no descriptor from 1024 on, and a
    process with so many connections has them.)"""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def _descendants(pid: int) -> list[int]:
    """The processes below one, parents first. (The kernel lists a process's children since 4.2.)"""
    found, at = [pid], 0
    while at < len(found):
        for task in Path(f"/proc/{found[at]}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(each) for each in task.read_text().split()]
        at += 1
    return found[1:]
