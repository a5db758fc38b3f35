"""Commands on the archive of the event log: how far it is, and whether its chain is whole."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from serve_app.cli.exits import FAILED
from serve_app.cli.groups import Commands
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, connected, examples, settings_for
from serve_app.cli.output import print_json, say

archive_app = Commands(help="The event log's archive in the object store.")


@archive_app.command(epilog=examples("events archive status", "events archive status --json"))
def status(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """How far the archive is, and what waits (exit code 1 if something has waited for over a minute)."""
    from tasks.recovery import archived

    found = connected(settings_for(home), archived.status)
    if as_json:
        print_json(found)
    else:
        say(
            f"region {found['region']}: segment {found['epoch']}/{found['sequence']}, archived {found['archived_at'] or 'never'}"
        )
        say(f"  {found['waiting']} changes wait, the oldest for {found['oldest_s']:.1f} s")
        if found["behind"]:
            say(f"  set back: {found['behind']}")
    if found["behind"] or found["oldest_s"] > archived.LATE_S:
        raise typer.Exit(FAILED)


@archive_app.command(epilog=examples("events archive verify", "events archive verify --from s3://content-replica"))
def verify(
    address: Annotated[str | None, typer.Option("--from", help="Another bucket: a replica, say.")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Read every segment that makes up the state, and check digests and chain."""
    from cluster.eventlog.store import LogStore
    from cluster.objects import Objects
    from content.errors import ContentError
    from tasks.recovery.restore_source import source

    settings = settings_for(home)
    store = LogStore(source(settings, address) if address else Objects(settings), settings.region)

    def read() -> dict[str, Any]:
        counts = {"segments": 0, "changes": 0, "bytes": 0}
        path = store.path()
        if not path:
            raise ContentError(
                "no-event-log",
                f"There is no event log of the region {settings.region} there.",
                "Check the address and the setting region; a new region has none for its first seconds.",
            )
        for epoch, last in path:
            for _, segment in store.read(epoch, last):
                counts["segments"] += 1
                counts["changes"] += segment.changes
                counts["bytes"] += len(segment.body)
        return {"region": settings.region, "path": [list(each) for each in path], **counts}

    found = asyncio.run(asyncio.to_thread(read))
    if as_json:
        print_json(found)
    else:
        ends = ", ".join(f"{epoch}/{last}" for epoch, last in found["path"])
        say(f"{found['segments']} segments with {found['changes']} changes, up to {ends or 'nothing'}: whole")
