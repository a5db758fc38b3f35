"""What the command line prints: JSON documents, errors as what happened and what to do, findings with their places.

Answers go to standard output, everything else to standard error. With `--json` there is one document on standard output,
and an error is a document too: `{"error": {"code", "message", "remedy", …}}`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from rich.console import Console
from rich.markup import escape

from content.errors import ContentError, InvalidInput
from serve_app.cli.exits import FAILED, STOPPED, code_of

OURS = ("content", "cluster", "tasks", "actors", "serve_app")


class _Console(Console):
    """Leaves what a closed pipe means to `run`: rich would end the process with a code of its own."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


console = _Console()
errors = _Console(stderr=True)
wants_json: ContextVar[bool] = ContextVar("wants_json", default=False)
"""Whether the command that runs was asked for JSON; set by its option."""


def run(command: Callable[[], Any]) -> None:
    """Run the command line and leave with its exit code (`exits.py`)."""
    wants_json.set(False)
    try:
        command()
    except ContentError as error:
        tell(error)
        sys.exit(code_of(error))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OURS:
            raise
        tell(_not_here(error))
        sys.exit(FAILED)
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(STOPPED)
    except BrokenPipeError:
        _forget_output()
        sys.exit(FAILED)
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_output()


def _not_here(error: ModuleNotFoundError) -> ContentError:
    """The slim image holds what speaks to the API and what a device does; operators' commands are in the service's."""
    told = f"This command needs {error.name}, which is not installed here."
    return ContentError("not-installed", told, "Run it in the image content-service/service, or after `make install`.")


def _forget_output() -> None:
    """Whoever read the output went away: nothing more is written, and Python's own flush at the end has nothing to say."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(error: ContentError) -> None:
    """An error in the shape that was asked for."""
    if wants_json.get():
        print_json({"error": as_document(error)})
        return
    errors.print(f"[bold red]{error.code}[/]: {escape(error.message)}", highlight=False, soft_wrap=True)
    if isinstance(error, InvalidInput):
        for problem in error.problems:
            errors.print(escape(f"  {problem.pointer or '/'}: {problem.message}"), highlight=False, soft_wrap=True)
    if error.remedy:
        errors.print(f"  → {escape(error.remedy)}", highlight=False, soft_wrap=True)
    if request_id := getattr(error, "request_id", ""):
        errors.print(f"  request {request_id}", style="dim", highlight=False, soft_wrap=True)


def as_document(error: ContentError) -> dict[str, Any]:
    """An error for a program."""
    document: dict[str, Any] = {"code": error.code, "message": error.message, "remedy": error.remedy}
    document["retryable"] = error.retryable
    if isinstance(error, InvalidInput):
        document["problems"] = [problem.as_dict() for problem in error.problems]
    if request_id := getattr(error, "request_id", ""):
        document["request_id"] = request_id
    return document


def print_json(value: Any) -> None:
    """JSON for scripts, on standard output alone."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


def say(text: str) -> None:
    """One line for a person, as it is: nothing in it is markup, and no id is broken."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def answer(facts: Any, as_json: bool, text: str) -> None:
    """The facts for a program, or the text for a person."""
    if as_json:
        print_json(facts)
    else:
        say(text)
