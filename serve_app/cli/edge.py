"""The edge, for operators: the keys that sign its addresses, their rotation, and having it forget (docs/edge.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve_app.cli.exits import AGAIN, FAILED
from serve_app.cli.groups import Commands
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, examples, settings_for
from serve_app.cli.output import print_json, say
from serve_app.cli.tables import column, show

if TYPE_CHECKING:
    from cluster.edge.edge_keys import KeyGroup
    from cluster.settings import Settings
    from tasks.edge.edge_rotation import Done, Store

edge_app = Commands(help="The edge: the keys that sign its addresses, and having it forget.")

Keys = Annotated[
    Path | None, typer.Option("--keys", help="JSON file with the keys (edge_…); default: those of the local stack.")
]
Secret = Annotated[
    str | None, typer.Option("--secret", help="Name of the secret in AWS Secrets Manager that holds them.")
]


def register(app: typer.Typer) -> None:
    app.add_typer(edge_app, name="edge", rich_help_panel="Operate")


@edge_app.command("keys", epilog=examples("edge keys", "edge keys --secret content/content-edge-signer"))
def list_keys(file: Keys = None, secret: Secret = None, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Each key: whether it signs, is next or retired, and whether the edge takes it. Private keys are never shown."""
    from cluster.edge import edge_keys

    settings = settings_for(home)
    known, group = _store(file, secret, settings, home).read(), _group(settings, home)
    there = group.keys()
    rows: list[dict[str, Any]] = [
        {
            "key": key_id,
            "state": state,
            "at_the_edge": key_id in there,
            "since": known.as_settings()["edge_retired_keys"].get(key_id),
        }
        for key_id, state in edge_keys.states(known, there).items()
    ]
    wrong = [row["key"] for row in rows if row["state"] in ("signs", "retired") and not row["at_the_edge"]]
    if as_json:
        print_json(rows)
    else:
        columns = [column("key"), column("state"), column("at_the_edge"), column("since")]
        show(columns, rows, "There are no keys.")
        for key_id in wrong:
            say(f"The edge refuses what {key_id} signs or signed.")
    if wrong:
        raise typer.Exit(FAILED)


@edge_app.command(
    epilog=examples(
        "edge rotate",
        "edge rotate --secret content/content-edge-signer",
        "edge rotate --secret content/content-edge-signer --emergency",
    )
)
def rotate(
    file: Keys = None,
    secret: Secret = None,
    emergency: Annotated[
        bool,
        typer.Option(
            "--emergency", help="Wait for the edge alone: what the old key signed is refused from the third step on."
        ),
    ] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Do the next step of a rotation: publish the next key, let it sign, take the old one out. Exit code 5: not yet.

    Call it again for each step; after the second one roll out the API. Nothing that was signed is refused in between.
    """
    from datetime import UTC, datetime

    from cluster.telemetry import logs
    from tasks.edge.edge_rotation import advance, edge_accepts

    logs.for_people()
    settings = settings_for(home)
    store, group = _store(file, secret, settings, home), _group(settings, home)
    done = advance(store, group, settings, datetime.now(UTC), edge_accepts(settings), emergency=emergency)
    told = _told(done)
    if as_json:
        print_json(told)
    else:
        say(f"{told['step']} {told['key']}: {told['reason']}")
        say(f"  next: {told['next']}")
    if done.waits:
        raise typer.Exit(AGAIN)


@edge_app.command(epilog=examples("edge invalidate packages/ --cause 2.4.0"))
def invalidate(
    prefix: Annotated[str, typer.Argument(help="What keys begin with: packages/, or exports/acme/pkg_1/.")],
    cause: Annotated[str, typer.Option(help="Why, say a release: the same again is the same invalidation.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Have the CDN forget everything below a prefix, as after a release that changes the shape of manifests."""
    from cluster.edge.purging import invalidate_prefix

    told = invalidate_prefix(settings_for(home), prefix, cause)
    if as_json:
        print_json({"prefix": prefix, "cause": cause, "told": told})
    else:
        say(
            f"{prefix}: the CDN was told."
            if told
            else "No CDN is told here (edge_cdn): the local edge hears by itself."
        )


@edge_app.command(epilog=examples("edge tell"))
def tell(home: Home = DEFAULT_HOME) -> None:
    """Run until stopped: tell the CDN what was withdrawn, and what tenants say about their sites. Needs NATS, the bucket and the CDN alone."""
    import asyncio
    import signal

    from cluster import telemetry
    from content.errors import ContentError
    from tasks.edge import edge_words

    settings = settings_for(home)
    if settings.edge_cdn == "none":
        raise ContentError("edge-none", "No CDN is told here.", "Set edge_cdn; the local edge hears by itself.")
    telemetry.begin("content-edge", settings)

    async def run() -> None:
        stopping = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stopping.set)
        await edge_words.tell(settings, stopping)

    asyncio.run(run())


def _told(done: Done) -> dict[str, Any]:
    from cluster.edge.edge_keys import Publish, Remove, Switch, Wait
    from content.canonical import rfc3339

    match done.step:
        case Publish():
            following = "when every edge knows it, let it sign: `edge rotate` again"
        case Switch():
            following = (
                "roll out the API with these keys; when nothing older is alive, `edge rotate` takes the old one out"
            )
        case Remove():
            following = "nothing: the rotation is over"
        case Wait(until):
            return {
                "step": "wait",
                "key": done.key_id,
                "reason": done.step.reason,
                "next": f"not before {rfc3339(until)}",
            }
    step = type(done.step).__name__.lower()
    return {"step": step, "key": done.key_id, "reason": done.step.reason, "next": following}


def _store(file: Path | None, secret: str | None, settings: Settings, home: Path) -> Store:
    from cluster.local.home import Home as Folder
    from tasks.edge.edge_rotation import FileStore, SecretStore

    if secret is not None:
        from cluster.edge.cloudfront import client_of

        return SecretStore(client_of("secretsmanager", settings.s3_region), secret)  # beside the bucket
    if file is not None:
        return FileStore([file])
    folder = Folder(home)
    return FileStore([folder.settings], [folder.keys / "secrets.json"])


def _group(settings: Settings, home: Path) -> KeyGroup:
    match settings.edge_cdn:
        case "cloudfront":
            from cluster.edge.cloudfront import client_of
            from cluster.edge.cloudfront_keys import CloudFrontKeys

            return CloudFrontKeys(client_of(), settings.cloudfront_key_group_id)
        case "cloudflare":
            from cluster.edge.cloudflare import WorkerKeys

            return WorkerKeys.of(settings)
        case _:
            from cluster.local.edge_keys import LocalKeys
            from cluster.local.home import Home as Folder

            return LocalKeys(Folder(home).edge_keys)
