"""Breaking off one download on purpose, where only the edge knows of it: the device resumes as it would from any other."""

from __future__ import annotations

from pathlib import Path

from serve_app.device.download import Watch


class CutOnce:
    """Has the edge break off the first part's download in its middle, just before it is asked for."""

    def __init__(self, switch: Path) -> None:
        self._switch = switch
        self.shown: Watch | None = None
        self.path: str | None = None
        self.size = self.after = 0

    def begin(self, path: str, size: int, have: int) -> None:
        if self.shown:
            self.shown.begin(path, size, have)
        if self.path is None and path.endswith(".part"):
            self.path, self.size, self.after = path, size, size // 2
            fresh = self._switch.with_suffix(".new")
            fresh.write_text(str(self.after))
            fresh.replace(self._switch)

    def disarm(self) -> None:
        self._switch.unlink(missing_ok=True)

    def advance(self, path: str, count: int) -> None:
        if self.shown:
            self.shown.advance(path, count)

    def note(self, text: str) -> None:
        if self.shown:
            self.shown.note(text)
