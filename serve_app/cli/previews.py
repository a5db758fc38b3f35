"""`content-service drafts …`: a draft that is not published, in the player."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from content.errors import ContentError, InvalidInput, Problem
from serve_app.cli.caller import Caller, asks
from serve_app.cli.drafts import DraftFile, lay_down, read_draft
from serve_app.cli.findings import print_findings
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.tables import when

if TYPE_CHECKING:
    from serve_app.client import Preview, PreviewShown

drafts_app = Commands(help="Drafts that authoring-service holds: to be looked at before they are published.")
NAMED = ("course_id", "draft_id", "revision")


def register(app: typer.Typer) -> None:
    app.add_typer(drafts_app, name="drafts", rich_help_panel="Author")


@drafts_app.command(
    "preview",
    epilog=examples("drafts preview draft-of-first-aid --revision 4 --open", "drafts preview d1 --revision 1 --json | jq -r .url"),
)  # fmt: skip
@asks("content:write", "content:read")
def preview(
    call: Caller,
    draft_id: Annotated[str, typer.Argument(metavar="DRAFT_ID", help="As authoring-service names it.")],
    revision: Annotated[int, typer.Option(min=1, help="Which revision of it.")],
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser of this machine.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for it to be made; then exit code 5.")] = 600.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Open a draft in the player, without publishing anything.

    Prints what its author should know, and a link that works without a token until it ends; asking again makes it last longer.
    Whoever has the link sees the draft. Exit code 1 if the draft could not be built, with every problem in it.
    """
    asked = call.api.ask_preview(draft_id, revision)
    if asked["state"] != "ready":
        _wait(call, asked, timeout, quiet=quiet or call.as_json)
    made = call.api.preview(asked["preview_id"])
    if made["url"] is None:
        raise ContentError("preview-not-ready", f"The preview is {made['state']}.", "Ask for it again.", True)
    call.show(made, lambda: _told(made))
    if open_it:
        typer.launch(made["url"])


@drafts_app.command("put", epilog=examples("drafts put draft.json --media originals"))
@asks("content:read")
def put(
    call: Caller,
    draft: DraftFile,
    media: Annotated[Path | None, typer.Option(help="Folder of originals, each named by its asset.")] = None,
) -> None:
    """Local stack: have the stub of authoring-service hold a draft, and that of media-service its originals.

    Nothing is built or published. In any other deployment authors save their drafts at authoring-service. Exit code 1 if it could
    not be built, with every problem in it.
    """
    home = call.stack("drafts put")
    document = read_draft(draft)
    if missing := [name for name in NAMED if name not in document]:
        raise ContentError("draft-unnamed", f"The draft has no {' and no '.join(missing)}.", "Add them.")
    lay_down(call, home, document, media)
    held = {name: document[name] for name in NAMED}
    call.show(held, lambda: say(f"Revision {held['revision']} of {held['draft_id']} is there to be previewed."))


def _wait(call: Caller, asked: Preview, timeout_s: float, *, quiet: bool) -> None:
    """Raises what its job failed with, with every problem of the draft."""
    from serve_app.cli.watching import follow

    try:
        follow(call.api, asked["job_id"], timeout_s, quiet=quiet)
    except ContentError as error:
        told = call.api.preview(asked["preview_id"])["problem"] if not error.retryable else None
        found = [Problem(each["pointer"], each["code"], each["message"]) for each in (told or {}).get("problems") or ()]
        if not found:
            raise
        raise InvalidInput(error.code, error.message, error.remedy, False, tuple(found)) from error


def _told(made: PreviewShown) -> None:
    report = made["report"] or {}
    print_findings(None, [entry for entry in report.get("problems", ()) if "pointer" in entry and "message" in entry])
    if refused := report.get("refused"):
        say("These would stop a build, by the tenant's setting failing_findings:")
        print_findings(None, refused)
    say(f"Revision {made['revision']} of {made['draft_id']}, not published")
    say(f"  {made['preview_id']}")
    say(f"  {report.get('made', 0)} renditions made, {report.get('reused', 0)} reused")
    say(f"  open until {when(made['expires_at'])}:")
    say(made["url"] or "")
