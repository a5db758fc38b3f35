"""`content-service keys …`, `revocations …`, `tamper …`: what is trusted, what is taken back, what was found changed."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from content.errors import ContentError
from serve_app.cli.caller import Caller, asks
from serve_app.cli.groups import Commands
from serve_app.cli.options import DEFAULT_HOME, AsJson, Home, connected, examples, settings_for
from serve_app.cli.output import print_json, say
from serve_app.cli.tables import column, moment, show

keys_app = Commands(help="Keys of a tenant: which there are, and rotating them.")
revocations_app = Commands(help="What was taken back: bundles, devices, packages, versions.")
tamper_app = Commands(help="What devices and the service found changed.")
Reason = Annotated[str, typer.Option(help="Why; kept in the audit log.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]


def register(app: typer.Typer) -> None:
    app.add_typer(keys_app, name="keys", rich_help_panel="Operate")
    app.add_typer(revocations_app, name="revocations", rich_help_panel="Operate")
    app.add_typer(tamper_app, name="tamper", rich_help_panel="Operate")


@keys_app.command("list", epilog=examples("keys list", "keys list acme --json"))
@asks("operator")
def list_keys(
    call: Caller, name: Annotated[str | None, typer.Argument(metavar="TENANT", help="The token's, if left out.")] = None
) -> None:
    """Signing and root keys of a tenant, with what they are used for and until when."""
    found = call.api.tenant(name or call.tenant)
    rows = [dict(row) for row in found.get("keys", ())]
    columns = [
        column("kid"), column("for", "purpose"), column("status"), moment("from", "not_before"), moment("until", "not_after"),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no keys."))


@keys_app.command(
    epilog=examples(
        'keys rotate --reason "the yearly round"',
        'keys rotate --root --reason "a new safe"',
        'keys rotate acme --emergency --reason "seen on a paste site"',
        'keys rotate drills --drill --reason "quarterly"',
    )
)
@asks("operator")
def rotate(
    call: Caller,
    reason: Reason,
    name: Annotated[str | None, typer.Argument(metavar="TENANT", help="The token's, if left out.")] = None,
    root: Annotated[bool, typer.Option("--root", help="Replace a root key.")] = False,
    emergency: Annotated[bool, typer.Option("--emergency", help="Revoke the signing key in use, now.")] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="The emergency, on a tenant that is marked for drills.")
    ] = False,
    kid: Annotated[str | None, typer.Option(help="--emergency: another key to revoke than the one in use.")] = None,
    lead_days: Annotated[
        int | None, typer.Option(min=0, max=366, help="Without a flag: when the next key begins.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until everything is signed again.")] = 3600.0,
) -> None:
    """Rotate the keys of a tenant.

    Without a flag the next signing key is published; it signs in a month. `--emergency` answers when both lists are out: from
    then on the revoked key is worth nothing. Every licence and manifest that it had signed is then signed again, which you
    may watch or leave (it goes on without you).
    """
    from serve_app.cli.watching import follow

    flags = {"root": root, "emergency": emergency, "drill": drill}
    chosen = [flag for flag, given in flags.items() if given]
    if len(chosen) > 1:
        raise ContentError("one-rotation", f"{' and '.join(chosen)} at once?", "Give one of the flags.")
    kind = chosen[0] if chosen else "scheduled"
    lead_s = lead_days * 86_400 if lead_days is not None else None
    done = call.api.rotate_keys(name or call.tenant, kind, reason, kid=kid, lead_s=lead_s)
    document: dict[str, Any] = dict(done)
    if not call.as_json:
        _told(document)
    if done["job_id"] is not None:
        if not call.as_json and call.tenant != (name or call.tenant):
            say(f"  what it had signed is signed again by the job {done['job_id']}")
        else:
            document["result"] = follow(call.api, done["job_id"], timeout, quiet=call.as_json)["result"]
    call.show(document, lambda: _signed(document.get("result")))


@keys_app.command(epilog=examples("keys delete acme KID --actor ada"))
def delete(
    name: Annotated[str, typer.Argument(metavar="TENANT", help="Whose.")],
    kid: Annotated[str, typer.Argument(metavar="KID", help="Of a key that is out of use.")],
    actor: Annotated[str, typer.Option(help="Who does it; kept in the audit log.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Have a key deleted in the key service, in 30 days (OpenBao: now), when nothing that it signed is in force.

    Asks database and key service directly, with credentials of your own: those of the service may not
    (docs/keys.md, "Deleting a key").
    """
    from datetime import UTC, datetime

    from tasks import key_ends

    async def work(connections: Any) -> datetime:
        return await key_ends.schedule_deletion(connections, name, kid, actor, datetime.now(UTC))

    gone = connected(settings_for(home), work)
    if as_json:
        print_json({"tenant": name, "kid": kid, "gone": gone.isoformat()})
    else:
        say(f"The key {kid} is gone on {gone:%Y-%m-%d}.")


