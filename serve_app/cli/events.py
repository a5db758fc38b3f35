"""Commands of operators on events: the dead letters listed, shown, brought in again, purged."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer

from content.errors import ContentError
from serve_app.cli.event_archive import archive_app
from serve_app.cli.exits import FAILED
from serve_app.cli.groups import Commands
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, connected, examples, settings_for
from serve_app.cli.output import print_json, say
from serve_app.cli.tables import column, moment
from serve_app.cli.tables import show as show_table

events_app = Commands(help="Events that could not be taken in (the dead letters), and the archive of the event log.")
events_app.add_typer(archive_app, name="archive")
Reason = Annotated[str | None, typer.Option(help="Only those refused with this code, e.g. tenant-unknown.")]
Subject = Annotated[str | None, typer.Option(help="Only those of this subject, e.g. enrollment.created.v1.")]
All = Annotated[bool, typer.Option("--all", help="All there are.")]
T = TypeVar("T")


def register(app: typer.Typer) -> None:
    app.add_typer(events_app, name="events", rich_help_panel="Operate")


@events_app.command(epilog=examples("events dead", "events dead --reason tenant-unknown --json"))
def dead(
    reason: Reason = None,
    subject: Subject = None,
    after: Annotated[int, typer.Option(help="Begin behind this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List the dead letters, oldest first."""
    from tasks import dead_letters

    choice = dead_letters.Choice(reason, subject)
    letters, next_after = _reading(home, lambda box: dead_letters.page(box, choice, after=after, limit=limit))
    rows = [{**letter.summary(), "time": letter.time.isoformat()} for letter in letters]
    if as_json:
        print_json({"items": rows, "next": next_after})
        return
    columns = [column("number", "sequence"), moment("time", "time"), column("subject"), column("bytes", "size_bytes"), column("reason")]  # fmt: skip
    show_table(columns, rows, "There is no dead letter.")
    if next_after is not None:
        say(f"more: --after {next_after}")


@events_app.command(epilog=examples("events show 17"))
def show(
    number: Annotated[int, typer.Argument(help="Its number in the list.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter with the reason and its body.

    Bodies hold learners' ids: mind where they are pasted.
    """
    letter = _reading(home, lambda box: box.get(number))
    try:
        body = letter.body.decode("utf-8")
    except UnicodeDecodeError:
        body = "base64:" + base64.b64encode(letter.body).decode()
    if as_json:
        print_json({**letter.summary(), "problem": letter.problem, "body": body})
        return
    say(f"{letter.sequence}  {letter.time:%Y-%m-%d %H:%M:%S}  {letter.subject}")
    say(f"{letter.reason}: {letter.problem.get('title', '')}")
    for problem in letter.problem.get("problems", []):
        say(f"  {problem['pointer'] or '/'}: {problem['message']}")
    say(body)
    if not letter.whole:
        say(f"cut: {len(letter.body)} of {letter.size_bytes} bytes")


@events_app.command(epilog=examples("events replay 17", "events replay --reason tenant-unknown"))
def replay(
    numbers: Annotated[list[int] | None, typer.Argument(help="Which; none: all that the options choose.")] = None,
    reason: Reason = None,
    subject: Subject = None,
    everything: All = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Bring dead letters in again; what is taken in is removed, what is refused again stays (exit code 1)."""
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
            say(f"{entry.sequence}  {entry.outcome}  {entry.code}".rstrip())
        say(f"{len(done)} replayed, {sum(entry.outcome == 'refused' for entry in done)} refused again")
    if any(entry.outcome == "refused" for entry in done):
        raise typer.Exit(FAILED)


@events_app.command(epilog=examples("events purge --reason event-unknown-type"))
def purge(
    reason: Reason = None,
    subject: Subject = None,
    everything: All = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Remove dead letters for good."""
    from tasks import dead_letters

    _must_choose(None, reason, subject, everything)
    removed = _reading(home, lambda box: dead_letters.purge(box, dead_letters.Choice(reason, subject)))
    if as_json:
        print_json({"removed": removed})
    else:
        say(f"{removed} removed")


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
