"""The `content-service` command. Each module registers its commands; heavy imports wait until one is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from serve_app.cli import (
    audit,
    bundles,
    demo,
    device,
    doctor,
    drafts,
    edge,
    erasures,
    events,
    exits,
    exports,
    holds,
    imports,
    inspect,
    jobs,
    learners,
    mesh,
    operate,
    packages,
    previews,
    release,
    restore,
    stack,
    tenants,
    trust,
    webhooks,
)
from serve_app.cli.groups import Commands

app = Commands(
    name="content-service",
    help="The content engine: drafts in, signed packages and encrypted offline bundles out.",
    epilog=exits.epilog(),
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
for module in (
    stack,
    demo,
    drafts,
    previews,
    packages,
    exports,
    imports,
    inspect,
    jobs,
    learners,
    bundles,
    device,
    tenants,
    trust,
    operate,
    edge,
    mesh,
    events,
    webhooks,
    release,
    holds,
    erasures,
    audit,
    doctor,
    restore,
):
    module.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("content-service"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


def main(args: Sequence[str] | None = None) -> None:
    """Entry point; ends with one of the exit codes. Errors of ours are told in two lines, without a traceback."""
    from serve_app.cli.output import run

    run(lambda: app(args, prog_name="content-service"))