@revocations_app.command("list", epilog=examples("revocations list", "revocations list --kind device --json"))
@asks("content:read")
def list_revocations(
    call: Caller,
    kind: Annotated[str | None, typer.Option(help="bundle, device, package, version or kid.")] = None,
    limit: Limit = 50,
) -> None:
    """What was taken back, newest first, and the list that named it first."""
    rows = list(islice(call.api.revocations(kind=kind), limit))
    told = [{**row, "list": ".".join(map(str, row["listed"])) if row["listed"] else "not yet"} for row in rows]
    columns = [
        column("kind"), column("what", "subject"), column("cause"), moment("since", "revoked_at"), column("list"),
        column("reason"),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, told, "Nothing was taken back."))


@revocations_app.command(
    epilog=examples(
        'revocations add bundle bnd_… --reason "handed on"',
        "revocations add device KID --reason stolen",
        "revocations add version pkg_… --version 3 --reason dosage",
    )
)
@asks("content:write", "device:revoke")
def add(
    call: Caller,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="bundle, device, package or version.")],
    subject: Annotated[str, typer.Argument(metavar="ID", help="Of the bundle, device or package.")],
    reason: Reason,
    version: Annotated[int | None, typer.Option(min=1, help="Which version of the package.")] = None,
) -> None:
    """Take something back. Devices that hear of it, online or by stick, open it no more; nothing that was learnt is lost."""
    found = call.api.revoke(kind, subject, reason, version=version)
    listed = found["listed"]
    told = f"named by the revocation list {listed[0]}.{listed[1]}" if listed else "named by the next revocation list"
    call.show(found, lambda: say(f"{found['kind']} {found['subject']} is taken back, {told}."))


@tamper_app.command("list", epilog=examples("tamper list", "tamper list --device KID --json"))
@asks("content:read")
def list_reports(
    call: Caller,
    device: Annotated[str | None, typer.Option(help="Only what this device found.")] = None,
    limit: Limit = 50,
) -> None:
    """What was found changed, newest first: by a device, or by the service in its own store (and whether it is whole again)."""
    rows = list(islice(call.api.tamper_reports(device_id=device), limit))
    told = [{**row, "whole": {True: "again", False: "NO", None: ""}[row["healed"]]} for row in rows]
    columns = [
        moment("received", "received_at"), column("by", "source"), column("check", "code"), column("whole"),
        column("bundle", "bundle_id"), column("path"), column("device", "device_id"),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, told, "Nothing was found changed."))


def _told(done: dict[str, Any]) -> None:
    lists = f"trust list {done['trust_version']}"
    if done["revocations"]:
        lists += f", revocation list {'.'.join(map(str, done['revocations']))}"
    match done["kind"]:
        case "scheduled":
            say(f"The key {done['kid']} is published.\nIt signs from {done['begins'][:10]} ({lists}).")
        case "root":
            say(f"The root key {done['kid']} is in use ({lists}).")
        case _:
            say(f"The key {done['replaced']} is revoked,\n{done['kid']} signs from now on\n({lists}).")


def _signed(result: dict[str, Any] | None) -> None:
    if result is not None:
        say(
            f"{result['licences']:,} licences and {result['manifests']:,} manifests are signed again, "
            f"with {result['signatures']:,} signatures in {result['seconds']} s."
        )
