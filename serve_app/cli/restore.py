"""Commands of recovery: a region restored from its event log, a database that was set back reconciled with it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, connected, examples, settings_for
from serve_app.cli.output import errors, print_json, say

PANEL = "Operate"
CONNECTIONS = 16
"""Segments are read, tenants restored and blobs made again side by side."""


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL, epilog=examples("restore --from s3://content", "restore --from https://s3.example/content --json", "restore --from s3://content --join"))(restore)  # fmt: skip
    app.command(rich_help_panel=PANEL, epilog=examples("reconcile --dry-run", "reconcile"))(reconcile)


def restore(
    address: Annotated[
        str, typer.Option("--from", help="Bucket of the archive: s3://BUCKET, or https://HOST/BUCKET at another store.")
    ],
    join: Annotated[
        bool, typer.Option("--join", help="Help a restore that is under way with making blobs again.")
    ] = False,
    build: Annotated[
        bool,
        typer.Option(
            "--build",
            help="Also build versions again; needs the neighbours, Ray and the sandbox. Without, the builders do so after the end.",
        ),
    ] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Restore this region from its event log into an empty database.

    The database is migrated and empty, the key service is the one that the region used, the bucket may lack blobs. One that
    was killed goes on where it stopped when it is called again.
    """
    from tasks.recovery.restore import Restore
    from tasks.recovery.restore_source import source

    settings = settings_for(home)

    async def work(connections: Any) -> Any:
        run = Restore(connections, source(settings, address), address, errors.print, builds=build)
        if join:
            return {"items": await run.help()}
        return vars(await run.run())

    found = connected(settings, work, size=CONNECTIONS)
    if as_json:
        print_json(found)
        return
    if join:
        say(f"{found['items']} items made again")
        return
    say(f"restored {found['tenants']} tenants as they were at {found['closed_at']}")
    for name, sums in sorted(found["tables"].items()):
        say(
            f"  {name}: {sums['log']} in the log, {sums['table']} here{'' if sums['digests_equal'] else '; digests differ'}"
        )
    for name, sums in sorted(found["blobs"].items()):
        say(f"  {name}: {sums['items']} ({sums['bytes']} bytes)")
    say("  " + ", ".join(f"{step} {seconds:g} s" for step, seconds in found["seconds"].items()))


def reconcile(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is missing, and change nothing.")] = False,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="It was set back, even if its log does not show it: by less than a minute, say."),
    ] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Bring a database that was set back (restored to a point in time) up to what its event log and NATS have.

    Rows that are missing come back, whatever was numbered twice is outranked, and work goes on.
    """
    from tasks.recovery.reconcile import reconcile as run

    settings = settings_for(home)
    found = connected(settings, lambda connections: run(connections, dry_run=dry_run, anyway=anyway))
    if as_json:
        print_json(vars(found))
        return
    if not found.segments and not found.slips and not found.behind:
        say("the database is not behind its log")
        return
    say(
        f"{found.segments} segments and {found.slips} slips of the log were not known here, with {found.changes} changes"
    )
    if not dry_run:
        say(f"  {found.applied} rows taken over, {found.kept} kept as they had been changed here since")
        say(f"  {found.events} events of neighbours taken in again, {found.reissued} licences issued again")
    for event in found.unknown:
        say(f"  published, and not known here: {event}")
