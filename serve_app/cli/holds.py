"""`content-service holds …`: what must not be deleted, whoever asks."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from content.errors import ContentError
from serve_app.cli.caller import Caller, asks
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.tables import Column, column, moment, show

holds_app = Commands(help="Legal holds: what must not be deleted, whoever asks.")
SCOPE, LISTS = "tenant:admin", "holds list"
Reason = Annotated[str, typer.Option(help="Kept in the audit log for good; name no learner in it.")]


def register(app: typer.Typer) -> None:
    app.add_typer(holds_app, name="holds", rich_help_panel="Operate")


@holds_app.command(epilog=examples("holds add --package pkg_… --reason 'Case 2026/17'", "holds add --whole-tenant --reason 'Case 2026/17' --tenant acme"))  # fmt: skip
@asks(SCOPE)
def add(
    call: Caller,
    reason: Reason,
    package: Annotated[str | None, typer.Option(help="Id of the package.")] = None,
    whole_tenant: Annotated[bool, typer.Option("--whole-tenant", help="All that is the tenant's.")] = False,
) -> None:
    """Place a hold on a package, or on the whole tenant."""
    if (package is None) == (not whole_tenant):
        raise ContentError("what-is-held", "What is to be held?", "Give either --package or --whole-tenant.")
    found = call.api.hold(reason, package)
    call.show(found, lambda: say(f"{found['hold_id']} is on; the store's own locks follow ({found['job_id']})."))


@holds_app.command("list", epilog=examples("holds list", "holds list --package pkg_… --json"))
@asks(SCOPE)
def list_holds(
    call: Caller,
    package: Annotated[str | None, typer.Option(help="Only on this package.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 200,
) -> None:
    """Holds, newest first, released ones too."""
    rows = list(islice(call.api.holds(package_id=package), limit))
    columns = [
        column("hold", "hold_id"), Column("on", _covers), moment("placed", "placed_at"), moment("released", "released_at"),
        column("reason", text=True),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no holds."))


@holds_app.command(epilog=examples("holds release hld_… --reason 'Case closed'"))
@asks(SCOPE, lists=LISTS)
def release(
    call: Caller, hold_id: Annotated[str, typer.Argument(metavar="HOLD", help="Its id, hld_…")], reason: Reason
) -> None:
    """Release a hold. Erasures and deletions that it had stopped go on."""
    found = call.api.release_hold(hold_id, reason)
    call.show(found, lambda: say(f"{found['hold_id']} is released."))


def _covers(row: Any) -> str:
    return row["package_id"] or "the tenant"
