"""`content-service mesh`: who this installation is to others, until when, and new certificates for a local stack (docs/mesh.md)."""

from __future__ import annotations

from typing import Annotated

import typer

from serve_app.cli.groups import Commands
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, examples, settings_for
from serve_app.cli.output import answer, print_json
from serve_app.cli.tables import column, moment, show

mesh_app = Commands(help="mTLS: the certificates that are shown, and new ones for a local stack.")


def register(app: typer.Typer) -> None:
    app.add_typer(mesh_app, name="mesh", rich_help_panel="Operate")


@mesh_app.command("show", epilog=examples("mesh show"))
def show_mesh(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Each certificate that is shown to others: its SPIFFE name, and when it ends."""
    from cluster import mesh
    from content.errors import ContentError

    settings = settings_for(home)
    if settings.mesh_folder is None:
        raise ContentError(
            "no-mtls", "Nothing is spoken by mTLS here.", "Set mesh_folder, or start a local stack with `up --mtls`."
        )
    found = [mesh.shown(folder) for folder in mesh.folders(settings.mesh_folder)]
    rows = [{"name": ", ".join(each.names), "ends": each.ends.isoformat()} for each in found]
    if as_json:
        print_json(rows)
        return
    show([column("name"), moment("ends (UTC)", "ends")], rows, "There is no certificate.")


@mesh_app.command(epilog=examples("mesh rotate", "mesh rotate --authority"))
def rotate(
    authority: Annotated[
        bool, typer.Option("--authority", help="By a new authority; the one before stays trusted until the next time.")
    ] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """New certificates for everybody in a local stack, while it runs. Open connections stay as they are."""
    from cluster.local.stack import Stack

    told = Stack(home).rotate(authority=authority)
    by = "a new" if authority else "the same"
    text = f"New certificates by {by} authority; read by {', '.join(told) or 'nobody yet'}."
    answer({"authority": "new" if authority else "same", "read_by": told}, as_json, text)
