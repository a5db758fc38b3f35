"""Webhooks: a tenant says where it wants to be told of what, sees what became of it, and asks for it again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response

from cluster.database import Transaction, fetch_one
from serve_app.auth import Authenticated, Platform
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import PRINTABLE, Id, Page
from serve_app.models.webhooks import Accepted, Delivery, NewWebhook, Webhook, WebhookChange, WebhookWithSecret
from serve_app.problems import not_found, raises
from serve_app.record import record
from tasks import webhooks

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
SCOPE = "webhooks:manage"
EventId = Annotated[str, Path(min_length=1, max_length=100, pattern=PRINTABLE)]
SELECT = """select webhook_id, url, types, description, state, reason, failing_since, created_at, updated_at
            from webhooks"""
WEBHOOKS = Listing(
    "webhooks",
    SELECT,
    order=(Order("created_at", "created_at", datetime), Order("webhook_id", "webhook_id", str)),
)
DELIVERIES = Listing(
    "webhook deliveries",
    """select event_id, type, state, attempts, created_at, ended_at, log,
              case when state = 'pending' and next_attempt_at < 'infinity' then next_attempt_at end as next_attempt_at
       from webhook_deliveries""",
    filters={"webhook_id": "webhook_id = %(webhook_id)s", "state": "state = %(state)s"},
    order=(Order("created_at", "created_at", datetime), Order("event_id", "event_id", str)),
)


@router.get("", summary="Webhooks of the tenant")
async def list_webhooks(paging: Paging, caller: Authenticated, platform: Platform) -> Page[Webhook]:
    caller.require(SCOPE)
    async with platform.db.tenant(caller.tenant) as tx:
        return Page[Webhook].model_validate(await WEBHOOKS.page(tx, paging))


@router.post(
    "",
    status_code=201,
    summary="Make a webhook",
    responses=raises("webhook-url-refused", "webhook-type-unknown", "webhook-limit"),
)
async def create(
    body: NewWebhook, request: Request, response: Response, caller: Authenticated, platform: Platform
) -> WebhookWithSecret:
    """Messages are signed as [Standard Webhooks](https://www.standardwebhooks.com) has it. The secret is shown here and
    never again, which is why this takes no Idempotency-Key. An address that is not public answers 422."""
    caller.require(SCOPE)
    await webhooks.check(platform, body.url, body.types)
    secret, wrapped = await webhooks.new_secret(platform, caller.tenant)
    async with platform.db.tenant(caller.tenant) as tx:
        webhook_id = await webhooks.create(
            tx, caller.tenant, url=body.url, types=body.types, description=body.description, wrapped=wrapped,
            most=platform.settings.webhooks_per_tenant,
        )  # fmt: skip
        row = await _row(tx, webhook_id)
        await record(tx, request, caller, "webhook.created", webhook_id=webhook_id)
    response.headers["Location"] = f"/v1/webhooks/{webhook_id}"
    return WebhookWithSecret.model_validate({**row, "secret": secret})


@router.get("/{webhook_id}", summary="One webhook", responses=raises("not-found"))
async def show(webhook_id: Id, caller: Authenticated, platform: Platform) -> Webhook:
    caller.require(SCOPE)
    async with platform.db.tenant(caller.tenant) as tx:
        return Webhook.model_validate(await _row(tx, webhook_id))


@router.patch(
    "/{webhook_id}",
    summary="Change a webhook",
    responses=raises("not-found", "webhook-url-refused", "webhook-type-unknown"),
)
async def change(
    webhook_id: Id, body: WebhookChange, request: Request, caller: Authenticated, platform: Platform
) -> Webhook:
    """What is left out stays as it is. `paused` keeps what is owed; `active` sends it, and ends `disabled` too."""
    caller.require(SCOPE)
    await webhooks.check(platform, body.url, body.types)
    async with platform.db.tenant(caller.tenant) as tx:
        await webhooks.change(
            tx, webhook_id, url=body.url, types=body.types, description=body.description, state=body.state
        )
        row = await _row(tx, webhook_id)
        await record(tx, request, caller, "webhook.changed", webhook_id=webhook_id)
    return Webhook.model_validate(row)


@router.delete(
    "/{webhook_id}", status_code=204, summary="Remove a webhook and its deliveries", responses=raises("not-found")
)
async def remove(webhook_id: Id, request: Request, caller: Authenticated, platform: Platform) -> None:
    caller.require(SCOPE)
    async with platform.db.tenant(caller.tenant) as tx:
        await _row(tx, webhook_id)
        await tx.execute(b"delete from webhooks where webhook_id = %s", [webhook_id])
        await record(tx, request, caller, "webhook.removed", webhook_id=webhook_id)


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    summary="Send a message that says nothing",
    response_model=Accepted,
    responses=raises("not-found"),
)
async def test(webhook_id: Id, once: Idempotent, caller: Authenticated, platform: Platform) -> Response:
    """A message of type `content.webhook.test.v1`; what became of it is in the deliveries."""
    caller.require(SCOPE)
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        event_id = await webhooks.test(tx, caller.tenant, webhook_id)
        if event_id is None:
            raise not_found("webhook")
        return await once.answer(tx, 202, Accepted(event_id=event_id))


@router.post("/{webhook_id}/secret/rotate", summary="Replace the secret", responses=raises("not-found"))
async def rotate(webhook_id: Id, request: Request, caller: Authenticated, platform: Platform) -> WebhookWithSecret:
    """The answer shows the new one, once. For a day every message is signed under both."""
    caller.require(SCOPE)
    secret, wrapped = await webhooks.new_secret(platform, caller.tenant)
    async with platform.db.tenant(caller.tenant) as tx:
        await webhooks.rotate(tx, webhook_id, wrapped, platform.settings.webhook_rotation_s)
        row = await _row(tx, webhook_id)
        await record(tx, request, caller, "webhook.secret_rotated", webhook_id=webhook_id)
    return WebhookWithSecret.model_validate({**row, "secret": secret})


@router.get(
    "/{webhook_id}/deliveries",
    summary="What a webhook was owed and what became of it, newest first",
    responses=raises("not-found"),
)
async def deliveries(
    webhook_id: Id,
    paging: Paging,
    caller: Authenticated,
    platform: Platform,
    state: Literal["pending", "delivered", "failed"] | None = None,
) -> Page[Delivery]:
    """Kept for 30 days after they ended."""
    caller.require(SCOPE)
    async with platform.db.tenant(caller.tenant) as tx:
        await _row(tx, webhook_id)
        return Page[Delivery].model_validate(await DELIVERIES.page(tx, paging, webhook_id=webhook_id, state=state))


@router.post(
    "/{webhook_id}/deliveries/{event_id}/redeliver",
    status_code=202,
    summary="Send a delivery once more, now",
    response_model=Accepted,
    responses=raises("not-found"),
)
async def redeliver(
    webhook_id: Id, event_id: EventId, once: Idempotent, caller: Authenticated, platform: Platform
) -> Response:
    """Under the same `webhook-id`, so a receiver that has it already can tell."""
    caller.require(SCOPE)
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        if not await webhooks.redeliver(tx, webhook_id, event_id):
            raise not_found("delivery")
        return await once.answer(tx, 202, Accepted(event_id=event_id))


async def _row(tx: Transaction, webhook_id: str) -> dict[str, Any]:
    row = await fetch_one(tx, f"{SELECT} where webhook_id = %s", [webhook_id])
    if row is None:
        raise not_found("webhook")
    return row
