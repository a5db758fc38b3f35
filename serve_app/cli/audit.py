"""`content-service audit …`: what was changed and by whom, and the proof that the record is whole."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from serve_app.cli.caller import Caller, asks
from serve_app.cli.exits import FAILED
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.tables import Column, column, moment, show

audit_app = Commands(help="The audit log: what was changed, by whom.")


def register(app: typer.Typer) -> None:
    app.add_typer(audit_app, name="audit", rich_help_panel="Operate")


@audit_app.command("list", epilog=examples("audit list", "audit list --limit 500 --json"))
@asks("audit:read")
def list_entries(call: Caller, limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50) -> None:
    """Entries, newest first."""
    rows = list(islice(call.api.audit(), limit))
    columns = [column("n"), moment("when", "at"), column("who", "actor"), column("what", "action"), Column("details", _details, text=True)]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "Nothing was changed yet."))


@audit_app.command(epilog=examples("audit verify", "audit verify --archive", "audit verify --json | jq -r .head"))
@asks("audit:read")
def verify(
    call: Caller,
    archive: Annotated[bool, typer.Option("--archive", help="Read the archive, and compare it with the log.")] = False,
) -> None:
    """Follow the log's hash chain; exit code 1 if an entry is not as it was written.

    A log whose newest entries were cut off looks whole: note the head, and compare it the next time.
    """
    if archive:
        _archive(call)
        return
    found = call.api.verify_audit()

    def told() -> None:
        if found["valid"]:
            say(f"Whole: entries {found['first']} to {found['last']}, head {found['head']}")
        else:
            say(f"Broken: entry {found['broken_at']} is not as it was written.")

    call.show(found, told)
    if not found["valid"]:
        raise typer.Exit(FAILED)


def _archive(call: Caller) -> None:
    found = call.api.verify_audit_archive()
    whole = f"Whole: {found['segments']} segments, entries 1 to {found['last']}, head {found['head']}"
    call.show(found, lambda: say(whole if found["valid"] else f"Broken: {found['broken']}"))
    if not found["valid"]:
        raise typer.Exit(FAILED)


def _details(row: Any) -> str:
    """What a person asks about; the request's id is for logs, and stands in the JSON."""
    return ", ".join(f"{name} {value}" for name, value in row["details"].items() if name != "request_id")
