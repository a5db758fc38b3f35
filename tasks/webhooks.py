"""A tenant's webhooks: where it wants to be told of what. `tasks/courier.py` sends; here they are made and changed.

A secret is shown once, when it is made; what is stored was wrapped by the key service with the tenant as context. A
webhook that fails for days, or whose receiver answers 410, is disabled, and what it was owed has failed; its owner
turns it on again and asks for single deliveries anew.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from psycopg.types.json import Jsonb

from cluster import egress
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.deliveries import JOB_FINISHED, TEST
from content.errors import ContentError
from content.events import EVENT_TYPES, PlayPackageRemoved, TenantHomed
from content.webhooks import SECRET_BYTES, secret_text
from tasks import audit

NO_RECORD = "no answer was recorded"
INSIDE = (TenantHomed.TYPE, PlayPackageRemoved.TYPE)
"""What regions and the edge say to themselves."""
TYPES = (
    *sorted(name for name in EVENT_TYPES if name.startswith("content.") and name not in INSIDE),
    JOB_FINISHED,
)
"""What can be subscribed to: the events that we publish, and the ends of jobs."""
SENDING = """
    select url, state, secret, case when previous_until > now() then previous_secret end as previous_secret
    from webhooks where webhook_id = %s
"""


async def check(connections: Connections, url: str | None, types: Sequence[str] | None) -> None:
    """Raises `webhook-url-refused` or `webhook-type-unknown`. It asks the name service: call it outside a transaction."""
    unknown = sorted(set(types or ()) - set(TYPES))
    if unknown:
        raise ContentError(
            "webhook-type-unknown", f"There is no event type {unknown[0]}.", f"Choose from {', '.join(TYPES)}."
        )
    if url is not None:
        await egress.resolve(url, connections.settings)


async def new_secret(connections: Connections, tenant: str) -> tuple[str, str]:
    """(as it is shown, as it is stored). It asks the key service: call it outside a transaction."""
    key = secrets.token_bytes(SECRET_BYTES)
    (wrapped,) = await asyncio.to_thread(connections.keys.wrap, tenant, [key])
    return secret_text(key), wrapped


async def create(
    tx: Transaction, tenant: str, *, url: str, types: Sequence[str], description: str, wrapped: str, most: int
) -> str:
    """The id of a new webhook, after `check`. Raises `webhook-limit` where there are `most` already."""
    await tx.execute(b"select pg_advisory_xact_lock(hashtextextended('webhooks/' || %s, 0))", [tenant])
    there = await fetch_one(tx, "select count(*) as n from webhooks")
    if there is not None and there["n"] >= most:
        raise ContentError("webhook-limit", f"There are {most} webhooks already.", "Delete one that is not needed.")
    webhook_id = f"whk_{secrets.token_hex(8)}"
    await tx.execute(
        b"""insert into webhooks (tenant, webhook_id, url, types, description, secret) values (%s, %s, %s, %s, %s, %s)""",
        [tenant, webhook_id, url, sorted(set(types)), description, wrapped],
    )
    return webhook_id


async def change(
    tx: Transaction,
    webhook_id: str,
    *,
    url: str | None = None,
    types: Sequence[str] | None = None,
    description: str | None = None,
    state: str | None = None,
) -> bool:
    """Change what is given, after `check`; `active` lets a paused or disabled one go on, and what waited is sent. False
    if there is no such webhook."""
    row = await fetch_one(
        tx,
        """update webhooks set url = coalesce(%(url)s, url), types = coalesce(%(types)s, types),
                  description = coalesce(%(description)s, description), state = coalesce(%(state)s, state),
                  reason = case when %(state)s is null then reason else '' end,
                  failing_since = case when %(state)s = 'active' then null else failing_since end, updated_at = now()
           where webhook_id = %(id)s returning state""",
        {
            "url": url,
            "types": None if types is None else sorted(set(types)),
            "description": description,
            "state": state,
            "id": webhook_id,
        },
    )
    if row is None:
        return False
    if row["state"] == "active":
        await tx.execute(
            b"""update webhook_deliveries set next_attempt_at = now()
                where webhook_id = %s and state = 'pending' and next_attempt_at = 'infinity'""",
            [webhook_id],
        )
    else:
        await hold(tx, webhook_id)
    return True


async def rotate(tx: Transaction, webhook_id: str, wrapped: str, both_s: float) -> bool:
    """Another secret; for `both_s` messages are signed under the one before as well. False without webhook."""
    row = await fetch_one(
        tx,
        """update webhooks set previous_secret = secret, secret = %s, updated_at = now(),
                  previous_until = now() + make_interval(secs => %s) where webhook_id = %s returning webhook_id""",
        [wrapped, both_s, webhook_id],
    )
    return row is not None


async def test(tx: Transaction, tenant: str, webhook_id: str) -> str | None:
    """Owe a webhook a message that says nothing but its own id; returns the message's id. None without webhook."""
    row = await fetch_one(
        tx,
        """insert into webhook_deliveries (tenant, webhook_id, event_id, type, data)
           select tenant, webhook_id, %s, %s, %s from webhooks where webhook_id = %s returning event_id""",
        [str(uuid4()), TEST, Jsonb({"tenant_id": tenant, "webhook_id": webhook_id}), webhook_id],
    )
    return row["event_id"] if row else None


async def redeliver(tx: Transaction, webhook_id: str, event_id: str) -> bool:
    """Send a delivery that has ended once more, with its attempts counted anew. False if there is none; one that waits
    is sent now."""
    row = await fetch_one(
        tx,
        """update webhook_deliveries set state = 'pending', failures = 0, next_attempt_at = now(), ended_at = null
           where webhook_id = %s and event_id = %s returning event_id""",
        [webhook_id, event_id],
    )
    return row is not None


async def hold(tx: Transaction, webhook_id: str) -> None:
    """What a webhook is owed waits until it is active."""
    await tx.execute(
        b"""update webhook_deliveries set next_attempt_at = 'infinity'
            where webhook_id = %s and state = 'pending' and next_attempt_at < 'infinity'""",
        [webhook_id],
    )


async def works(tx: Transaction, webhook_id: str) -> None:
    await tx.execute(
        b"update webhooks set failing_since = null where webhook_id = %s and failing_since is not null", [webhook_id]
    )


async def fails(tx: Transaction, webhook_id: str) -> datetime | None:
    """Since when every attempt has failed."""
    row = await fetch_one(
        tx,
        """update webhooks set failing_since = coalesce(failing_since, now())
           where webhook_id = %s returning failing_since""",
        [webhook_id],
    )
    return row["failing_since"] if row else None


async def disable(tx: Transaction, tenant: str, webhook_id: str, reason: str, now: datetime) -> None:
    """Nothing more is sent; what was owed has failed. The audit log says why."""
    row = await fetch_one(
        tx,
        """update webhooks set state = 'disabled', reason = %s, updated_at = now()
           where webhook_id = %s and state <> 'disabled' returning webhook_id""",
        [reason, webhook_id],
    )
    if row is None:
        return
    await tx.execute(
        b"""update webhook_deliveries set state = 'failed', ended_at = now()
            where webhook_id = %s and state = 'pending'""",
        [webhook_id],
    )
    await audit.append(tx, tenant, "content-service", "webhook.disabled", {"webhook_id": webhook_id, "reason": reason}, now)  # fmt: skip
