"""`content-service bundles …`: the encrypted bundles of learners' devices."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from serve_app.cli.caller import Caller, asks
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.tables import column, show

bundles_app = Commands(help="Bundles of learners' devices.")
BundleId = Annotated[str, typer.Argument(metavar="BUNDLE", help="Its id, bnd_…")]
LISTS = "bundles list"


def register(app: typer.Typer) -> None:
    app.add_typer(bundles_app, name="bundles", rich_help_panel="Learners")


@bundles_app.command("list", epilog=examples("bundles list --state failed", "bundles list --learner ada --json"))
@asks("content:read")
def list_bundles(
    call: Caller,
    state: Annotated[str | None, typer.Option(help="planned, claimed, ready, failed, superseded or cancelled.")] = None,
    package: Annotated[str | None, typer.Option(help="Only of this package.")] = None,
    device: Annotated[str | None, typer.Option(help="Only of this device.")] = None,
    learner: Annotated[str | None, typer.Option(help="Only of this learner.")] = None,
    enrolment: Annotated[str | None, typer.Option(help="Only of this enrolment.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """Bundles, newest first: of which package and version, for whose device, and how far."""
    found = call.api.bundles(
        state=state, package_id=package, device_id=device, learner_id=learner, enrollment_id=enrolment
    )
    rows = list(islice(found, limit))
    columns = [
        column("bundle", "bundle_id"), column("state"), column("version"), column("profile"),
        column("learner", "learner_id"), column("package", "package_id"), column("device", "device_id"),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no such bundles."))


@bundles_app.command("show", epilog=examples("bundles show bnd_…", "bundles show bnd_… --json"))
@asks("content:read", lists=LISTS)
def show_bundle(call: Caller, bundle_id: BundleId) -> None:
    """A bundle that is ready: its licence, its files and signed addresses (with --json all of it)."""
    found = call.api.bundle(bundle_id)
    call.show(found, lambda: _told(dict(found)))


@bundles_app.command(epilog=examples("bundles retry bnd_…"))
@asks("content:write", lists=LISTS)
def retry(call: Caller, bundle_id: BundleId) -> None:
    """Have a failed bundle made again."""
    found = call.api.retry_bundle(bundle_id)
    call.show(found, lambda: say(f"{bundle_id} is {found['state']} again."))


def _told(bundle: dict[str, Any]) -> None:
    say(f"{bundle['bundle_id']}  {bundle['state']}, issue {bundle['issue']}")
    say(f"  {bundle['package_id']} version {bundle['version']}, profile {bundle['profile']}")
    say(f"  device {bundle['device_id']}")
    for blob in (bundle["index"], *bundle["parts"]):
        say(f"  {blob['path']}  {blob['size']:,} bytes")
    say(f"  addresses for {bundle['urls_expire_in_s']} s: see --json")
