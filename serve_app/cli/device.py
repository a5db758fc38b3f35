"""`content-service device …`: a complete device on the command line. Opening and verifying never use the network.

What is imported inside the commands would slow down every other one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from content.errors import ContentError
from serve_app.cli import device_licences, foreseen, sticks
from serve_app.cli.exits import FAILED
from serve_app.cli.groups import Commands
from serve_app.cli.options import DEFAULT_HOME, AsJson, Folder, Home, Which, examples, settings_for
from serve_app.cli.output import answer, as_document, console, errors, print_json, say, tell

device_app = Commands(help="Be a device: register, download, open offline.")


def register(app: typer.Typer) -> None:
    device_licences.register(device_app)
    sticks.register(device_app)
    app.add_typer(device_app, name="device", rich_help_panel="Learners")


def _now() -> datetime:
    return datetime.now(UTC)


@device_app.command(epilog=examples("device new ./phone --tenant demo"))
def new(
    folder: Folder,
    tenant: Annotated[str, typer.Option(help="The tenant it will belong to.")],
    as_json: AsJson = False,
) -> None:
    """Make a device: a folder (0700) with two new keys (0600)."""
    from content.documents import TENANT
    from serve_app.device.folder import DeviceFolder

    if TENANT.fullmatch(tenant) is None:
        raise ContentError("tenant-malformed", f"{tenant!r} is no tenant.", "Use letters, digits and hyphens.")
    identity = DeviceFolder.create(folder, tenant).identity
    facts = {"device_id": identity.id, "tenant": tenant, "encryption_key": identity.encryption_thumbprint}
    answer(facts, as_json, f"Device {identity.id}\nin {folder}, tenant {tenant}.")


@device_app.command("register", epilog=examples("device register ./phone --learner ada --profile phone"))
def register_device(
    folder: Folder,
    token: Annotated[str | None, typer.Option(help="Bearer token of the learner (scope device:register).")] = None,
    learner: Annotated[str | None, typer.Option(help="Local stack: mint a token for this learner.")] = None,
    profile: Annotated[str, typer.Option(help="phone, tablet or desktop.")] = "phone",
    api: Annotated[str | None, typer.Option(help="Address of the API; else the local stack's.")] = None,
    root: Annotated[str | None, typer.Option(help="Pin this root key (its thumbprint).")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Register a device for a learner, and take in the trust lists."""
    from serve_app.client import Client
    from serve_app.device import register as registration
    from serve_app.device.folder import DeviceFolder

    device = DeviceFolder(folder)
    with device.locked():
        if (token is None) == (learner is None):
            raise ContentError("who", "Whose device is it?", "Give either --token or --learner.")
        if token is None:
            from cluster.local.identity import mint_token

            token = mint_token(home, device.identity.tenant, ["device:register"], str(learner))
        with Client(api or settings_for(home).api_url, token=token) as client:
            row = registration.register(device, client, profile=profile, clock=_now, pinned_root=root)
        trust = device.state.trust
    facts = {
        "device_id": row["device_id"],
        "learner_id": row["learner_id"],
        "profile": profile,
        "bundles_planned": row.get("bundles_planned", 0),
        "trust_version": trust.version if trust else 0,
    }
    told = f"Registered for {row['learner_id']} as a {profile}; {facts['bundles_planned']} bundles are being made."
    answer(facts, as_json, told)


