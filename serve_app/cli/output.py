"""What the command line prints: tables, JSON, and errors as what happened and what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.markup import escape

from content.errors import ContentError, InvalidInput

console = Console()
errors = Console(stderr=True)
FAILED = 1


def run(command: Callable[[], Any]) -> None:
    """Run the command line; exit code 1 for an error of ours, 130 for Ctrl-C."""
    try:
        command()
    except ContentError as error:
        errors.print(f"[bold red]{error.code}[/]: {escape(error.message)}", highlight=False)
        if isinstance(error, InvalidInput):
            for problem in error.problems:
                errors.print(escape(f"  {problem.pointer or '/'}: {problem.message}"), highlight=False)
        if error.remedy:
            errors.print(f"  → {escape(error.remedy)}", highlight=False)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(130)


def print_json(value: Any) -> None:
    """JSON for scripts, on standard output alone."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")
