"""Commands of operators: tenants, tokens, settings, pools, jobs, garbage collection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, connected, settings_for
from serve_app.cli.output import console, print_json

tenant_app = typer.Typer(help="Make and show tenants.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(tenant_app, name="tenant")
    app.command(rich_help_panel="Operate")(token)
    app.command(rich_help_panel="Operate")(settings)
    app.command(rich_help_panel="Operate")(pools)
    app.command(rich_help_panel="Operate")(jobs)
    app.command(rich_help_panel="Operate")(gc)


@tenant_app.command("create")
def tenant_create(
    name: Annotated[str, typer.Argument(help="a slug: letters, digits, hyphens")],
    region: Annotated[str, typer.Option(help="us, eu, me or ap")] = "eu",
    policy: Annotated[str, typer.Option(help="who shares encrypted parts: device (nobody)")] = "device",
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Make a tenant: its keys, trust list, settings and limits.

    Example: content-service tenant create acme --region eu
    """
    answer = _api(home, name).post("/v1/tenants", {"tenant": name, "region": region, "policy": policy})
    _show_tenant(answer, as_json)


@tenant_app.command("show")
def tenant_show(name: str, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show a tenant's settings, limits and keys."""
    _show_tenant(_api(home, name).get(f"/v1/tenants/{name}"), as_json)


def token(
    tenant: str,
    scope: Annotated[list[str], typer.Option("--scope", "-s", help="repeat for several")] = ["content:read"],  # noqa: B006
    subject: Annotated[str, typer.Option(help="who it is for; a learner's id for device:register")] = "cli",
    ttl_s: Annotated[int, typer.Option(help="seconds it is valid")] = 3600,
    home: Home = DEFAULT_HOME,
) -> None:
    """Mint a bearer token of the local stack's identity provider.

    Example: curl -H "Authorization: Bearer $(content-service token demo)" …/v1/packages
    """
    from cluster.local.identity import mint_token

    typer.echo(mint_token(home, tenant, scope, subject, ttl_s))


def settings(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Print every setting with its value; secrets are masked."""
    values = settings_for(home).model_dump(mode="json")
    if as_json:
        print_json(values)
        return
    table = Table("setting", "value", box=None, pad_edge=False)
    for name, value in values.items():
        table.add_row(name, str(value))
    console.print(table)


def pools(home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show each pool: depth, replicas, how many are wanted and why."""
    from serve_app.pools import read

    rows = read(settings_for(home))
    if as_json:
        print_json(rows)
        return
    table = Table("pool", "depth", "replicas", "wanted", "why", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["pool"], str(row["depth"]), row["replicas"], str(row["wanted"]), row["why"])
    console.print(table)


def jobs(
    tenant: str,
    state: Annotated[str | None, typer.Option(help="queued, running, succeeded, failed, cancelled")] = None,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """List a tenant's jobs, newest first."""
    query = f"?state={state}" if state else ""
    answer = _api(home, tenant).get(f"/v1/jobs{query}")
    if as_json:
        print_json(answer)
        return
    table = Table("job", "kind", "state", "done", "message", box=None, pad_edge=False)
    for row in answer["items"]:
        problem = row["problem"] or {}
        table.add_row(
            row["job_id"],
            row["kind"],
            row["state"],
            f"{row['progress']:.0%}",
            f"{problem['code']}: {problem['title']}" if problem else row["message"],
        )
    console.print(table)


def gc(
    grace_s: Annotated[float | None, typer.Option(help="leave what is younger; default: setting gc_grace_s")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="remove nothing")] = False,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Remove blobs that no row names; report rows whose blob is missing (exit code 1)."""
    from tasks.gc import collect

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
            console.print(f"[red]missing[/] {key}", highlight=False)
    if report.missing:
        raise typer.Exit(1)


def _api(home: Path, tenant: str) -> Any:
    """A client with an operator's token of the local identity provider."""
    from cluster.local.identity import mint_token
    from serve_app.client import Client

    settings = settings_for(home)
    return Client(settings.api_url, token=mint_token(home, tenant, ["operator"], "cli"))


def _show_tenant(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    console.print(f"{answer['tenant']}  region {answer['region']}  policy {answer['policy']}")
    for key in answer["keys"]:
        console.print(
            f"  {key['purpose']:<8} {key['kid']}  {key['status']} until {key['not_after'][:10]}", highlight=False
        )
