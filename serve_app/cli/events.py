"""Commands of operators on events: the dead letters listed, shown, brought in again, purged."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from content.errors import ContentError
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, connected, settings_for
from serve_app.cli.output import console, print_json

events_app = typer.Typer(help="Events that could not be taken in, and events sent out again.", no_args_is_help=True)
Reason = Annotated[str | None, typer.Option(help="only those refused with this code, e.g. tenant-unknown")]
Subject = Annotated[str | None, typer.Option(help="only those of this subject, e.g. enrollment.created.v1")]
T = TypeVar("T")


def register(app: typer.Typer) -> None:
    app.add_typer(events_app, name="events", rich_help_panel="Operate")


@events_app.command()
def dead(
    reason: Reason = None,
    subject: Subject = None,
    after: Annotated[int, typer.Option(help="begin behind this number")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="how many")] = 50,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List the dead letters, oldest first.

    Example: content-service events dead --reason tenant-unknown
    """
    from tasks import dead_letters

    choice = dead_letters.Choice(reason, subject)
    letters, next_after = _reading(home, lambda box: dead_letters.page(box, choice, after=after, limit=limit))
    if as_json:
        print_json({"items": [letter.summary() for letter in letters], "next": next_after})
        return
    table = Table("number", "time", "subject", "bytes", "reason", box=None, pad_edge=False)
    for letter in letters:
        when = f"{letter.time:%m-%d %H:%M:%S}"
        table.add_row(str(letter.sequence), when, letter.subject, str(letter.size_bytes), letter.reason)
    console.print(table)
    if next_after is not None:
        console.print(f"more: --after {next_after}")


@events_app.command()
def show(number: int, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show one dead letter with the reason and its body. Bodies hold learners' ids: mind where they are pasted."""
    letter = _reading(home, lambda box: box.get(number))
    try:
        body = letter.body.decode("utf-8")
    except UnicodeDecodeError:
        body = "base64:" + base64.b64encode(letter.body).decode()
    if as_json:
        print_json({**letter.summary(), "problem": letter.problem, "body": body})
        return
    console.print(f"{letter.sequence}  {letter.time:%Y-%m-%d %H:%M:%S}  {letter.subject}", highlight=False)
    console.print(f"{letter.reason}: {letter.problem.get('title', '')}", highlight=False, markup=False)
    for problem in letter.problem.get("problems", []):
        console.print(f"  {problem['pointer'] or '/'}: {problem['message']}", highlight=False, markup=False)
    console.print(body, highlight=False, markup=False)
    if not letter.whole:
        console.print(f"[red]cut[/]: {len(letter.body)} of {letter.size_bytes} bytes")


@events_app.command()
def replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="which; none: all that the options choose")] = None,
    reason: Reason = None,
    subject: Subject = None,
    everything: Annotated[bool, typer.Option("--all", help="all there are")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Bring dead letters in again; what is taken in is removed, what is refused again stays (exit code 1).

    Example: content-service events replay --reason tenant-unknown
    """
    from cluster.dead_letters import DeadLetters
    from tasks import dead_letters

    _must_choose(numbers, reason, subject, everything)
    settings = settings_for(home)

    async def work(connections: Any) -> list[dead_letters.Replayed]:
        async with DeadLetters.connect(settings) as box:
            choice = dead_letters.Choice(reason, subject)
            wanted = (
                [await box.get(number) for number in numbers]
                if numbers
                else [letter async for letter in dead_letters.chosen(box, choice)]
            )
            return [await dead_letters.replay(connections, box, letter) for letter in wanted]

    done = connected(settings, work)
    if as_json:
        print_json([vars(entry) for entry in done])
    else:
        for entry in done:
            console.print(f"{entry.sequence}  {entry.outcome}  {entry.code}", highlight=False)
        console.print(f"{len(done)} replayed, {sum(entry.outcome == 'refused' for entry in done)} refused again")
    if any(entry.outcome == "refused" for entry in done):
        raise typer.Exit(1)


@events_app.command()
def purge(
    reason: Reason = None,
    subject: Subject = None,
    everything: Annotated[bool, typer.Option("--all", help="all there are")] = False,
    home: Home = DEFAULT_HOME,
) -> None:
    """Remove dead letters for good.

    Example: content-service events purge --reason event-unknown-type
    """
    from tasks import dead_letters

    _must_choose(None, reason, subject, everything)
    removed = _reading(home, lambda box: dead_letters.purge(box, dead_letters.Choice(reason, subject)))
    console.print(f"{removed} removed")


def _must_choose(numbers: list[int] | None, reason: str | None, subject: str | None, everything: bool) -> None:
    if not (numbers or reason or subject or everything):
        raise ContentError("nothing-chosen", "Nothing says which dead letters.", "Give --reason, --subject or --all.")


def _reading(home: Any, ask: Callable[[Any], Awaitable[T]]) -> T:
    import asyncio

    from cluster.dead_letters import DeadLetters

    async def run() -> T:
        async with DeadLetters.connect(settings_for(home)) as box:
            return await ask(box)

    return asyncio.run(run())
