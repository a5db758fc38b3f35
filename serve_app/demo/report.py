"""What the demo tells at its end: a table for a person, one JSON object for a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from content.errors import ContentError
from serve_app.demo.steps import Step

MIB = 1 << 20


@dataclass
class Result:
    """Filled while the demo runs, so that a failed one can be told too."""

    package_id: str = ""
    bundle_ids: list[str] = field(default_factory=list[str])
    steps: list[Step] = field(default_factory=list[Step])
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])
    opened: Path | None = None
    error: ContentError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None and bool(self.steps) and all(step.ok for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        error = self.error and {"code": self.error.code, "message": self.error.message, "remedy": self.error.remedy}
        return {
            "ok": self.ok,
            "error": error,
            "package_id": self.package_id,
            "bundle_ids": self.bundle_ids,
            "steps": [asdict(step) for step in self.steps],
            "addresses": dict(self.addresses),
            "opened": str(self.opened) if self.opened else None,
        }


def print_report(result: Result, console: Console) -> None:
    """At most 80 columns; paths and addresses on lines of their own, never cut."""
    table = Table(box=None, pad_edge=False, title="The main job, end to end", title_justify="left")
    table.add_column("", width=1)
    table.add_column("step", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    table.add_column("what was seen", overflow="fold")
    for step in result.steps:
        mark = "[green]✓[/]" if step.ok else "[bold red]✗[/]"
        notes = step.notes if step.ok else f"{step.code}: {step.notes}"
        table.add_row(mark, step.name, f"{step.seconds:.1f}", _size(step.bytes), escape(notes))
    table.add_row("", "in all", f"{sum(step.seconds for step in result.steps):.1f}", "", "", style="bold")
    console.print()
    console.print(table)
    console.print()
    lines = {"API docs": result.addresses.get("api_docs"), "Ray dashboard": result.addresses.get("dashboard")}
    lines["Learner's page"] = result.addresses.get("learner")
    if result.opened:
        lines["Opened course"] = str(result.opened / "index.html")
    for name, value in lines.items():
        if value:
            console.print(f"{name:<15} {escape(value)}", highlight=False, soft_wrap=True)
    if result.ok:
        console.print("The stack stays up: `content-service down` stops it.", highlight=False)


def _size(count: int) -> str:
    if not count:
        return ""
    return f"{count:,}" if count < MIB else f"{count / MIB:.1f} MiB"
