"""Which backend a sandbox of a kind gets: what the setting says, or the first of the kind's that works on this machine.

Whether one works is not guessed from the system's settings: an interpreter is started in it and has to answer.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.sandbox import bubblewrap, gvisor, unprotected
from cluster.sandbox.kind import RUNNER, SITE, SOURCES, Backend, Kind, interpreter, view
from cluster.sandbox.slots import remove
from cluster.sandbox.started import NotReady, Started
from content.errors import ContentError

START_S = 60.0
PLAIN = Kind("plain")


@dataclass(frozen=True)
class Finding:
    """Whether a backend works here, how long a bare interpreter in it takes to start (seconds), or why it does not."""

    backend: Backend
    works: bool
    start_s: float = 0.0
    why: str = ""
    version: str = ""

    @property
    def remedy(self) -> str:
        if self.works:
            return ""
        return bubblewrap.remedy() if self.backend == "bubblewrap" else gvisor.REMEDY


def start(backend: Backend, kind: Kind, slot: Path, spare: Path) -> Started:
    """Start a sandbox; it is not ready yet. Raises OSError."""
    if backend == "none":
        setup = {"path": _outside_path(), "preload": list(kind.preload)}
        runner = str(Path(__file__).with_name("runner.py"))
        process = unprotected.start(slot, _command(runner, setup))
    else:
        setup = {"path": [SOURCES, SITE], "preload": list(kind.preload)}
        argv, seen = _command(RUNNER, setup), view(kind)
        started = (
            bubblewrap.start(seen, slot, argv) if backend == "bubblewrap" else gvisor.start(seen, slot, spare, argv)
        )
        process = started
    return Started(kind, backend, slot, spare, process)


def choose(kind: Kind, setting: str) -> Backend:
    """The backend for this kind. Raises ContentError `sandbox-unavailable` (retryable: another node may have one)."""
    wanted: tuple[Backend, ...] = kind.prefers if setting == "auto" else (setting,)  # pyright: ignore[reportAssignmentType]
    if setting == "none":
        return "none"
    findings = [find(backend) for backend in wanted]
    for finding in findings:
        if finding.works:
            return finding.backend
    raise unavailable(findings)


def unavailable(findings: list[Finding]) -> ContentError:
    why = "; ".join(f"{finding.backend}: {finding.why}" for finding in findings)
    message = f"What authors send is read in a sandbox only, and none works on this machine ({why})."
    return ContentError("sandbox-unavailable", message, " Or: ".join(finding.remedy for finding in findings), True)


@functools.cache
def find(backend: Backend) -> Finding:
    """Try a backend out, once in this process."""
    with tempfile.TemporaryDirectory(prefix="content-sandbox-") as folder:
        slot, spare = Path(folder) / "slot", Path(folder) / f"probe-{Path(folder).name}"
        for each in ("in", "out"):
            (slot / each).mkdir(parents=True)
        began = time.monotonic()
        try:
            started = start(backend, PLAIN, slot, spare)
            try:
                started.await_ready(began + START_S)
            finally:
                started.end()
        except (OSError, NotReady) as error:
            return Finding(backend, False, why=str(error)[:300])
        finally:
            remove(slot)
        start_s = round(time.monotonic() - began, 3)
        program = bubblewrap.program() if backend == "bubblewrap" else gvisor.program()
        return Finding(backend, True, start_s, version=_version(program))


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, env={}, check=False)
    return done.stdout.splitlines()[0].split()[-1] if done.stdout.strip() else ""


def _command(runner: str, setup: dict[str, Any]) -> list[str]:
    return [interpreter(), "-I", "-S", "-B", runner, json.dumps(setup)]


def _outside_path() -> list[str]:
    return [str(Path(__file__).parents[2]), sysconfig.get_path("platlib")]
