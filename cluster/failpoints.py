"""Named places at which a fault test may stop this process, never by sleeping and hoping.

`hit(name)` does nothing unless `settings.failpoints` names a folder that holds a file of that name. Taking the file is
one `rename`, so of several processes that arrive exactly one is stopped. The file's text says how: `kill` ends the
process at once (SIGKILL: no handler, no cleanup); `pause` waits until the file `<name>.go` appears.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from cluster.settings import Settings

PAUSE_LIMIT_S = 900.0
"""Longer than any test waits: who is held goes on when it is told to, and not in the middle of what is looked at."""


def hit(name: str, settings: Settings | None = None) -> None:
    """Stop here if a test armed this point; in production a single attribute check."""
    folder = (settings or Settings.load()).failpoints
    if folder is None:
        return
    armed, taken = folder / name, folder / f"{name}.taken"
    try:
        how = armed.read_text().strip()
        armed.rename(taken)
    except FileNotFoundError:
        return
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    _wait_for(folder / f"{name}.go")


def _wait_for(go: Path) -> None:
    deadline = time.monotonic() + PAUSE_LIMIT_S
    while not go.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
