"""No sandbox at all: the runner as a plain process with limits, an empty environment and a bounded life.

Only a local stack that was started with `--unsafe-no-sandbox` uses it; reports say so. Its code can reach all that its
user can.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TIED = Path(__file__).with_name("tied.py")


def start(folder: Path, argv: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        tied(argv),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"MALLOC_ARENA_MAX": "2"},
        cwd=folder / "out",
        start_new_session=True,
    )


def tied(argv: list[str]) -> list[str]:
    """The command that becomes `argv` and dies with this process."""
    return [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), *argv]
