"""What webhooks are owed, written in the transaction of the change they are told of: a row for each webhook that asked.

So nothing is promised that did not happen, and nothing that happened is forgotten. `tasks/webhooks.py` sends the rows.
Types are those of our events (`cluster/outbox.py` calls this), and a few that only webhooks hear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from cluster.database import Transaction

JOB_FINISHED = "content.job.finished.v1"
TEST = "content.webhook.test.v1"

# A paused webhook is owed the event all the same: it gets it when it goes on.
OWE = b"""
    insert into webhook_deliveries (tenant, webhook_id, event_id, type, data, next_attempt_at)
    select w.tenant, w.webhook_id, e.id, e.type, e.data, case w.state when 'paused' then 'infinity' else now() end
    from unnest(%(ids)s::text[], %(types)s::text[], %(data)s::jsonb[]) as e(id, type, data)
    join webhooks w on e.type = any(w.types) and w.state in ('active', 'paused') and w.tenant = %(tenant)s
    for share of w
    on conflict do nothing
"""


@dataclass(frozen=True)
class Owed:
    """An event as a webhook gets it; `id` is the same however often it is sent."""

    type: str
    id: str
    data: dict[str, Any]


async def owe(tx: Transaction, tenant: str, events: Sequence[Owed]) -> None:
    """Promise events to the tenant's webhooks, as part of `tx`."""
    if events:
        parameters = {
            "tenant": tenant,
            "ids": [event.id for event in events],
            "types": [event.type for event in events],
            "data": [Jsonb(event.data) for event in events],
        }
        await tx.execute(OWE, parameters)
