"""The backend made of a kernel in user space: gVisor's `runsc`, where it is installed.

The same root, limits and list of system calls as with bubblewrap, written as an OCI bundle; what code in it asks of a
kernel is answered by gVisor's, and the machine's own sees only that one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cluster.sandbox import seccomp
from cluster.sandbox.kind import IN, OUT, View
from cluster.sandbox.unprotected import tied

REMEDY = "Install gVisor's `runsc` (Debian: `apt-get install runsc`)."
_OPTIONS = ("--rootless", "--network=none", "--ignore-cgroups", "--platform=ptrace", "--oci-seccomp", "--overlay=false")
# It brings these along writable, and they live in memory that no limit of a process counts.
_EMPTY = ("/tmp", "/dev")


def program() -> str:
    """The path of runsc. Raises FileNotFoundError where it is not installed."""
    found = shutil.which("runsc", path="/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin")
    if found is None:
        raise FileNotFoundError("runsc is not installed")
    return found


def start(view: View, folder: Path, spare: Path, argv: list[str]) -> subprocess.Popen[bytes]:
    """As `bubblewrap.start`. `spare`: a folder for the bundle and the state, which must stay where it is."""
    root = spare / "root"
    root.mkdir(parents=True)
    for inside, text in view.links.items():
        (root / inside.lstrip("/")).symlink_to(text)
    (spare / "config.json").write_text(json.dumps(_bundle(view, folder, argv)))
    command = [program(), *_OPTIONS, "--root", str(spare / "state"), "run", "--bundle", str(spare), spare.name]
    return subprocess.Popen(
        tied(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
        cwd="/",
        start_new_session=True,
    )


def _bundle(view: View, folder: Path, argv: list[str]) -> dict[str, Any]:
    mounts = [_bound(inside, outside, "ro") for inside, outside in view.places.items()]
    mounts += [_bound(IN, folder / "in", "ro"), _bound(OUT, folder / "out", "rw")]
    mounts += [{"destination": each, "type": "tmpfs", "source": "none", "options": ["ro"]} for each in _EMPTY]
    return {
        "ociVersion": "1.0.2",
        "hostname": "sandbox",
        "root": {"path": "root", "readonly": True},
        "mounts": mounts,
        "process": {
            "terminal": False,
            # Root of its own kernel, without any capability: the folder of results is this user's.
            "user": {"uid": 0, "gid": 0},
            "args": argv,
            "env": ["MALLOC_ARENA_MAX=2"],
            "cwd": OUT,
            "capabilities": {each: [] for each in ("bounding", "effective", "inheritable", "permitted", "ambient")},
            "noNewPrivileges": True,
        },
        "linux": {
            "namespaces": [{"type": each} for each in ("pid", "network", "ipc", "uts", "mount")],
            "seccomp": seccomp.oci(),
        },
    }


def _bound(inside: str, outside: Path, mode: str) -> dict[str, Any]:
    options = [mode, "rbind", "nosuid", "nodev"]
    return {"destination": inside, "source": os.fspath(outside), "type": "bind", "options": options}
