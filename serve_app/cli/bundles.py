"""`content-service bundles …`: the encrypted bundles of learners' devices."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from serve_app.cli.caller import Caller, asks
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import errors, say
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


@bundles_app.command(
    epilog=examples(
        "bundles rebundle --package pkg_… --dry-run", "bundles rebundle --outdated-keys --reason 'key leaked'"
    )
)
@asks("content:write", "content:read", lists="packages list")
def rebundle(
    call: Caller,
    package: Annotated[str | None, typer.Option(help="Only of this package, pkg_…")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Only of this version.")] = None,
    profile: Annotated[str | None, typer.Option(help="Only of this profile.")] = None,
    policy: Annotated[str | None, typer.Option(help="Only of this policy: device or shared.")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only for this device; may be given again.")] = None,
    made_before: Annotated[str | None, typer.Option(help="Only those made before, 2026-01-31T12:00:00Z.")] = None,
    outdated_keys: Annotated[
        bool, typer.Option("--outdated-keys", help="Only those under an older content key.")
    ] = False,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "made anew",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to follow it; then exit code 5.")] = 3600.0,
) -> None:
    """Make ready bundles anew: packed anew, under current content keys, with the next issue of each licence.

    Devices get what they got before until a bundle's own turn has come. Cancelled (`jobs cancel`) it leaves the rest as it
    was; `jobs retry` goes on.
    """
    from serve_app.cli.watching import follow

    selection = {
        "package_id": package, "version": version, "profile": profile, "policy": policy, "device_ids": device or None,
        "made_before": made_before, "outdated_keys": outdated_keys,
    }  # fmt: skip
    if dry_run:
        cost = call.api.estimate_rebundle(reason, **selection)
        minutes = "an unknown time" if cost["minutes"] is None else f"about {cost['minutes']:g} minutes"
        told = (
            f"{cost['bundles']} bundles of {cost['payloads']} payloads: {cost['bytes_written']:,} bytes to write, "
            f"{cost['signature_calls']} signature calls, {minutes}. Nothing was changed."
        )
        call.show(cost, lambda: say(told))
        return
    job = call.api.rebundle(reason, **selection)
    if wait:
        job = follow(call.api, job["job_id"], timeout, quiet=call.as_json)
    done = (job["result"] or {}).get("bundles", 0)
    call.show(job, lambda: say(f"{job['job_id']} {job['state']}: {done} bundles made anew." if wait else job["job_id"]))


@bundles_app.command(
    epilog=examples("bundles export --package pkg_… -o class.cbundle", "bundles export --package pkg_… --learner ada")
)
@asks("content:read", lists="packages list")
def export(
    call: Caller,
    package: Annotated[str, typer.Option(help="Its id, pkg_…")],
    version: Annotated[int | None, typer.Option(min=1, help="The newest published one, if left out.")] = None,
    profile: Annotated[str | None, typer.Option(help="Only devices of this profile.")] = None,
    enrolment: Annotated[str | None, typer.Option(help="Only of this enrolment.")] = None,
    learner: Annotated[str | None, typer.Option(help="Only of this learner.")] = None,
    device: Annotated[str | None, typer.Option(help="Only for this device.")] = None,
    out: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("class.cbundle"),
) -> None:
    """One file for a memory stick with the licences of all devices of a package, and its lists and parts.

    Under the policy shared one file serves them all; under the policy device there is a file for each device. A device takes
    it in with `content-service device import`.
    """
    from datetime import UTC, datetime
    from tempfile import TemporaryDirectory

    from serve_app.device.bars import BarWatch, bytes_progress
    from serve_app.device.class_choice import Wanted, choose
    from serve_app.device.class_file import gather
    from serve_app.device.download import edge_client

    offers = choose(call.api, Wanted(package, version, profile, enrolment, learner, device))
    with TemporaryDirectory() as folder, edge_client() as edge, bytes_progress(errors) as progress:
        watch = BarWatch(progress, errors)
        found = gather(call.api, edge, call.tenant, offers, out, Path(folder), datetime.now(UTC), watch)
    devices = "1 device" if found.devices == 1 else f"{found.devices} devices"
    told = f"{found.file}  version {found.version} for {devices}, {found.bytes:,} bytes"
    call.show(vars(found), lambda: say(told))


def _told(bundle: dict[str, Any]) -> None:
    say(f"{bundle['bundle_id']}  {bundle['state']}, issue {bundle['issue']}")
    say(f"  {bundle['package_id']} version {bundle['version']}, profile {bundle['profile']}")
    say(f"  device {bundle['device_id']}")
    for blob in (bundle["index"], *bundle["parts"]):
        say(f"  {blob['path']}  {blob['size']:,} bytes")
    say(f"  addresses for {bundle['urls_expire_in_s']} s: see --json")
