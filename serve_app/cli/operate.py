"""Commands of operators that are no resource of the API: who asks, tokens, settings, pools, garbage collection."""

from __future__ import annotations

from typing import Annotated

import typer

from serve_app.cli.caller import DEFAULT_TENANT, Caller, asks
from serve_app.cli.exits import FAILED
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, connected, examples, settings_for
from serve_app.cli.output import console, print_json, say
from serve_app.cli.tables import column, show

PANEL = "Operate"


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel=PANEL, epilog=examples("token", "token acme --scope operator", "token --scope device:register --subject ada > token"))(token)  # fmt: skip
    app.command(rich_help_panel=PANEL, epilog=examples("whoami", "whoami --api https://content.example --token-file token"))(whoami)  # fmt: skip
    app.command(rich_help_panel=PANEL, epilog=examples("settings", "settings --json", "settings --markdown"))(settings)
    app.command(rich_help_panel=PANEL, epilog=examples("pools"))(pools)
    app.command(rich_help_panel=PANEL, epilog=examples("gc --dry-run", "gc --grace-s 3600"))(gc)
    app.command(rich_help_panel=PANEL, epilog=examples("retention demo", "retention demo --json"))(retention)


def token(
    tenant: Annotated[str, typer.Argument(help="Whose.")] = DEFAULT_TENANT,
    scope: Annotated[list[str], typer.Option("--scope", "-s", help="Repeat for several.")] = ["content:read"],  # noqa: B006
    subject: Annotated[str, typer.Option(help="Who it is for; a learner's id for device:register.")] = "cli",
    ttl_s: Annotated[int, typer.Option(help="Seconds it is valid.")] = 3600,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Local stack: mint a bearer token of its identity provider."""
    from cluster.local.identity import mint_token

    text = mint_token(home, tenant, scope, subject, ttl_s)
    if as_json:
        print_json({"token": text, "tenant": tenant, "scopes": scope, "subject": subject, "expires_in_s": ttl_s})
    else:
        typer.echo(text)


@asks("content:read")
def whoami(call: Caller) -> None:
    """Tenant, subject and scopes, as the API sees whoever asks."""
    found = call.api.me()

    def told() -> None:
        say(f"{found['subject']} of {found['tenant']} at {call.api.url}")
        say(f"  scopes {', '.join(found['scopes']) or 'none'}")

    call.show({**found, "api": call.api.url}, told)


def settings(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The table of docs/operations.md: defaults and meaning.")
    ] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Print every setting with its value; secrets are masked."""
    if markdown:
        from serve_app.cli.reference import settings_table

        typer.echo(settings_table())
        return
    values = settings_for(home).model_dump(mode="json")
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        say(f"{name} = {'' if value is None else value}")


def pools(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show each pool: depth, replicas, how many are wanted and why; of each region that has Ray, where the home has several."""
    from cluster.local.regions import Regions
    from serve_app.pools import read

    several = Regions(home)
    if several.names:
        whole = [name for name in several.names if several.kind(name) == "complete"]
        rows = [{"region": name, **row} for name in whole for row in read(settings_for(several.stack(name).home.path))]
    else:
        rows = read(settings_for(home))
    if as_json:
        print_json(rows)
        return
    region = [column("region")] if several.names else []
    columns = [*region, column("pool"), column("depth"), column("replicas"), column("wanted"), column("why", text=True)]
    show(columns, rows, "There are no pools.")


def gc(
    grace_s: Annotated[float | None, typer.Option(help="Leave what is younger; default: setting gc_grace_s.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing.")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Remove blobs that no row names; report rows whose blob is missing (exit code 1)."""
    from tasks.keeping.gc import collect

    report = connected(settings_for(home), lambda c: collect(c, grace_s=grace_s, dry_run=dry_run))
    if as_json:
        print_json(report.as_dict())
    else:
        console.print(
            f"{report.keys} blobs, {report.rows} named by rows; removed {report.removed}, "
            f"left {report.young} younger ones; aborted {report.aborted_uploads} uploads, "
            f"removed {report.swept_folders} work folders"
        )
        for key in report.missing:
            console.print(f"[red]missing[/] {key}", highlight=False, soft_wrap=True)
    if report.missing:
        raise typer.Exit(FAILED)


def retention(
    tenant: Annotated[str, typer.Argument(help="Whose.")] = DEFAULT_TENANT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Do a tenant's nightly round now: cold storage, locks, the archive of the audit log, what a hold had stopped."""
    from dataclasses import asdict

    from tasks.keeping.retention import run

    done = asdict(connected(settings_for(home), lambda c: run(c, tenant)))
    if as_json:
        print_json(done)
        return
    say(
        f"{done['cooled']} blobs went cold, {done['gone']} were not there; locked {done['locked']}, archived "
        f"{done['archived']} segments of the audit log, {done['resumed']} erasures go on"
    )
