"""The exit codes of the command line, in one place: `content-service --help` and docs/cli.md show this table."""

from __future__ import annotations

from content.errors import ContentError

DONE, FAILED, USAGE, NO_STACK, WARNED, AGAIN, STOPPED = 0, 1, 2, 3, 4, 5, 130
MEANINGS = {
    DONE: "done",
    FAILED: "refused or failed; standard error says what and what to do",
    USAGE: "the command line was not understood; inspect: a file could not be read, or no sandbox works",
    NO_STACK: "there is no local stack here",
    WARNED: "doctor: warnings only",
    AGAIN: "not now: unreachable, no room, or still running when --timeout was over",
    STOPPED: "stopped by Ctrl-C",
}


def code_of(error: ContentError) -> int:
    """The exit code for an error: a script may try again after `AGAIN` and after nothing else."""
    if error.code == "stack-unknown":
        return NO_STACK
    return AGAIN if error.retryable else FAILED


def epilog() -> str:
    """The table as the end of a help text, one line each."""
    lines = [f"{code:>4}  {meaning}" for code, meaning in MEANINGS.items()]
    return "\n".join(["[bold]Exit codes[/]", *lines])
