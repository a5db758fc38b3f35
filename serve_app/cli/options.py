"""Options that several commands share, the settings and connections a command opens, and the examples in its help."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from serve_app.cli.output import wants_json

if TYPE_CHECKING:
    from cluster.settings import Settings

DEFAULT_HOME = Path(".content")
T = TypeVar("T")


def _noted(value: bool) -> bool:
    wants_json.set(value)
    return value


Home = Annotated[
    Path, typer.Option("--home", envvar="CONTENT_HOME", help="Folder of the local stack: data, ports, keys, logs.")
]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The device's folder.")]
Which = Annotated[
    str | None, typer.Argument(metavar="BUNDLE|PACKAGE", help="Its id; may be left out if there is one course.")
]
AsJson = Annotated[bool, typer.Option("--json", callback=_noted, help="Print one JSON document for a program.")]


def examples(*commands: str) -> str:
    """The end of a help text: one example per line."""
    return "\n".join(["[bold]Examples[/]", *(f"  content-service {command}" for command in commands)])


def settings_for(home: Path) -> Settings:
    """The settings of this environment (`CONTENT_SETTINGS`, or `CONTENT_PROFILE` as in every pod), else of the local stack in
    `home`."""
    from cluster.settings import Settings

    if os.environ.get("CONTENT_SETTINGS") or os.environ.get("CONTENT_PROFILE"):
        return Settings.load()
    from cluster.local.configuration import load_settings

    return load_settings(home)


def connected(settings: Settings, work: Callable[..., Awaitable[T]], role: str = "worker", size: int = 2) -> T:
    """Run `work(connections)` in an event loop of its own."""
    from cluster.connections import Connections
    from cluster.telemetry import logs

    logs.for_people()

    async def run() -> T:
        connections = await Connections.open(settings, role, size=size)  # pyright: ignore[reportArgumentType]
        try:
            return await work(connections)
        finally:
            await connections.close()

    return asyncio.run(run())
