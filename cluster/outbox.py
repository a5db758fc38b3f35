"""Events to be sent, written in the transaction of the change they tell of.

An event has an order key (formats: device, package, …). The key's row is locked while an event of it is numbered, so
the numbers of a key commit in order; the relay publishes in that order. Emit a batch sorted by key (done here), or two
transactions with the same keys could wait for each other. The tenant's webhooks are promised the event with it.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from cluster import telemetry
from cluster.database import Transaction, fetch_one
from cluster.deliveries import Owed, owe
from content.events import EVENT_TYPES, make

PARTITIONS = 64
"""Keys are spread over so many partitions; a relay holds some of them. Fixed: changing it would reorder keys."""

EPOCH = 1_000_000
"""After a restore the numbers of every key go on behind a multiple of this: more than the lost minutes can have given."""

_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)

EMIT = b"""
    with floor as (
        select coalesce(max(sequence_epoch) - 1, 0) * %(epoch)s::bigint as n from tenants where tenant = %(tenant)s),
    numbered as (
        insert into outbox_keys (tenant, key, sequence) select %(tenant)s, %(key)s, n + 1 from floor
        on conflict (tenant, key) do update set sequence = greatest(outbox_keys.sequence + 1, excluded.sequence)
        returning sequence)
    insert into outbox (tenant, id, partition, key, sequence, type, data, traceparent)
    select %(tenant)s, %(id)s, %(partition)s, %(key)s, sequence, %(type)s, %(data)s, %(traceparent)s from numbered
"""


@dataclass(frozen=True)
class Outgoing:
    """An event before it has a number: `type` is its subject on NATS, `key` what it is ordered by, `traceparent` the
    trace it belongs to, where that is not its writer's."""

    type: str
    key: str
    data: dict[str, Any]
    traceparent: str | None = None


async def emit(tx: Transaction, tenant: str, events: Sequence[Outgoing]) -> None:
    """Write events to the outbox as part of `tx`. Raises InvalidInput `event-invalid` for one no consumer would take."""
    for event in events:
        make(EVENT_TYPES[event.type], event_id="-", sequence=1, time=_ANY_TIME, data=event.data)
    own = telemetry.traceparent()
    rows = [
        {
            "tenant": tenant,
            "epoch": EPOCH,
            "id": uuid.uuid4(),
            "partition": partition_of(tenant, event.key),
            "key": event.key,
            "type": event.type,
            "data": Jsonb(event.data),
            "traceparent": event.traceparent or own,
        }
        for event in sorted(events, key=lambda event: event.key)
    ]
    if rows:
        async with tx.cursor() as cursor:
            await cursor.executemany(EMIT, rows)
        await owe(tx, tenant, [Owed(row["type"], str(row["id"]), row["data"].obj) for row in rows])


async def backlog(connection: Transaction) -> int:
    """Events that wait to be published, over all tenants (role ops)."""
    row = await fetch_one(connection, "select count(*) as n from outbox where published_at is null")
    return int(row["n"]) if row else 0


async def oldest_s(connection: Transaction) -> float:
    """How long the oldest event that waits has waited, in seconds (role ops)."""
    row = await fetch_one(
        connection,
        """select extract(epoch from now() - min(created_at))::float8 as age_s from outbox
           where published_at is null""",
    )
    return float(row["age_s"] or 0) if row else 0.0


def partition_of(tenant: str, key: str) -> int:
    """The partition of an order key, the same in every process."""
    return zlib.crc32(f"{tenant}/{key}".encode()) % PARTITIONS
