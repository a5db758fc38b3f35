"""`content-service packages …`: packages, their versions and manifests, and taking a version back."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from serve_app.cli import changes, quality
from serve_app.cli.caller import Caller, asks
from serve_app.cli.findings import print_findings
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.plans import show_plan
from serve_app.cli.tables import column, moment, show, when

packages_app = Commands(help="Packages, their versions and manifests.")
PackageId = Annotated[str, typer.Argument(metavar="PACKAGE", help="Its id, pkg_…")]
Number = Annotated[int | None, typer.Argument(min=1, help="Of the version; the newest published one, if left out.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
LISTS = "packages list"


def register(app: typer.Typer) -> None:
    app.add_typer(packages_app, name="packages", rich_help_panel="Content")


@packages_app.command("list", epilog=examples("packages list", "packages list --course first-aid --json"))
@asks("content:read")
def list_packages(
    call: Caller,
    course: Annotated[str | None, typer.Option(help="Only this course's.")] = None,
    limit: Limit = 50,
) -> None:
    """Packages of the tenant, newest first, each with its newest published version."""
    rows = list(islice(call.api.packages(course_id=course), limit))
    columns = [column("package", "package_id"), column("version"), moment("created", "created_at"), column("course", "course_id")]  # fmt: skip
    call.show(
        {"items": rows}, lambda: show(columns, rows, "There are no packages: `content-service publish` makes one.")
    )


@packages_app.command("show", epilog=examples("packages show pkg_…", "packages show pkg_… 2 --json"))
@asks("content:read", lists=LISTS)
def show_package(call: Caller, package_id: PackageId, version: Number = None) -> None:
    """A version with what its build reports: warnings with their place, renditions made and reused."""
    package = call.api.package(package_id)
    number = version or package["version"]
    found = dict(call.api.version(package_id, number)) if number else None
    call.show({**package, "shown": found}, lambda: _told(dict(package), found))


@packages_app.command("set", epilog=examples("packages set pkg_… --policy shared"))
@asks("tenant:admin", lists=LISTS)
def change(
    call: Caller,
    package_id: PackageId,
    policy: Annotated[str, typer.Option(help="device, shared, or default: as the tenant says.")],
) -> None:
    """Decide how the bundles of a package are encrypted, for what is planned from now on."""
    found = call.api.change_package(package_id, policy=policy)
    call.show(found, lambda: say(f"{package_id}  policy {found['policy'] or 'as the tenant says'}"))


@packages_app.command(epilog=examples("packages versions pkg_…", "packages versions pkg_… --state failed"))
@asks("content:read", lists=LISTS)
def versions(
    call: Caller,
    package_id: PackageId,
    state: Annotated[str | None, typer.Option(help="planned, published, failed, superseded or withdrawn.")] = None,
    limit: Limit = 50,
) -> None:
    """Versions of a package, newest first."""
    rows = list(islice(call.api.versions(package_id, state=state), limit))
    columns = [
        column("version"), column("state"), column("draft", "draft_id"), column("revision"),
        moment("published", "published_at"), column("bytes", "total_bytes"),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There is no such version."))


@packages_app.command("changes", epilog=examples("packages changes pkg_…", "packages changes pkg_… 1 3 --json"))
@asks("content:read", lists=LISTS)
def show_changes(
    call: Caller,
    package_id: PackageId,
    older: Annotated[int | None, typer.Argument(min=1, help="From this version; the one before, if left out.")] = None,
    newer: Annotated[int | None, typer.Argument(min=1, help="To this one; the newest published, if left out.")] = None,
) -> None:
    """What changed from one version to another: units, blocks, assets, and bytes to fetch.

    + added, - removed, ~ changed, > moved
    """
    if older is None or newer is None:
        published = list(islice(call.api.versions(package_id, state="published"), 2))
        newer = newer or (published[0]["version"] if published else 1)
        older = older or (published[-1]["version"] if published else 1)
    found = call.api.changes(package_id, older, newer)
    call.show(found, lambda: say("\n".join(changes.lines(found))))


@packages_app.command(
    "quality", epilog=examples("packages quality pkg_…", "packages quality pkg_… --version 2 --html report.html")
)
@asks("content:read", lists=LISTS)
def show_quality(
    call: Caller,
    package_id: PackageId,
    version: Annotated[int | None, typer.Option(min=1, help="The newest published one, if left out.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write it as a page into this file.")] = None,
) -> None:
    """What a learner would miss in a version and what its author may want to change, with places."""
    number = version or call.api.package(package_id)["version"] or 1
    found = call.api.quality(package_id, number)
    if html is not None:
        html.write_bytes(call.api.quality_page(package_id, number))
        call.show({**found, "html": str(html)}, lambda: say(f"The report is in {html}."))
        return
    call.show(found, lambda: say("\n".join(quality.lines(found))))


@packages_app.command(
    epilog=examples("packages manifest pkg_… > manifest.json", "packages manifest pkg_… 2 -o manifest.json")
)
@asks("content:read", lists=LISTS)
def manifest(
    call: Caller,
    package_id: PackageId,
    version: Number = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file instead of standard output.")] = None,
) -> None:
    """The manifest, byte for byte as it was signed (with --json as a member of a document)."""
    number = version or call.api.package(package_id)["version"] or 1
    found = call.api.manifest(package_id, number)
    if output is not None:
        output.write_bytes(found)
    elif not call.as_json:
        sys.stdout.buffer.write(found)
        sys.stdout.buffer.flush()
        return
    document = {"package_id": package_id, "version": number, "bytes": len(found), "output": output and str(output)}
    if output is None:
        document["manifest"] = found.decode("utf-8")
    call.show(document, lambda: say(f"{len(found):,} bytes in {output}"))


@packages_app.command(
    epilog=examples("packages plan pkg_… --space 200MB", "packages plan pkg_… --profile tablet --version 2 --json")
)
@asks("content:read", lists=LISTS)
def plan(
    call: Caller,
    package_id: PackageId,
    space: Annotated[str | None, typer.Option(help="Room on the device: 200MB, 200MiB, 1.5GB, or bytes.")] = None,
    profile: Annotated[str, typer.Option(help="phone, tablet or desktop.")] = "phone",
    version: Annotated[int | None, typer.Option(min=1, help="The newest published one, if left out.")] = None,
    rate: Annotated[str | None, typer.Option(help="A network to be told the time of, such as 800kbit/s.")] = None,
) -> None:
    """What of a version fits a space: units whole, reduced or left out, bytes, and time to fetch them."""
    found = call.api.plan(package_id, space=space, profile=profile, version=version, rate=rate)
    call.show(found, lambda: show_plan(found))


@packages_app.command(epilog=examples('packages withdraw pkg_… 2 --reason "The dosage is wrong."'))
@asks("content:write", lists=LISTS)
def withdraw(
    call: Caller,
    package_id: PackageId,
    version: Annotated[int, typer.Argument(min=1, help="Which one.")],
    reason: Annotated[str, typer.Option(help="Kept with the version and in the audit log.")],
) -> None:
    """Take a published version back: its manifest is gone within two seconds, and nothing new is made of it."""
    found = call.api.withdraw(package_id, version, reason)
    call.show(found, lambda: say(f"{package_id} version {version} is withdrawn since {when(found['withdrawn_at'])}."))


@packages_app.command(epilog=examples("packages restore pkg_… 1", "packages restore pkg_… 1 --tier bulk --json"))
@asks("content:write", lists=LISTS)
def restore(
    call: Caller,
    package_id: PackageId,
    version: Annotated[int, typer.Argument(min=1, help="Which one.")],
    tier: Annotated[str | None, typer.Option(help="bulk, standard or expedited.")] = None,
) -> None:
    """Bring a version back from cold storage before anybody needs it."""
    found = call.api.restore_version(package_id, version, tier)
    if found is None:
        call.show({"hot": True}, lambda: say(f"{package_id} version {version} is hot."))
        return
    call.show(found, lambda: say(f"It is being brought back: `content-service jobs watch {found['job_id']}`."))


@packages_app.command("new-key", epilog=examples('packages new-key pkg_… --reason "seen on a forum"'))
@asks("tenant:admin", lists=LISTS)
def new_key(
    call: Caller,
    package_id: PackageId,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log.")],
) -> None:
    """Encrypt the next version under other content keys, since one may have leaked."""
    found = call.api.begin_epoch(package_id, reason)
    told = f"{found['scopes']} devices and profiles get another content key with the next version."
    call.show(found, lambda: say(told))


def _told(package: dict[str, Any], version: dict[str, Any] | None) -> None:
    say(f"{package['package_id']}  of the course {package['course_id']}")
    if version is None:
        say("  nothing is published yet: `content-service packages versions` shows what there is")
        return
    say(
        f"  version {version['version']}, {version['state']}, of revision {version['revision']} of {version['draft_id']}"
    )
    if version["published_at"]:
        say(f"  published {when(version['published_at'])}, {version['total_bytes'] or 0:,} bytes, languages {', '.join(version['languages'] or ())}")  # fmt: skip
        say(f"  manifest {version['manifest_digest']}")
    if version["withdrawn_at"]:
        say(f"  withdrawn {when(version['withdrawn_at'])}: {version['withdrawn_reason']}")
    report = version.get("report") or {}
    if report.get("made") is not None:
        say(f"  {report['made']} renditions made, {report['reused']} reused")
    print_findings(None, [entry for entry in report.get("problems", ()) if "pointer" in entry and "message" in entry])
