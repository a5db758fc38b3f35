"""Findings in a draft or its media as their author reads them: where in the course, what is wrong, what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from rich.markup import escape

from serve_app.cli.output import console, say

SIGNS = {"error": "[bold red]error[/]", "warning": "[yellow]warning[/]"}
NAMES = {"units": "unit", "blocks": "block", "questions": "question", "choices": "choice", "captions": "caption"}


def print_findings(draft: Any, findings: Iterable[Mapping[str, Any]]) -> None:
    """Each finding over a few lines, at most as wide as the terminal; pointers are whole."""
    for finding in findings:
        sign = SIGNS.get(str(finding.get("severity", "error")), SIGNS["error"])
        pointer = str(finding["pointer"]) or "/"
        console.print(f"{sign} {escape(place(draft, pointer))}", highlight=False, soft_wrap=True)
        say(
            textwrap.fill(
                str(finding["message"]),
                console.width,
                break_long_words=False,
                initial_indent="  ",
                subsequent_indent="  ",
            )
        )
        console.print(f"  [dim]{escape(str(finding['code']))} at {escape(pointer)}[/]", highlight=False, soft_wrap=True)


def place(draft: Any, pointer: str) -> str:
    """The place that a JSON pointer names, in an author's words: `unit 1 “breathing”, block 3 “chart”, alt`."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    told: list[str] = []
    node, collection = draft, ""
    for step in steps:
        found = _child(node, step)
        if step.isdigit() and (isinstance(node, list) or collection in NAMES):
            identity = found.get("id") if isinstance(found, Mapping) else None
            name = NAMES.get(collection, collection.removesuffix("s") or "entry")
            told.append(f"{name} {int(step) + 1}" + (f" “{identity}”" if identity else ""))
        elif not isinstance(found, list) and step not in NAMES:
            told.append(step)
        collection, node = step, found
    return ", ".join(told) or ("the draft" if not steps else steps[-1])


def _child(node: Any, step: str) -> Any:
    match node:
        case list() if step.isdigit() and int(step) < len(node):
            return node[int(step)]
        case dict():
            return node.get(step)
        case _:
            return None


def counted(errors: int, warnings: int) -> str:
    """`2 errors, 1 warning`."""
    return f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
