"""Arming the named points of `cluster.failpoints` from outside of the process that is to be stopped there."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tests.support.waiting import until


class Failpoints:
    """The folder that the stack's `failpoints` setting names. A point stops exactly one process each time it is armed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clear(self) -> None:
        """Disarm everything and let go whoever still waits."""
        for taken in self._folder.glob("*.taken"):
            taken.with_suffix(".go").touch()
        for path in self._folder.iterdir():
            if path.suffix != ".go":
                path.unlink(missing_ok=True)

    def arm(self, name: str, how: Literal["kill", "pause"]) -> None:
        for old in (f"{name}.taken", f"{name}.go"):
            (self._folder / old).unlink(missing_ok=True)
        fresh = self._folder / f".{name}"
        fresh.write_text(how)
        fresh.rename(self._folder / name)

    def reached(self, name: str, deadline_s: float = 60.0) -> None:
        """Wait until a process was stopped there."""
        until(f"somebody stopped at {name}", (self._folder / f"{name}.taken").exists, deadline_s)

    def release(self, name: str) -> None:
        """Let the paused process go on."""
        (self._folder / f"{name}.go").touch()
