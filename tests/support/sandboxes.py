"""Sandboxes in tests: a workspace to use them in, code to put into them, and their processes seen from outside."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path
from typing import Any

from cluster import sandbox
from cluster.sandbox.kind import Backend, Kind
from cluster.sandbox.limits import MIB
from cluster.settings import Settings

PLAIN = Kind("test", preload=("json",))
LIMITS = sandbox.Limits(512 * MIB, 30.0, 4 * MIB, 8 * MIB)

# What hostile code brings along: system calls by number, and a place for what came of each of its attempts.
HOSTILE = """
import ctypes, errno, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
facts = json.load(open("../in/facts.json"))
found = {}

def call(number, *arguments):
    ctypes.set_errno(0)
    if libc.syscall(number, *arguments) >= 0:
        return "done"
    return errno.errorcode[ctypes.get_errno()]

def attempt(name, action):
    try:
        found[name] = ["done", repr(action())[:200]]
    except BaseException as error:
        found[name] = ["failed", type(error).__name__ + " " + str(getattr(error, "errno", ""))]

"""


class World:
    """One workspace with one backend, and the jobs in it."""

    def __init__(self, folder: Path, backend: Backend = "bubblewrap", **settings: Any) -> None:
        self.folder, self.backend = folder, backend
        self.settings = Settings(workspace=folder / "work", sandbox=backend, **settings)
        self.output = folder / "job"
        self.output.mkdir()

    def python(
        self,
        code: str,
        *results: str,
        limits: sandbox.Limits = LIMITS,
        facts: object = None,
        lines: list[bytes] | None = None,
        **more: Any,
    ) -> sandbox.Result:
        """Run code in a sandbox of its own. `facts`: what it can read as `../in/facts.json`; `lines`: what it prints."""
        script, known = self.folder / "code.py", self.folder / "facts.json"
        script.write_text(code)
        known.write_text(json.dumps(facts))
        job = sandbox.Job(PLAIN, limits, self.output, {"code.py": script, "facts.json": known}, results, **more)
        argv = [sandbox.interpreter(), "-I", "-S", "-B", f"{sandbox.IN}/code.py"]
        return sandbox.run(job, argv, self.settings, None if lines is None else lines.append)

    def attack(self, code: str, facts: object = None, limits: sandbox.Limits = LIMITS) -> dict[str, Any]:
        """Run hostile code to its end; what it wrote into `found`."""
        lines: list[bytes] = []
        whole = HOSTILE + textwrap.dedent(code) + "\nprint(json.dumps(found), flush=True)\n"
        result = self.python(whole, limits=limits, facts=facts, lines=lines)
        assert result.code == 0 and lines, result
        return json.loads(lines[-1])

    def call(self, function: str, limits: sandbox.Limits = LIMITS, **arguments: Any) -> sandbox.Result:
        return sandbox.call(sandbox.Job(PLAIN, limits, self.output), function, arguments, self.settings)

    def works(self) -> None:
        """A job in a new sandbox does what it should."""
        assert self.call("json:dumps", obj=[1]).value == "[1]"


def sandboxed(folder: Path) -> list[int]:
    """Processes of sandboxes whose files lie below a folder, and bubblewrap's own beside them; this one aside."""
    # The mount table names places from the root of their file system, which may be mounted anywhere.
    tail = "/".join(folder.parts[-2:]).encode()
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            mounts = (entry / "mountinfo").read_bytes()
            if tail in (entry / "cmdline").read_bytes() or any(_is_ours(line, tail) for line in mounts.splitlines()):
                found.append(int(entry.name))
        except OSError:  # it ended
            continue
    return found


def _is_ours(line: bytes, tail: bytes) -> bool:
    fields = line.split()
    return fields[4] in (b"/in", b"/out") and tail in fields[3]
