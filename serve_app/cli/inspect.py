"""`content-service inspect FILE…`: what an import would say of packages in local files. No stack, no settings, no network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content.errors import ContentError
from serve_app.cli.exits import DONE, FAILED, USAGE
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import errors, say, tell

if TYPE_CHECKING:
    from serve_app.inspection import Watch


def register(app: Commands) -> None:
    app.command("inspect", rich_help_panel="Author", epilog=examples("inspect course.zip", "inspect *.zip --json"))(
        inspect
    )


def inspect(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Zips: SCORM, AICC, cmi5 or xAPI packages.", readable=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object per file, each on one line.")] = False,
) -> None:
    """Say of packages what an import would say: accepted or why not, what is in them, what will be missing offline.

    Needs no local stack. Each package is read in a sandbox of its own, several at once, and told in the order given. Ends with
    0 if all were accepted, 1 if some were refused, 2 if a file could not be read or no sandbox works here.
    """
    try:
        code = _inspect(files, as_json)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception:  # noqa: BLE001 - ending with 1 would say that a package was refused
        import traceback

        traceback.print_exc()
        code = USAGE
    if code:
        raise typer.Exit(code)


def _inspect(files: list[Path], as_json: bool) -> int:
    from serve_app.inspection import Inspection

    refused = failed = 0
    with _progress(len(files)) as watch, Inspection(files, watch) as found:
        for number, (path, outcome) in enumerate(found):
            if isinstance(outcome, ContentError):
                failed += 1
                _tell_failed(path, outcome, as_json)
                continue
            refused += not outcome.accepted
            document = {"file": str(path), **outcome.document()}
            if as_json:
                _print_line(document)
            else:
                from serve_app.cli.package_report import lines

                say("\n".join([*([""] if number else []), *lines(str(path), document)]))
    if not as_json and len(files) > 1:
        unread = f", {failed} could not be read" if failed else ""
        say(f"\n{len(files)} files: {len(files) - refused - failed} accepted, {refused} refused{unread}.")
    return USAGE if failed else FAILED if refused else DONE


def _tell_failed(path: Path, error: ContentError, as_json: bool) -> None:
    if as_json:
        told = {"code": error.code, "place": "", "message": str(error)}
        _print_line({
            "file": str(path), "accepted": False, "edition": None, "launch": [], "items": 0, "warnings": [], "errors": [told],
        })  # fmt: skip
    else:
        from content.scorm.shown import shown

        tell(ContentError(error.code, f"{shown(str(path))}: {error.message}", error.remedy))


def _print_line(document: dict[str, Any]) -> None:
    """As one line in which nothing controls a terminal: what is not printable is written as JSON's escapes."""
    plain = (sys.stdout.encoding or "").lower().replace(
        "-", ""
    ) != "utf8"  # a terminal or pipe that cannot write all of it
    line = json.dumps(document, ensure_ascii=plain, separators=(",", ":"))
    if not line.isprintable():
        line = "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in line)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def _progress(count: int) -> Iterator[Watch | None]:
    """A bar for each file that takes long, where standard error is a terminal."""
    if not errors.is_terminal:
        yield None
        return
    from rich.markup import escape

    from content.scorm.shown import shown
    from serve_app.cli.watching import LONGEST_MESSAGE, bars

    tasks: dict[Path, Any] = {}
    with bars(errors) as shown_bars:

        def watch(path: Path, share: float) -> None:
            if path not in tasks:
                tasks[path] = shown_bars.add_task(escape(shown(path.name, LONGEST_MESSAGE - 1)), total=1.0)
            shown_bars.update(tasks[path], completed=share, visible=share < 1)

        yield watch
