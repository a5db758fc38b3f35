"""`content-service webhooks …`: where a tenant is told of what happens, and what became of it."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import typer

from serve_app.cli.caller import Caller, asks
from serve_app.cli.groups import Commands
from serve_app.cli.options import examples
from serve_app.cli.output import say
from serve_app.cli.tables import Column, column, moment, show

webhooks_app = Commands(help="Webhooks: tell another service of what happens.")
WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, whk_…")]
SCOPE = "webhooks:manage"
LISTS = "webhooks list"
PUBLISHED = "content.play_package.published.v1"


def register(app: typer.Typer) -> None:
    app.add_typer(webhooks_app, name="webhooks", rich_help_panel="Operate")


@webhooks_app.command("list", epilog=examples("webhooks list"))
@asks(SCOPE)
def list_webhooks(call: Caller) -> None:
    """Webhooks of the tenant."""
    rows = list(call.api.webhooks())
    columns = [column("webhook", "webhook_id"), column("state"), column("url"), Column("types", _types, text=True)]
    call.show({"items": rows}, lambda: show(columns, rows, "There are no webhooks."))


@webhooks_app.command(epilog=examples("webhooks create https://lms.example/hooks", "webhooks create URL -t content.job.finished.v1 --json"))  # fmt: skip
@asks(SCOPE)
def create(
    call: Caller,
    url: Annotated[str, typer.Argument(metavar="URL", help="https, at a public address.")],
    types: Annotated[list[str], typer.Option("--type", "-t", help="Of events; repeat for several.")] = [PUBLISHED],  # noqa: B006
    description: Annotated[str, typer.Option(help="For people.")] = "",
) -> None:
    """Make a webhook. Its secret is shown this once."""
    found = call.api.create_webhook(url, types, description)
    call.show(found, lambda: _secret(dict(found)))


@webhooks_app.command(epilog=examples("webhooks remove whk_…"))
@asks(SCOPE, lists=LISTS)
def remove(call: Caller, webhook_id: WebhookId) -> None:
    """Remove a webhook with its deliveries."""
    call.api.remove_webhook(webhook_id)
    call.show({"webhook_id": webhook_id, "removed": True}, lambda: say(f"{webhook_id} is removed."))


@webhooks_app.command(epilog=examples("webhooks pause whk_…"))
@asks(SCOPE, lists=LISTS)
def pause(call: Caller, webhook_id: WebhookId) -> None:
    """Send nothing for a while; what is owed is kept."""
    found = call.api.change_webhook(webhook_id, state="paused")
    call.show(found, lambda: say(f"{webhook_id} is {found['state']}."))


@webhooks_app.command(epilog=examples("webhooks resume whk_…"))
@asks(SCOPE, lists=LISTS)
def resume(call: Caller, webhook_id: WebhookId) -> None:
    """Send again, also after it was disabled."""
    found = call.api.change_webhook(webhook_id, state="active")
    call.show(found, lambda: say(f"{webhook_id} is {found['state']}."))


@webhooks_app.command(epilog=examples("webhooks test whk_…"))
@asks(SCOPE, lists=LISTS)
def test(call: Caller, webhook_id: WebhookId) -> None:
    """Have a message sent that says nothing; `webhooks deliveries` shows what became of it."""
    event = call.api.test_webhook(webhook_id)
    call.show({"event_id": event}, lambda: say(f"{event} is being sent."))


@webhooks_app.command("rotate", epilog=examples("webhooks rotate whk_…"))
@asks(SCOPE, lists=LISTS)
def rotate_secret(call: Caller, webhook_id: WebhookId) -> None:
    """Replace the secret; for a day messages are signed under both."""
    found = call.api.rotate_webhook_secret(webhook_id)
    call.show(found, lambda: _secret(dict(found)))


@webhooks_app.command(epilog=examples("webhooks deliveries whk_…", "webhooks deliveries whk_… --state failed"))
@asks(SCOPE, lists=LISTS)
def deliveries(
    call: Caller,
    webhook_id: WebhookId,
    state: Annotated[str | None, typer.Option(help="pending, delivered or failed.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """What a webhook was owed and what became of it, newest first."""
    rows = list(islice(call.api.deliveries(webhook_id, state=state), limit))
    columns = [
        column("event", "event_id"), column("state"), column("attempts"), moment("next", "next_attempt_at"),
        column("type"), Column("last answer", _last, text=True),
    ]  # fmt: skip
    call.show({"items": rows}, lambda: show(columns, rows, "There are no such deliveries."))


@webhooks_app.command(epilog=examples("webhooks redeliver whk_… EVENT"))
@asks(SCOPE, lists=LISTS)
def redeliver(
    call: Caller, webhook_id: WebhookId, event_id: Annotated[str, typer.Argument(metavar="EVENT", help="Its id.")]
) -> None:
    """Send a delivery once more, now, under the same id."""
    event = call.api.redeliver(webhook_id, event_id)
    call.show({"event_id": event}, lambda: say(f"{event} is being sent."))


def _types(row: Any) -> str:
    return ", ".join(row["types"])


def _last(row: Any) -> str:
    last = (row["log"] or [{}])[-1]
    return str(last.get("status") or last.get("error") or "")


def _secret(webhook: dict[str, Any]) -> None:
    say(f"{webhook['webhook_id']}  {webhook['url']}")
    say(f"  secret {webhook['secret']}")
    say("  Keep it: it is not shown again.")
