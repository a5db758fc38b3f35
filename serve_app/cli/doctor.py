"""`content-service doctor`: what is wrong with this deployment, and what to do about it.

Exit code 0: all is well; 1: something does not work; 4: there are warnings only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from serve_app.cli.exits import FAILED, WARNED
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, examples, settings_for
from serve_app.cli.output import console, print_json

if TYPE_CHECKING:
    from tasks.doctor import Finding

SIGNS = {"ok": "[green]ok[/]", "warn": "[yellow]warn[/]", "fail": "[bold red]FAIL[/]"}


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel="Operate",
        epilog=examples("doctor", "doctor --without pools --json", "doctor --only events --only log"),
    )(doctor)


def doctor(
    without: Annotated[list[str] | None, typer.Option(help="leave out a group; repeat for several")] = None,
    only: Annotated[list[str] | None, typer.Option(help="look at this group alone; repeat for several")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Look at every part as an operator would, and say what to do about what is wrong."""
    from tasks.doctor import CHECKS, examine  # imports every adapter

    if unknown := {*(without or []), *(only or [])} - set(CHECKS):
        raise typer.BadParameter(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}")
    left_out = [*(without or []), *(name for name in CHECKS if only and name not in only)]
    found = asyncio.run(examine(settings_for(home), left_out))
    if as_json:
        print_json([asdict(finding) for finding in found])
    else:
        _print(found)
    worst = {finding.status for finding in found}
    if "fail" in worst:
        raise typer.Exit(FAILED)
    if "warn" in worst:
        raise typer.Exit(WARNED)


def _print(found: Sequence[Finding]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False, width=min(console.width, 80))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in found:
        remedy = f"\n[dim]→ {escape(finding.remedy)}[/]" if finding.remedy else ""
        table.add_row(finding.name, SIGNS[finding.status], escape(finding.what) + remedy)
    console.print(table)
    count = {status: sum(finding.status == status for finding in found) for status in ("fail", "warn")}
    console.print(f"{len(found)} checks: {count['fail']} failed, {count['warn']} warnings")
