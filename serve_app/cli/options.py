"""Options that several commands share, and the connections a command opens."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cluster.settings import Settings

DEFAULT_HOME = Path(".content")
Home = Annotated[Path, typer.Option("--home", envvar="CONTENT_HOME", help="folder of the local stack")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for scripts")]
T = TypeVar("T")


def settings_for(home: Path) -> Settings:
    """The settings of this environment (`CONTENT_SETTINGS`), else of the local stack in `home`."""
    if os.environ.get("CONTENT_SETTINGS"):
        return Settings.load()
    from cluster.local.configuration import load_settings

    return load_settings(home)


def connected(settings: Settings, work: Callable[..., Awaitable[T]], role: str = "worker") -> T:
    """Run `work(connections)` in an event loop of its own."""
    from cluster.connections import Connections

    async def run() -> T:
        connections = await Connections.open(settings, role, size=2)  # pyright: ignore[reportArgumentType]
        try:
            return await work(connections)
        finally:
            await connections.close()

    return asyncio.run(run())
