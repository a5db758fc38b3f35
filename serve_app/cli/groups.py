"""Groups of commands as this command line has them: panels in the order of the work, the end of a help text line by line."""

from __future__ import annotations

from typing import Any

import typer
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from serve_app.cli.output import console

PANELS = ("Local stack", "Author", "Content", "Learners", "Operate")


def _with_epilog(help_of: Any, command: Any, *arguments: Any) -> None:
    """Typer fills paragraphs and parts them by blank lines; examples and tables are lines."""
    epilog, command.epilog = command.epilog, None
    try:
        help_of(*arguments)
    finally:
        command.epilog = epilog
    if epilog:
        console.print(Text.from_markup(epilog), highlight=False, soft_wrap=True)
        console.print()


class Command(TyperCommand):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        _with_epilog(super().format_help, self, ctx, formatter)


class Group(TyperGroup):
    def format_help(self, ctx: Any, formatter: Any) -> None:
        _with_epilog(super().format_help, self, ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        """By panel; within one, in the order in which they were registered."""
        places = {panel: at for at, panel in enumerate(PANELS)}
        return sorted(self.commands, key=lambda name: places.get(_panel(self.commands[name]), -1))


def _panel(command: Any) -> str:
    panel = getattr(command, "rich_help_panel", None)
    return panel if isinstance(panel, str) else ""


class Commands(typer.Typer):
    """A group whose commands are ours."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"cls": Group, "no_args_is_help": True, "rich_markup_mode": "rich", **options})

    def command(self, name: str | None = None, **options: Any) -> Any:
        return super().command(name, **{"cls": Command, **options})
