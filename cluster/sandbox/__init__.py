"""The sandbox: the only place where bytes of authors are parsed.

`call` runs a named function and `run` a program, each in a sandbox of its own that was started ahead, sees nothing but
the files handed in, and is gone afterwards. Inside, the files handed in are `IN/{name}`, results are written to
`OUT/{name}`. See docs/sandbox.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.sandbox import backends, slots
from cluster.sandbox.backends import Finding, find
from cluster.sandbox.conversation import Answers, Conversation
from cluster.sandbox.kind import Backend, Kind, interpreter
from cluster.sandbox.limits import Limits, Result, Stopped
from cluster.sandbox.pool import close_pool, pool
from cluster.sandbox.results import accept
from cluster.settings import Settings

# From the working directory, which is the folder of results: the same words hold with every backend.
IN, OUT = "../in", "."

__all__ = [
    "IN", "OUT", "Backend", "Finding", "Job", "Kind", "Limits", "Result", "Stopped", "backend", "call", "close", "find",
    "findings", "interpreter", "run", "warm",
]  # fmt: skip


@dataclass(frozen=True)
class Job:
    """What a sandbox is given. `read_only`: name inside → file. `results`: names that may come out, moved into
    `output`, where the sandbox's folder also lives meanwhile. `watch` is called about every 50 ms; what it raises ends
    the sandbox."""

    kind: Kind
    limits: Limits
    output: Path
    read_only: Mapping[str, Path] = field(default_factory=dict[str, Path])
    results: Sequence[str] = ()
    watch: Callable[[], None] | None = None


def run(job: Job, argv: Sequence[str], settings: Settings, on_line: Callable[[bytes], None] | None = None) -> Result:
    """Run a program of the kind's to its end; `on_line` gets each line of its standard output.

    Results are taken over if it ended well. Raises ContentError `sandbox-unavailable` (retryable), `sandbox-result`.
    """
    request = {"argv": list(argv), "environment": {"LC_ALL": "C", "MALLOC_ARENA_MAX": "2"}}
    return _held(job, request, settings, on_line, lambda result: result)


def call(
    job: Job,
    function: str,
    arguments: Mapping[str, Any],
    settings: Settings,
    on_share: Callable[[float], None] | None = None,
) -> Result:
    """Call `module:name` with JSON arguments (and `progress` if `on_share` is given) and have its JSON value.

    A ContentError that it raised is the result's `refusal`. Raises as `run`.
    """
    answers = Answers(on_share)
    request = {"function": function, "arguments": dict(arguments), "shares": on_share is not None}
    return _held(job, request, settings, answers.take, answers.complete)


def warm(kind: Kind, settings: Settings, count: int | None = None) -> None:
    """Start sandboxes of this kind ahead, `count` or as many as the setting says; returns at once.

    Raises ContentError `sandbox-unavailable`.
    """
    pool(settings.workspace, settings.sandbox_ahead).warm(kind, backend(settings, kind), count)


def close(settings: Settings) -> None:
    """End the sandboxes that wait, before this process ends."""
    close_pool(settings.workspace)


def backend(settings: Settings, kind: Kind = backends.PLAIN) -> Backend:
    """The backend that sandboxes of a kind get here. Raises ContentError `sandbox-unavailable`."""
    return backends.choose(kind, settings.sandbox)


def findings() -> list[Finding]:
    """What became of trying each backend out on this machine."""
    return [find("bubblewrap"), find("runsc")]


def _held(
    job: Job,
    request: dict[str, Any],
    settings: Settings,
    on_line: Callable[[bytes], None] | None,
    complete: Callable[[Result], Result],
) -> Result:
    # Imported late: the command line starts sandboxes before anything else, and what counts them takes long to import.
    from cluster.telemetry.metrics import SANDBOXES

    waiting = pool(settings.workspace, settings.sandbox_ahead)
    started = waiting.take(job.kind, backend(settings, job.kind))
    with ExitStack() as after:
        after.callback(waiting.put_away, started)
        started.folder = slots.move(started.folder, job.output)
        for name, path in job.read_only.items():
            slots.put_in(started.folder, name, path)
        request["limits"] = job.limits.inside()
        result = complete(Conversation(started, job.limits, on_line, job.watch).hold(request))
        SANDBOXES.add(kind=job.kind.name, result=result.stopped or ("refused" if result.refusal else _ended(result)))
        if result.code == 0 and not result.stopped and result.refusal is None:
            accept(started.folder / "out", job.results, job.output, job.limits.file_bytes)
    return result


def _ended(result: Result) -> str:
    return "ok" if result.code == 0 else "failed"
