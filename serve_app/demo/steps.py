"""Steps of the demo: each is timed, told while it goes, and recorded with what it moved; a failed one ends the demo."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape

from content.errors import ContentError


@dataclass
class Step:
    """One step. `bytes` is what it stored, sent or read; `code` the error's code if it failed."""

    name: str
    seconds: float = 0.0
    bytes: int = 0
    ok: bool = False
    notes: str = ""
    code: str = ""


@dataclass
class Recorder:
    """All steps so far, and where they are told."""

    console: Console
    steps: list[Step] = field(default_factory=list[Step])

    @contextmanager
    def step(self, name: str) -> Generator[Step]:
        """Run a step; whatever it raises is noted and raised again."""
        step, began = Step(name), time.monotonic()
        self.steps.append(step)
        try:
            yield step
            step.ok = True
        except ContentError as error:
            step.code, step.notes = error.code, error.message
            raise
        except Exception as error:
            step.code, step.notes = type(error).__name__, str(error)
            raise
        finally:
            step.seconds = round(time.monotonic() - began, 2)
            mark = "[green]✓[/]" if step.ok else "[bold red]✗[/]"
            notes = f"[dim]{escape(step.notes)}[/]" if step.ok else ""
            self.console.print(f"{mark} {name:<28} {step.seconds:6.1f} s  {notes}", highlight=False, soft_wrap=True)


def require(condition: bool, code: str, message: str) -> None:
    """Raises ContentError unless the condition holds: what the demo claims, it has seen."""
    if not condition:
        raise ContentError(code, message, "This is a defect of the service: please report it.")
