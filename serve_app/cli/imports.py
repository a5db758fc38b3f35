"""`content-service import` and `content-service imports …`: packages of other tools, uploaded and made versions."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content.errors import ContentError
from serve_app.cli.caller import Caller, asks
from serve_app.cli.exits import FAILED
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import errors, say
from serve_app.cli.tables import column, moment, show, when

if TYPE_CHECKING:
    from serve_app.client import Import, ImportShown

imports_app = Commands(help="Imports: packages of other tools that become versions.")
ImportId = Annotated[str, typer.Argument(metavar="IMPORT", help="Its id, imp_…")]
LISTS = "imports list"
MIB = 1 << 20


def register(app: typer.Typer) -> None:
    app.command(
        "import",
        rich_help_panel="Content",
        epilog=examples("import course.zip --wait", "import course.zip --course safety --wait --json"),
    )(import_package)
    app.add_typer(imports_app, name="imports", rich_help_panel="Content")


@asks("content:read", "content:write", lists=LISTS)
def import_package(
    call: Caller,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip: SCORM, AICC, cmi5 or xAPI.", exists=True, dir_okay=False)],
    course: Annotated[
        str | None,
        typer.Option(help="The course whose next version it becomes; else named after the package's own title and identifier."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, and show the report.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for it; then exit code 5.")] = 3600.0,
    piece_mib: Annotated[int | None, typer.Option(min=5, max=1024, help="MiB of a piece; else as the service likes it.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Forget an upload that broke off, and begin anew.")] = False,
    state: Annotated[
        Path | None, typer.Option(envvar="CONTENT_UPLOADS", help="Folder in which uploads that broke off are noted.")
    ] = None,
) -> None:  # fmt: skip
    """Upload a package, and have it imported.

    If it breaks off, the same command goes on where it was: pieces that are there are not sent again. With --wait the exit code
    is 1 where the package was refused.
    """
    note = _Note(state or Path(typer.get_app_dir("content-service")) / "uploads", call, file, course)
    if again:
        note.forget()
    piece = piece_mib * MIB if piece_mib else None
    uploaded = _upload(call, file, note, course, piece)
    note.forget()
    if not wait:
        call.show(dict(uploaded), lambda: say(f"{uploaded['import_id']}  is being imported, job {uploaded['job_id']}"))
        return
    from serve_app.cli.watching import follow

    follow(call.api, str(uploaded["job_id"]), timeout, quiet=call.as_json)
    done = call.api.import_(uploaded["import_id"])
    report = call.api.import_report(uploaded["import_id"])
    call.show({**done, "report": report}, lambda: _told(done, report))
    if done["state"] == "refused":
        raise typer.Exit(FAILED)


@imports_app.command("list", epilog=examples("imports list --course safety", "imports list --state refused --json"))
@asks("content:read")
def list_imports(
    call: Caller,
    course: Annotated[str | None, typer.Option(help="Only of this course.")] = None,
    state: Annotated[
        str | None, typer.Option(help="uploading, importing, accepted, superseded, refused or failed.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """Imports, newest first: which file, how far, and what came of it."""
    rows = list(islice(call.api.imports(course_id=course, state=state), limit))
    columns = [
        column("import", "import_id"), column("state"), column("edition"), column("version"), moment("begun", "created_at"),
        column("bytes", "size_bytes"), column("file", "file_name", text=True),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no such imports."))


@imports_app.command("show", epilog=examples("imports show imp_…", "imports show imp_… --html report.html"))
@asks("content:read", lists=LISTS)
def show_import(
    call: Caller,
    import_id: ImportId,
    html: Annotated[Path | None, typer.Option(help="Write its report as a page into this file.")] = None,
) -> None:
    """An import with its report: accepted or why not, what is in it, what was assumed, what matters offline."""
    found = call.api.import_(import_id)
    if html is not None:
        html.write_bytes(call.api.import_report_page(import_id))
        call.show({**found, "html": str(html)}, lambda: say(f"The report is in {html}."))
        return
    report = call.api.import_report(import_id) if "report" in found["links"] else None
    call.show({**found, "report": report}, lambda: _told(found, report))


@imports_app.command("delete", epilog=examples("imports delete imp_…"))
@asks("content:write", lists=LISTS)
def delete(call: Caller, import_id: ImportId) -> None:
    """Give an import up: its job is cancelled, what was uploaded is removed. One from which a version came stays."""
    call.api.remove_import(import_id)
    call.show({"import_id": import_id, "removed": True}, lambda: say(f"{import_id} is removed."))


class _Note:
    """What a next run must know of an upload that broke off: its id, and that the file is still the same."""

    def __init__(self, folder: Path, call: Caller, file: Path, course: str | None) -> None:
        whole = file.resolve()
        status = whole.stat()
        named = json.dumps([call.api.url, call.tenant, str(whole), course])
        self._path = folder / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"
        self._file = {"size": status.st_size, "changed": status.st_mtime_ns}

    def read(self) -> str | None:
        try:
            found: dict[str, Any] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return None
        return found.get("import_id") if found.get("file") == self._file else None

    def write(self, import_id: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"import_id": import_id, "file": self._file}))
        fresh.replace(self._path)

    def forget(self) -> None:
        with suppress(OSError):
            self._path.unlink()


def _upload(call: Caller, file: Path, note: _Note, course: str | None, piece: int | None) -> Import:
    """The import whose upload is complete."""
    from rich.markup import escape

    from serve_app.client import uploading
    from serve_app.device.bars import bytes_progress

    found = _going_on(call, note)
    if found is not None and found["upload"] is None:  # it was completed, and only the answer was lost
        return found
    if found is None:
        import_id = uploading.begin(call.api, file, course_id=course, piece_bytes=piece)
        note.write(import_id)
        found = call.api.import_(import_id)
    elif (upload := found["upload"]) and not call.as_json:
        errors.print(f"going on: {len(upload['uploaded'])} of {upload['pieces']} pieces are there", highlight=False)
    with bytes_progress(errors) as progress:
        task = progress.add_task(escape(file.name[:30]), total=found["size_bytes"])
        return uploading.send(call.api, file, found, lambda count: progress.advance(task, count))


def _going_on(call: Caller, note: _Note) -> ImportShown | None:
    """The import that an earlier run began for this file, if it can be gone on with."""
    import_id = note.read()
    if import_id is None:
        return None
    try:
        found = call.api.import_(import_id)
    except ContentError as error:
        if error.code != "not-found":
            raise
        return None
    return found if found["state"] in ("uploading", "importing") else None


def _told(found: Import, report: dict[str, Any] | None) -> None:
    from serve_app.cli.package_report import lines

    say(f"{found['import_id']}  {found['state']}, begun {when(found['created_at'])}")
    if found["version"] is not None:
        say(f"  {found['package_id']} version {found['version']}")
    if found["course_id"]:
        say(f"  of the course {found['course_id']}")
    if found["problem"]:
        say(f"  {found['problem']['code']}: {found['problem']['title']}")
    if report is None:
        say(f"  {found['file_name']}, {found['size_bytes']:,} bytes")
        return
    say("\n".join(lines(found["file_name"], report)))
