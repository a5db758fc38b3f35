"""`content-service export` and `content-service exports …`: courses as zips for learning platforms, browsers and disks."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content.errors import ContentError
from serve_app.cli.caller import Caller, asks
from serve_app.cli.findings import print_findings
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.tables import column, moment, show, when

if TYPE_CHECKING:
    from serve_app.client import ExportShown

exports_app = Commands(help="Exports: courses as zips for learning platforms, browsers and disks.")
ExportId = Annotated[str, typer.Argument(metavar="EXPORT", help="Its id, exp_…")]
LISTS = "exports list"


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel="Content",
        epilog=examples(
            "export pkg_… --format scorm12 -o course.zip", "export pkg_… --format html --language ar --no-video"
        ),
    )(export)
    app.add_typer(exports_app, name="exports", rich_help_panel="Content")


@asks("content:read", "content:write", lists="packages list")
def export(
    call: Caller,
    package_id: Annotated[str, typer.Argument(metavar="PACKAGE", help="Its id, pkg_…")],
    format_name: Annotated[
        str, typer.Option("--format", help="scorm12, scorm2004-3rd, scorm2004-4th, cmi5, xapi or html.")
    ],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; else the name that the service gives it.")
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="The newest published one, if left out.")] = None,
    report: Annotated[
        str, typer.Option(help="What the platform is told: passed-incomplete, passed-failed, completed-incomplete, completed-failed.")
    ] = "completed-incomplete",
    mastery: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of points that is needed; else the course's own.")
    ] = None,
    packaging: Annotated[str, typer.Option(help="course: one object; unit: one for each unit.")] = "course",
    language: Annotated[
        list[str] | None, typer.Option(help="Only this language; may be given again. Else all that there are.")
    ] = None,
    profile: Annotated[str, typer.Option(help="How large pictures and films are: phone, tablet or desktop.")] = "desktop",
    video: Annotated[bool, typer.Option("--video/--no-video", help="Without: poster and transcript only.")] = True,
    publish: Annotated[
        bool, typer.Option("--publish", help="Format html: also serve it as a site, to who has its link.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for it to be made; then exit code 5.")] = 3600.0,
) -> None:  # fmt: skip
    """Export a course as one zip, and download it.

    The same choices give the same bytes; what was made before is downloaded at once. The file is checked against its digest.
    """
    from serve_app.cli.downloading import download, require_free
    from serve_app.cli.watching import follow

    if out is not None:
        require_free(out, force=force)
    asked = call.api.ask_export(
        package_id, format_name, version=version, report=report, mastery=mastery, packaging=packaging,
        languages=language or None, profile=profile, video=video, publish=publish or None,
    )  # fmt: skip
    if asked["state"] != "ready":
        follow(call.api, asked["job_id"], timeout, quiet=call.as_json)
    made = call.api.export(asked["export_id"])
    if made["download"] is None:
        raise ContentError("export-not-ready", f"The export is {made['state']}.", "Ask for it again.", True)
    out = out or Path(made["download"]["file_name"])
    require_free(out, force=force)
    download(call.api, made, out)
    call.show({**made, "output": str(out)}, lambda: _saved(made, out))


@exports_app.command("list", epilog=examples("exports list --package pkg_…", "exports list --state failed --json"))
@asks("content:read")
def list_exports(
    call: Caller,
    package: Annotated[str | None, typer.Option(help="Only of this package.")] = None,
    format_name: Annotated[str | None, typer.Option("--format", help="Only of this format.")] = None,
    state: Annotated[str | None, typer.Option(help="planned, ready, failed or withdrawn.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """Exports, newest first: of which package and version, in which format, and how far."""
    rows = list(islice(call.api.exports(package_id=package, format=format_name, state=state), limit))
    columns = [
        column("export", "export_id"), column("format"), column("state"), column("version"),
        moment("created", "created_at"), column("bytes", "size_bytes"), column("package", "package_id"),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no such exports."))


@exports_app.command("show", epilog=examples("exports show exp_…", "exports show exp_… --json"))
@asks("content:read", lists=LISTS)
def show_export(call: Caller, export_id: ExportId) -> None:
    """An export: how it was made, what was checked (with --json all of it, and a signed address)."""
    found = call.api.export(export_id)
    call.show(found, lambda: _told(found))


@exports_app.command("delete", epilog=examples("exports delete exp_…"))
@asks("content:write", lists=LISTS)
def delete(call: Caller, export_id: ExportId) -> None:
    """Remove an export; its file is gone from the edge at once. Asked for again, it is made again."""
    call.api.remove_export(export_id)
    call.show({"export_id": export_id, "removed": True}, lambda: say(f"{export_id} is removed."))


def _saved(made: ExportShown, out: Path) -> None:
    say(f"{out}  {made['size_bytes'] or 0:,} bytes, {made['format']} of version {made['version']}")
    say(f"  {made['export_id']}")
    say(f"  {made['digest']}")
    passport = made["passport"] or {}
    results = Counter(check["result"] for check in passport.get("checks", ()))
    say(f"  checks: {', '.join(f'{count} {result}' for result, count in sorted(results.items()))}")
    print_findings(None, passport.get("findings", ()))
    _linked(made)


def _linked(found: ExportShown) -> None:
    if found["site"]:
        say(f"  site, open for {found['site']['expires_in_s']} s:")
        say(found["site"]["link"])


def _told(found: ExportShown) -> None:
    options: dict[str, Any] = found["options"]
    say(f"{found['export_id']}  {found['format']}, {found['state']}")
    say(f"  {found['package_id']} version {found['version']}, asked for {when(found['created_at'])}")
    mastery = "the course's own" if options["mastery"] is None else f"{options['mastery']:.0%}"
    say(f"  report {options['report']}, mastery {mastery}, packaging {options['packaging']}")
    languages = ", ".join(options["languages"]) or "all languages"
    say(f"  {languages}, profile {options['profile']}, {'with' if options['video'] else 'without'} films")
    if found["digest"]:
        say(f"  {found['size_bytes'] or 0:,} bytes")
        say(f"  {found['digest']}")
    if found["problem"]:
        say(f"  {found['problem']['code']}: {found['problem']['title']}")
    if found["withdrawn_at"]:
        say(f"  withdrawn {when(found['withdrawn_at'])}")
    _linked(found)
    passport = found["passport"] or {}
    if passport.get("checks"):
        show([column("check", "name"), column("result"), column("detail", text=True)], passport["checks"], "")
    print_findings(None, passport.get("findings", ()))
