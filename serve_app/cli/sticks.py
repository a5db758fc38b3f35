"""`content-service device export` and `import`: courses and lists as one file, for a memory stick or a peer. Offline.

What is imported inside the commands would slow down every other one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from content.errors import ContentError
from serve_app.cli.options import AsJson, Folder, Which, examples
from serve_app.cli.output import errors, print_json, say


def register(app: typer.Typer) -> None:
    app.command(
        "export",
        epilog=examples("device export ./phone -o course.cbundle", "device export ./phone --lists -o lists.cbundle"),
    )(export)
    app.command(
        "import",
        epilog=examples("device import ./phone course.cbundle", "device import ./phone lists.cbundle --json"),
    )(import_file)


def now() -> datetime:
    return datetime.now(UTC)


def export(
    folder: Folder,
    which: Which = None,
    out: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; else course.cbundle or lists.cbundle.")
    ] = None,
    lists: Annotated[
        bool, typer.Option("--lists", help="Only the trust and revocation lists, for any device.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a course that is here, or the lists, to one file for a memory stick. Offline.

    A course goes with this device's licence and opens on no other; `content-service bundles export` makes a file for a class.
    """
    from serve_app.device import exporting
    from serve_app.device.bars import bytes_progress
    from serve_app.device.folder import DeviceFolder

    if lists and which is not None:
        raise ContentError("lists-alone", "Lists go without a course.", "Leave out either --lists or the course.")
    device = DeviceFolder(folder)
    with device.locked():
        if lists:
            found = exporting.export_lists(device, out or Path("lists.cbundle"), now())
        else:
            installed = device.shelf.find(which)
            with bytes_progress(errors) as progress:
                task = progress.add_task("exporting", total=exporting.export_work(device, installed))
                found = exporting.export_bundle(
                    device, installed, out or Path("course.cbundle"), now(), lambda count: progress.advance(task, count)
                )
    told = f"Trust list {found.trust_version}, revocation list {'.'.join(map(str, found.revocations))}."
    if found.bundle_id:
        told = f"{found.bundle_id}  version {found.version}\n{told}"
    _show(vars(found), as_json, f"{told}\nWritten to {found.file}, {found.bytes:,} bytes.")


def import_file(
    folder: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .cbundle file.")],
    as_json: AsJson = False,
) -> None:
    """Take in a course, or lists, from a memory stick. Offline.

    Newer lists are kept even if the course is refused. A course is verified to the last byte before it replaces an older one.
    """
    from serve_app.device.bars import BarWatch, bytes_progress
    from serve_app.device.folder import DeviceFolder
    from serve_app.device.importing import import_file as run

    device = DeviceFolder(folder)
    with device.locked(), bytes_progress(errors) as progress:
        found = run(device, file, now(), BarWatch(progress, errors))
    lists = "newer than before" if found.newer_lists else "nothing newer"
    lines = [f"Trust list {found.trust_version}, revocation list {'.'.join(map(str, found.revocations))}: {lists}."]
    facts: dict[str, Any] = {**vars(found), "taken": None}
    if found.taken is not None:
        taken = found.taken
        facts["taken"] = vars(taken)
        how = "new" if taken.new else "made whole" if taken.copied else "was here already"
        lines.append(f"{taken.bundle_id}  version {taken.version}  {how}")
        lines.append(f"{taken.copied:,} of {taken.size:,} bytes copied.")
    _show(facts, as_json, "\n".join(lines))


def _show(facts: dict[str, Any], as_json: bool, text: str) -> None:
    if as_json:
        print_json(facts)
    else:
        say(text)
