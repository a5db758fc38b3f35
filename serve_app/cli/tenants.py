"""`content-service tenant …`: tenants, their settings and limits."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from content.errors import ContentError
from serve_app.cli.caller import Caller, asks
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.tables import column, moment, show

tenant_app = Commands(help="Tenants: make them, show them, change settings and limits.")
Name = Annotated[str, typer.Argument(metavar="TENANT", help="A slug: letters, digits, hyphens.")]
LISTS = "tenant list"
DEFAULT = "default"


def register(app: typer.Typer) -> None:
    app.add_typer(tenant_app, name="tenant", rich_help_panel="Operate")


@tenant_app.command(epilog=examples("tenant create acme --region eu"))
@asks("operator")
def create(
    call: Caller,
    name: Name,
    region: Annotated[str, typer.Option(help="us, eu, me or ap.")] = "eu",
    policy: Annotated[str | None, typer.Option(help="Who shares encrypted parts: device (nobody) or shared.")] = None,
) -> None:
    """Make a tenant: its keys, trust list, settings and limits. Making it again changes nothing."""
    found = call.api.create_tenant(name, region=region, policy=policy)
    call.show(found, lambda: _told(dict(found)))


@tenant_app.command("list", epilog=examples("tenant list --json"))
@asks("operator")
def list_tenants(call: Caller, limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 200) -> None:
    """The tenants of this region, by name."""
    rows = list(islice(call.api.tenants(), limit))
    columns = [column("tenant"), column("region"), column("policy"), moment("created", "created_at")]
    call.show({"items": rows}, lambda: show(columns, rows, "There are no tenants."))


@tenant_app.command("show", epilog=examples("tenant show", "tenant show acme --json"))
@asks("operator", lists=LISTS)
def show_tenant(
    call: Caller, name: Annotated[str | None, typer.Argument(metavar="TENANT", help="The token's, if left out.")] = None
) -> None:
    """Settings, limits and keys of a tenant. Another one than the token's needs the scope; its own, content:read."""
    found = call.api.tenant(name or call.tenant)
    call.show(found, lambda: _told(dict(found)))


@tenant_app.command("set", epilog=examples("tenant set acme --limit requests_per_minute=600", "tenant set acme --limit requests_per_minute=default", "tenant set demo --cors-origin https://learn.example", "tenant set demo --failing captions-missing"))  # fmt: skip
@asks("operator", lists=LISTS)
def change(
    call: Caller,
    name: Name,
    limit: Annotated[
        list[str] | None, typer.Option(help="NAME=NUMBER, or NAME=default; repeat for several (scope operator).")
    ] = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Whose pages may call the API; repeat; they replace those before.")
    ] = None,
    no_cors: Annotated[bool, typer.Option("--no-cors", help="No page of another origin may.")] = False,
    failing: Annotated[
        list[str] | None,
        typer.Option(help="A finding with which no course is published; repeat; they replace those before."),
    ] = None,
    no_failing: Annotated[bool, typer.Option("--no-failing", help="Every course may be published.")] = False,
    site_csp: Annotated[
        str | None, typer.Option(help="Content-Security-Policy of its published exports; default: the service's own.")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="device, shared, or default: as the catalog says.")] = None,
    drill: Annotated[
        bool | None, typer.Option("--drill/--no-drill", help="Its keys may be revoked to see how long that takes.")
    ] = None,
) -> None:
    """Change limits and settings; what is not named stays."""
    limits = dict(_limit(entry) for entry in limit or ())
    settings: dict[str, Any] = {"cors_origins": cors_origin or []} if cors_origin or no_cors else {}
    settings |= {"drill": drill} if drill is not None else {}
    settings |= {"failing_findings": failing or []} if failing or no_failing else {}
    settings |= {"site_csp": None if site_csp == DEFAULT else site_csp} if site_csp is not None else {}
    if not limits and not settings and policy is None:
        raise ContentError(
            "nothing-to-change",
            "Nothing says what to change.",
            "Give --limit, --cors-origin, --failing, --site-csp, --drill or --policy.",
        )
    found = call.api.change_tenant(name, settings=settings or None, limits=limits or None, policy=policy)
    call.show(found, lambda: _told(dict(found)))


@tenant_app.command("delete", epilog=examples("tenant delete acme --confirm acme --reason 'Contract ended'"))
@asks("operator", lists=LISTS)
def delete(
    call: Caller,
    name: Name,
    confirm: Annotated[str, typer.Option(help="Its name, once more: what is deleted is gone for good.")],
    reason: Annotated[str, typer.Option(help="Kept in the audit log, which stays.")],
    partial: Annotated[
        bool, typer.Option("--partial", help="Under holds on packages, delete what they do not cover.")
    ] = False,
) -> None:
    """Delete a tenant with all that is its own; `tenant deletion` shows how far it is."""
    if confirm != name:
        raise ContentError("confirmation", "The confirmation names another tenant.", f"Give --confirm {name}.")
    found = call.api.delete_tenant(name, reason, partial=partial)
    call.show(found, lambda: say(f"{name} is closed, and is being deleted."))


@tenant_app.command(epilog=examples("tenant deletion acme"))
@asks("operator", lists=LISTS)
def deletion(call: Caller, name: Name) -> None:
    """How far the deletion of a tenant is."""
    found = call.api.deletion(name)

    def told() -> None:
        end = f"gone since {found['deleted_at']}" if found["deleted_at"] else f"{found['state']}: {found['message']}"
        say(f"{name} is closed; {end}")

    call.show(found, told)


def _limit(entry: str) -> tuple[str, int | None]:
    name, _, value = entry.partition("=")
    if value != DEFAULT and not value.isdecimal():
        raise typer.BadParameter(f"{entry!r} is not NAME=NUMBER or NAME=default", param_hint="--limit")
    return name, None if value == DEFAULT else int(value)


def _setting(value: bool | str | list[str] | None) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return DEFAULT
        case str():
            return value
        case _:
            return ", ".join(value) or "none"


def _told(tenant: dict[str, Any]) -> None:
    say(f"{tenant['tenant']}  region {tenant['region']}, policy {tenant['policy'] or 'as the catalog says'}")
    for name, value in tenant["limits"].items():
        say(f"  limit {name}: {DEFAULT if value is None else value}")
    for name, value in tenant["settings"].items():
        say(f"  {name}: {_setting(value)}")
    for key in tenant["keys"]:
        say(f"  {key['purpose']:<8} {key['kid']}  {key['status']} until {key['not_after'][:10]}")
