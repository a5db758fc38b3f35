"""The `content-service` command. Each module registers its commands; heavy imports wait until one is called."""

from __future__ import annotations

import typer

from serve_app.cli import admin, demo, device, doctor, stack

app = typer.Typer(
    name="content-service",
    help="The content engine: drafts in, signed packages and encrypted offline bundles out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (stack, admin, doctor, device, demo):
    module.register(app)


def main() -> None:
    """Entry point. Errors of ours are told in two lines, without a traceback."""
    from serve_app.cli.output import run

    run(app)
