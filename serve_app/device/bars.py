"""Progress on the terminal: bytes and speed of downloads, on standard error so that `--json` stays alone on the other."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


def bytes_progress(console: Console) -> Progress:
    """A bar of bytes with speed and time left, in 80 columns; gone when it is done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,  # else it leaves empty lines in a log
    )


class BarWatch:
    """Tells a progress display of the files that are downloaded (`download.Watch`)."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress, self._console = progress, console
        self._tasks: dict[str, TaskID] = {}

    def begin(self, path: str, size: int, have: int) -> None:
        short = f"{path[:8]}…/{path.rpartition('/')[2]}" if "/" in path else path
        self._tasks[path] = self._progress.add_task(short, total=size, completed=have)

    def advance(self, path: str, count: int) -> None:
        self._progress.advance(self._tasks[path], count)

    def note(self, text: str) -> None:
        self._console.print(text, style="dim", highlight=False, markup=False)
