"""`content-service demo`: the main job, end to end, on real parts. Exit code 0 only if each step was verified."""

from __future__ import annotations

import typer
from rich.markup import escape

from content.errors import ContentError
from serve_app.cli.exits import FAILED
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, examples
from serve_app.cli.output import console, errors, print_json

WHERE = "Look at `content-service status`, `content-service logs serve` and the Ray dashboard."


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Local stack", epilog=examples("demo", "demo --json > demo.json"))(demo)


def demo(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Run the main job on real parts: publish, enrol, download, open, refuse.

    A real course is published and a learner with a phone and a tablet is
    enrolled; both bundles are downloaded and opened, a picture is changed
    and both are updated; a tampered bundle, another device's bundle and an
    expired URL are refused. Starts the local stack if it is not up, and
    leaves it running. With --json, one object on standard output and the
    progress on standard error.
    """
    from serve_app.demo.report import Result, print_report
    from serve_app.demo.scenario import run

    result = Result()
    shown = errors if as_json else console
    try:
        run(home, shown, result)
    except ContentError as error:
        result.error = error
    except Exception as error:  # noqa: BLE001 - a step that fails in any way is told, with where to look
        result.error = ContentError("demo-failed", f"{type(error).__name__}: {error}", WHERE)
    if as_json:
        print_json(result.as_dict())
    else:
        print_report(result, console)
    if (failure := result.error) is not None:
        errors.print(f"\n[bold red]{failure.code}[/]: {escape(failure.message)}", highlight=False, soft_wrap=True)
        errors.print(f"  → {escape(failure.remedy or WHERE)}", highlight=False, soft_wrap=True)
        if log_end := getattr(failure, "log_end", ""):
            errors.print(escape(log_end), style="dim", highlight=False, soft_wrap=True)
    if not result.ok:
        raise typer.Exit(FAILED)
