"""Following a job on the terminal: a bar on standard error while it is one, a line per stage where it is not."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from content.errors import ContentError
from serve_app.cli.output import errors

if TYPE_CHECKING:
    from serve_app.client import Client, Job

LONGEST_MESSAGE = 34


def bars(console: Console) -> Progress:
    """A bar of a share that is done, in 80 columns; gone at the end, and silent in a log."""
    columns = TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.percentage:>3.0f} %")
    quiet = not console.is_terminal  # else it leaves empty lines in a log
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True, disable=quiet)


def follow(api: Client, job_id: str, timeout_s: float, *, quiet: bool = False) -> Job:
    """Wait for a job's end and show how far it is. Raises as `Client.wait` does; `--timeout` over is `job-deadline`."""
    with _shown(quiet) as show:
        try:
            return api.wait(job_id, show, deadline_s=timeout_s)
        except ContentError as error:
            if error.code == "job-deadline":
                error.remedy = f"It goes on without you: `content-service jobs watch {job_id}`."
            raise


@contextmanager
def _shown(quiet: bool) -> Generator[_Watch]:
    with bars(errors) as progress:
        yield _Watch(progress, quiet=quiet)


class _Watch:
    """What is told of a job each time it has changed."""

    def __init__(self, progress: Progress, *, quiet: bool) -> None:
        self._progress, self._quiet, self._last = progress, quiet, ""
        self._task = progress.add_task("", total=1.0)

    def __call__(self, job: Job) -> None:
        words = job["message"] or job["state"]
        if not self._progress.disable:
            self._progress.update(self._task, completed=job["progress"], description=escape(words[:LONGEST_MESSAGE]))
        elif not self._quiet and words != self._last:
            errors.print(f"{job['progress']:4.0%}  {words}", highlight=False, markup=False, soft_wrap=True)
        self._last = words