@device_app.command(epilog=examples("device sync ./phone", "device sync ./phone --dry-run"))
def sync(
    folder: Folder,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be fetched and deleted, and how full the disk gets.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Go online: fresh lists, and the newest bundle of each course.

    A broken download goes on where it broke. A bundle is verified before it replaces an older one.
    """
    from serve_app.client import Client
    from serve_app.device.bars import BarWatch, bytes_progress
    from serve_app.device.download import edge_client
    from serve_app.device.folder import DeviceFolder
    from serve_app.device.foresight import look_ahead
    from serve_app.device.sync import sync as run

    device = DeviceFolder(folder)
    if dry_run:
        with device.locked(), Client(device.registered.api_url, device=device.identity) as api:
            found = look_ahead(device, api)
        facts = {**vars(found), "bundles": [vars(each) for each in found.bundles]}
        answer(facts, as_json, "\n".join(foreseen.lines(facts)))
        return
    with (
        device.locked(),
        Client(device.registered.api_url, device=device.identity) as api,
        edge_client() as edge,
        bytes_progress(errors) as progress,
    ):
        report = run(device, api, edge, clock=_now, watch=BarWatch(progress, errors))
    facts: dict[str, Any] = {
        "trust_version": report.trust_version,
        "revocations": list(report.revocations),
        "bundles": [vars(each) for each in report.taken],
        "removed": list(report.removed),
        "refused": [{"bundle_id": each.bundle_id, **as_document(each.error)} for each in report.refused],
        "tamper_reports": report.reports,
    }
    lines = [f"Trust list {report.trust_version}, revocation list {'.'.join(map(str, report.revocations))}."]
    for each in report.taken:
        what = f"new, {each.fetched:,} bytes fetched" if each.new else "up to date"
        lines.append(f"{each.bundle_id}  version {each.version}  {what}")
    if report.reports:
        lines.append(f"{report.reports} reports of changed bytes were sent.")
    if not report.taken and not report.refused:
        lines.append("There are no bundles for this device yet.")
    answer(facts, as_json, "\n".join(lines))
    if report.refused:
        if not as_json:
            for each in report.refused:
                tell(each.error)
        raise typer.Exit(FAILED)


@device_app.command(
    epilog=examples("device plan ./phone pkg_… --space 200MB --dry-run", "device plan ./phone pkg_… --space all")
)
def plan(
    folder: Folder,
    package_id: Annotated[str, typer.Argument(metavar="PACKAGE", help="Its id, pkg_…")],
    space: Annotated[str, typer.Option(help="Room for the course: 200MB, 200MiB, 1.5GB, bytes; or all.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would fit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for what of a course fits a space, now and in versions to come; the next sync fetches it.

    Waits until it can be fetched. With --space all the device gets the whole course again.
    """
    from serve_app.cli.plans import show_plan
    from serve_app.client import Client
    from serve_app.device.folder import DeviceFolder
    from serve_app.device.planned import request

    device, wanted = DeviceFolder(folder), None if space == "all" else space
    with device.locked(), Client(device.registered.api_url, device=device.identity) as api:
        found = api.plan(package_id, space=wanted)
        made = None if dry_run else request(api, found, wanted)
    if as_json:
        print_json({"plan": found, "requested": made})
        return
    show_plan(found)
    if made is not None:
        say(f"It is there as {made['profile']}. Fetch it: content-service device sync {folder}")


@device_app.command("open", epilog=examples("device open ./phone -o ./course"))
def open_bundle(
    folder: Folder,
    which: Which = None,
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder to write the course to.")] = Path("course"),
    as_json: AsJson = False,
) -> None:
    """Decrypt a course into a folder with a page to look at. Offline."""
    from serve_app.device.folder import DeviceFolder
    from serve_app.device.reading import open_offline
    from serve_app.device.unpack import unpack

    device = DeviceFolder(folder)
    with (
        device.locked(),
        open_offline(device, device.shelf.find(which), _now()) as bundle,
        _counting("opening", sum(file.size for file in bundle.index.files)) as advance,
    ):
        opened = unpack(bundle, out, lambda _, size: advance(size))
    facts = {
        "bundle_id": bundle.licence.bundle_id,
        "folder": str(opened.folder),
        "page": str(opened.page),
        "languages": list(opened.languages),
        "assets": opened.assets,
        "bytes": opened.bytes,
        "left_out": list(opened.left_out),
    }
    less = f"\nNot in this bundle: the files of {', '.join(opened.left_out)}." if opened.left_out else ""
    told = f"{opened.assets} assets, {opened.bytes:,} bytes, languages {', '.join(opened.languages)}.{less}\nLook at {opened.page}"
    answer(facts, as_json, told)


@device_app.command(epilog=examples("device verify ./phone"))
def verify(folder: Folder, which: Which = None, as_json: AsJson = False) -> None:
    """Check bundles to the last byte: every list, signature, hash and segment. Offline."""
    from serve_app.device import reading
    from serve_app.device.folder import DeviceFolder

    found: list[reading.Verified] = []
    device = DeviceFolder(folder)
    with device.locked():
        chosen = device.shelf.all() if which is None else [device.shelf.find(which)]
        if not chosen:
            chosen = [device.shelf.find(None)]
        for installed in chosen:
            with (
                reading.open_offline(device, installed, _now()) as bundle,
                _counting("verifying", sum(file.size for file in bundle.index.files)) as advance,
            ):
                found.append(reading.check(device, bundle, _now(), lambda file, told=advance: told(file.size)))
    facts = {"checks": list(reading.CHECKS), "bundles": [vars(each) for each in found]}
    lines = [f"✓ {check}" for check in reading.CHECKS]
    lines += [
        f"{each.bundle_id}  version {each.version}\n"
        f"  {each.files} files, {each.segments} segments, {each.bytes:,} bytes: all as signed"
        for each in found
    ]
    answer(facts, as_json, "\n".join(lines))


@device_app.command("list", epilog=examples("device list ./phone --json"))
def list_bundles(folder: Folder, as_json: AsJson = False) -> None:
    """Show the device and the bundles it holds. Offline; nothing is verified."""
    from serve_app.device.folder import DeviceFolder

    device = DeviceFolder(folder)
    with device.locked():
        identity, every, state = device.identity, device.shelf.all(), device.state
    facts: dict[str, Any] = {
        "device_id": identity.id,
        "tenant": identity.tenant,
        "trust_version": state.trust.version if state.trust else 0,
        "revocations": list(state.revocations),
        "bundles": [
            {
                "bundle_id": each.bundle_id,
                "package_id": each.licence.package_id,
                "version": each.licence.version,
                "issue": each.licence.issue,
                "profile": each.licence.profile,
                "not_after": each.licence.not_after.isoformat(),
                "days_left": max(0, (each.licence.not_after - max(_now(), state.clock_floor)).days),
            }
            for each in every
        ],
    }
    if as_json:
        print_json(facts)
        return
    console.print(f"Device {identity.id}, tenant {identity.tenant}", highlight=False, soft_wrap=True)
    table = Table("bundle", "version", "profile", "until", "days left", box=None, pad_edge=False)
    for row in facts["bundles"]:
        left = str(row["days_left"])
        table.add_row(row["bundle_id"], str(row["version"]), row["profile"], row["not_after"][:10], left)
    console.print(table if every else "It holds no bundle: `content-service device sync DIR`.")


@contextmanager
def _counting(what: str, total: int) -> Generator[Callable[[int], None]]:
    from serve_app.device.bars import bytes_progress

    with bytes_progress(errors) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
