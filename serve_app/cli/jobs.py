"""`content-service jobs …`: long work listed, followed, cancelled and tried again; the queues it waits in."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from content.errors import ContentError
from serve_app.cli.caller import Caller, asks
from serve_app.cli.exits import FAILED
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import print_json, say
from serve_app.cli.tables import Column, column, moment, show, when

jobs_app = Commands(help="Long work: follow it, cancel it, try it again; pause a queue.")
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id, job_…")]
QueueName = Annotated[str, typer.Argument(metavar="QUEUE", help="One of `jobs queues`.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
Kind = Annotated[
    str | None,
    typer.Option(
        help="Only of this kind: build, preview, import, export, rebundle, rotation, thaw, hold, erasure or deletion."
    ),
]
Package = Annotated[str | None, typer.Option(help="Only of this package.")]
LISTS = "jobs list"
QUEUES = "jobs queues"
STATES = "queued, running, cancelling, succeeded, failed or cancelled."


def register(app: typer.Typer) -> None:
    app.add_typer(jobs_app, name="jobs", rich_help_panel="Content")


@jobs_app.command("list", epilog=examples("jobs list", "jobs list --state running --json"))
@asks("content:read")
def list_jobs(
    call: Caller,
    state: Annotated[str | None, typer.Option(help=STATES)] = None,
    kind: Kind = None,
    package: Package = None,
    limit: Limit = 50,
) -> None:
    """Jobs of the tenant, newest first."""
    _list(call, limit, state=state, kind=kind, package_id=package)


@jobs_app.command(epilog=examples("jobs failed", "jobs failed --json | jq -r '.items[].job_id'"))
@asks("content:read")
def failed(call: Caller, kind: Kind = None, package: Package = None, limit: Limit = 50) -> None:
    """Jobs that failed, newest first, and why."""
    _list(call, limit, state="failed", kind=kind, package_id=package)


@jobs_app.command("show", epilog=examples("jobs show job_…", "jobs show job_… --json"))
@asks("content:read", lists=LISTS)
def show_job(call: Caller, job_id: JobId) -> None:
    """One job: how far it is, what came of it, or why it failed."""
    found = call.api.job(job_id)
    call.show(found, lambda: _told(dict(found)))


@jobs_app.command(epilog=examples("jobs watch job_…", "jobs watch job_… --timeout 60 --json"))
@asks("content:read", lists=LISTS)
def watch(
    call: Caller,
    job_id: JobId,
    timeout: Annotated[float, typer.Option(help="Seconds; then exit code 5.")] = 3600.0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Follow a job to its end; exit code 1 if it fails or is cancelled."""
    from serve_app.cli.watching import follow

    try:
        found = follow(call.api, job_id, timeout, quiet=quiet or call.as_json)
    except ContentError as error:
        if not call.as_json or error.retryable or error.code == "not-found":
            raise
        print_json(call.api.job(job_id))
        raise typer.Exit(FAILED) from error
    call.show(found, lambda: _told(dict(found)))


@jobs_app.command(epilog=examples("jobs cancel job_…", "jobs cancel job_… --wait"))
@asks("content:write", "content:read", lists=LISTS)
def cancel(
    call: Caller,
    job_id: JobId,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has stopped.")] = False,
) -> None:
    """Cancel a job: one that runs is stopped within seconds and leaves nothing behind."""
    found = call.api.cancel_job(job_id)
    if wait and found["state"] == "cancelling":
        try:
            found = call.api.wait(job_id, deadline_s=60.0)
        except ContentError as error:
            if error.code != "job-cancelled":
                raise
            found = call.api.job(job_id)
    call.show(found, lambda: say(f"{job_id} is {found['state']}."))


@jobs_app.command(epilog=examples("jobs retry job_…"))
@asks("content:write", lists=LISTS)
def retry(call: Caller, job_id: JobId) -> None:
    """Try a failed or cancelled job again; what it had finished is not made anew."""
    found = call.api.retry_job(job_id)
    call.show(found, lambda: say(f"{job_id} is {found['state']} again: content-service jobs watch {job_id}"))


@jobs_app.command(epilog=examples("jobs queues"))
@asks("operator")
def queues(call: Caller) -> None:
    """The queues of all tenants: what waits, what runs, which one is paused."""
    rows = call.api.queues()
    columns = [
        column("queue", "name"), Column("state", _state), column("waiting"), column("running"), column("failed"),
        column("held"), moment("oldest", "oldest"),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no queues."))


@jobs_app.command(epilog=examples("jobs pause build"))
@asks("operator", lists=QUEUES)
def pause(call: Caller, queue: QueueName) -> None:
    """Pause a queue: workers take nothing new from it, and what runs goes on."""
    found = call.api.pause_queue(queue)
    call.show(found, lambda: say(f"{queue} is paused since {when(found['paused_at'])}; {found['waiting']} wait."))


@jobs_app.command(epilog=examples("jobs resume build"))
@asks("operator", lists=QUEUES)
def resume(call: Caller, queue: QueueName) -> None:
    """Let a paused queue go on."""
    found = call.api.resume_queue(queue)
    call.show(found, lambda: say(f"{queue} goes on; {found['waiting']} wait."))


def _list(call: Caller, limit: int, **query: str | None) -> None:
    rows = list(islice(call.api.jobs(**query), limit))
    columns = [column("job", "job_id"), column("kind"), column("state"), Column("done", _share), Column("message", _message, text=True)]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no such jobs."))


def _share(row: Any) -> str:
    return f"{row['progress']:.0%}"


def _message(row: Any) -> str:
    problem = row["problem"]
    return f"{problem['code']}: {problem['title']}" if problem else row["message"]


def _state(row: Any) -> str:
    return "paused" if row["paused_at"] else "on"


def _told(job: dict[str, Any]) -> None:
    say(f"{job['job_id']}  {job['kind']}, {job['state']}, {job['progress']:.0%}")
    say("  " + ", ".join(f"{name} {value}" for name, value in job["subject"].items()))
    say(f"  attempt {job['attempt']}, since {when(job['created_at'])}, last change {when(job['updated_at'])}")
    if job["trace_id"]:
        say(f"  trace {job['trace_id']}")
    if job["message"]:
        say(f"  {job['message']}")
    if problem := job["problem"]:
        say(f"  {problem['code']}: {problem['title']}")
        if problem.get("detail"):
            say(f"  → {problem['detail']}")
        for entry in problem.get("problems") or ():
            say(f"  {entry.get('pointer') or '/'}: {entry.get('message', '')}")
