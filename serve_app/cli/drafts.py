"""`content-service validate | publish`: what a course author does with a draft and its media."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from content.errors import ContentError, InvalidInput
from serve_app.cli.caller import Caller, asks
from serve_app.cli.exits import FAILED
from serve_app.cli.findings import counted, print_findings
from serve_app.cli.options import examples
from serve_app.cli.output import as_document, console, errors, print_json, say, tell

PANEL = "Author"
DraftFile = Annotated[Path, typer.Argument(metavar="DRAFT", help="The draft's JSON file; - is standard input.")]


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel=PANEL, epilog=examples("validate draft.json", "validate draft.json --json | jq .errors")
    )(validate)
    app.command(
        rich_help_panel=PANEL,
        epilog=examples(
            "publish draft.json --media originals --wait",
            "publish draft.json --revision 2 --media originals --json",
            "publish draft.json --api https://content.example --wait",
        ),
    )(publish)


@asks("content:read")
def validate(call: Caller, draft: DraftFile) -> None:
    """Judge a draft before it is published: each problem with its place, what is wrong and what to do.

    Exit code 1 if it could not be built; warnings alone are 0. Nothing is stored. What only the media can show (a
    truncated film, say) is found by the build.
    """
    document = read_draft(draft)
    found = call.api.validate_draft(document)
    if call.as_json:
        print_json(found)
    else:
        print_findings(document, [*found["errors"], *found["warnings"]])
        verdict = "[green]It would be built[/]" if found["valid"] else "[bold red]It would not be built[/]"
        console.print(f"{verdict}: {counted(len(found['errors']), len(found['warnings']))}.", highlight=False)
    if not found["valid"]:
        raise typer.Exit(FAILED)


@asks("content:write", "content:read")
def publish(
    call: Caller,
    draft: DraftFile,
    media: Annotated[
        Path | None, typer.Option(help="Local stack: folder of originals, each named by its asset.")
    ] = None,
    course: Annotated[str | None, typer.Option(help="Another course than the draft's course_id.")] = None,
    draft_id: Annotated[str | None, typer.Option(help="Another than the draft's draft_id.")] = None,
    revision: Annotated[int | None, typer.Option(min=1, help="Another than the draft's revision.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until the version is published or has failed.")] = False,
    timeout: Annotated[float, typer.Option(help="With --wait: seconds; then exit code 5.")] = 600.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Have a revision of a draft built.

    In the local stack this plays the neighbours first: draft and listing are laid down at their stubs, and the originals
    of --media (`cover.jpg` for the asset `cover`). In any other deployment authoring-service holds the draft and
    media-service the originals, and only the build is asked for. Then, in both, `POST /v1/packages`.

    Exit code 1 if the draft is refused or its build fails, with every problem in the draft.
    """
    document = read_draft(draft)
    document |= {name: value for name, value in _names(course, draft_id, revision).items() if value is not None}
    missing = [name for name in ("course_id", "draft_id", "revision") if name not in document]
    if missing:
        raise ContentError(
            "draft-unnamed", f"The draft has no {' and no '.join(missing)}.", "Add them, or give the options."
        )
    if call.local is not None:
        lay_down(call, call.local, document, media)
    elif media is not None:
        call.stack("--media")
    course_id, name, number = str(document["course_id"]), str(document["draft_id"]), int(document["revision"])
    made = call.api.build(course_id=course_id, draft_id=name, revision=number)
    if not wait:
        call.show(made, lambda: _told(made))
        return
    from serve_app.cli.watching import follow

    try:
        follow(call.api, made["job_id"], timeout, quiet=quiet or call.as_json)
    except ContentError as error:
        if error.code in ("job-deadline", "api-unreachable"):
            raise
        _failed(call, document, made, error)
        raise typer.Exit(FAILED) from error
    version = call.api.version(made["package_id"], made["version"])
    call.show({**made, "version": version}, lambda: _published(document, dict(version)))


def read_draft(path: Path) -> dict[str, Any]:
    """A draft's document. Raises `draft-unreadable`."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ContentError(
            "draft-unreadable", f"The draft {path} cannot be read: {error}.", "Give a JSON file in UTF-8."
        ) from error
    if not isinstance(document, dict):
        raise ContentError("draft-unreadable", f"The draft {path} is no JSON object.", "See `/v1/schemas/draft`.")
    return document


def _names(course: str | None, draft_id: str | None, revision: int | None) -> dict[str, Any]:
    return {"course_id": course, "draft_id": draft_id, "revision": revision}


def lay_down(call: Caller, home: Path, document: dict[str, Any], media: Path | None) -> None:
    """Draft, originals and listing at the stubs of the local stack, once the draft is one that can be built."""
    found = call.api.validate_draft(document)
    if not found["valid"]:
        _refused(call, document, found)
        raise typer.Exit(FAILED)
    from cluster.local import publishing
    from cluster.neighbours import Listing
    from serve_app.cli.originals import originals

    publishing.put_media(home, call.tenant, originals(document, media))
    course_id = str(document["course_id"])
    publishing.put_listing(home, call.tenant, Listing(course_id=course_id, title=dict(document.get("title", {}))))
    publishing.put_draft(
        home, call.tenant, document, draft_id=str(document["draft_id"]), revision=int(document["revision"])
    )


def _refused(call: Caller, document: dict[str, Any], found: Any) -> None:
    if call.as_json:
        error = {"code": "draft-invalid", "message": "The draft cannot be built.", "problems": found["errors"]}
        print_json({"error": error})
        return
    print_findings(document, [*found["errors"], *found["warnings"]])
    errors.print(f"Nothing was published: {counted(len(found['errors']), len(found['warnings']))}.", highlight=False)


def _failed(call: Caller, document: dict[str, Any], made: Any, error: ContentError) -> None:
    """A build that failed: what its report says, with places."""
    problems = [each.as_dict() for each in error.problems] if isinstance(error, InvalidInput) else []
    if not problems:
        report = call.api.report(made["package_id"], made["version"])
        problems = [entry for entry in report.get("problems", ()) if "pointer" in entry and "message" in entry]
    if call.as_json:
        print_json({**made, "error": {**as_document(error), "problems": problems}})
        return
    tell(
        ContentError(
            error.code, error.message, error.remedy or f"`content-service jobs show {made['job_id']}` has more."
        )
    )
    print_findings(document, problems)


def _told(made: Any) -> None:
    say(f"{made['package_id']} version {made['version']} is being built.")
    say(f"Follow it: content-service jobs watch {made['job_id']}")


def _published(document: dict[str, Any], version: dict[str, Any]) -> None:
    report = version.get("report") or {}
    problems = [entry for entry in report.get("problems", ()) if "pointer" in entry and "message" in entry]
    print_findings(document, problems)
    size = version["total_bytes"] or 0
    say(f"{version['package_id']} version {version['version']} is published: {size:,} bytes.")
    made, reused = report.get("made"), report.get("reused")
    if made is not None:
        say(f"{made} renditions made, {reused} reused.")
