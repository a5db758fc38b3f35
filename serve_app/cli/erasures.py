"""`content-service erasures …`: learners who asked to be forgotten."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from content.errors import ContentError
from serve_app.cli.caller import Caller, asks
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.tables import column, moment, show
from serve_app.cli.watching import follow

erasures_app = Commands(help="Erase learners who asked to be forgotten.")
SCOPE, LISTS = "tenant:admin", "erasures list"


def register(app: typer.Typer) -> None:
    app.add_typer(erasures_app, name="erasures", rich_help_panel="Operate")


@erasures_app.command(epilog=examples("erasures request ada --yes", "erasures request ada --yes --wait --json"))
@asks(SCOPE, "content:read")
def request(
    call: Caller,
    learner: Annotated[str, typer.Argument(help="Id of the learner.")],
    yes: Annotated[bool, typer.Option("--yes", help="It cannot be undone, and you know it.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until nothing is left that may go.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.")] = 900.0,
) -> None:
    """Erase a learner: name, devices and keys at once, what was made for them by a job."""
    if not yes:
        raise ContentError("not-confirmed", "An erasure cannot be undone.", "Give --yes if it is meant.")
    found = call.api.erase_learner(learner)
    if wait:
        follow(call.api, found["job_id"], timeout, quiet=call.as_json)
        found = call.api.erasure(found["erasure_id"])
    told = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in found["counts"].items())
    call.show(found, lambda: say(f"{found['erasure_id']} is {found['state']}: {told}."))


@erasures_app.command("list", epilog=examples("erasures list", "erasures list --state held --json"))
@asks(SCOPE)
def list_erasures(
    call: Caller,
    state: Annotated[str | None, typer.Option(help="erasing, held or done.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 200,
) -> None:
    """Erasures, newest first. Nobody can tell any more whose they were."""
    rows = list(islice(call.api.erasures(state=state), limit))
    columns = [column("erasure", "erasure_id"), column("state"), moment("asked", "requested_at"), moment("done", "done_at")]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "Nobody was erased."))


@erasures_app.command("show", epilog=examples("erasures show ers_…"))
@asks(SCOPE, lists=LISTS)
def show_erasure(
    call: Caller, erasure_id: Annotated[str, typer.Argument(metavar="ERASURE", help="Its id, ers_…")]
) -> None:
    """How far an erasure is."""
    found = call.api.erasure(erasure_id)
    call.show(
        found, lambda: say(f"{found['erasure_id']} is {found['state']}; {found['pseudonym']} stands for whom it was.")
    )
