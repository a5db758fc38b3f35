"""Outbox → NATS, in the order of each key, at least once.

One connection of the relay role holds partitions of keys (`tasks.relay_partitions`), reads their unpublished rows and marks
them. A relay that froze has lost it when it wakes up; what it holds in its hands is older than half a lease then, and it
publishes none of it.
Within a window the keys go side by side and the rows of one key one after the other, so a row that fails holds back
only its own key, which is left out for a while. A crash between publishing and marking sends a row again under the same
message id.

Rows are chosen by `published_at is null`, never by "everything after position n": positions commit out of order.

A NATS that lost what it had acknowledged (emptied, set back by a power loss) is noticed before anything more
is published to it, or by the number under which it takes an event, and everything the stream would still hold goes out
again under the same ids (`tasks.relay_losses`). No relay marks rows that it had read before that.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog

from cluster import failpoints, telemetry
from cluster.database import Transaction, fetch_all
from cluster.events import Events, Taken
from cluster.settings import Settings
from cluster.telemetry import SpanKind
from cluster.telemetry.metrics import EVENTS_OUT, NOT_OUT
from content.errors import ContentError
from content.events import EVENT_TYPES, make
from content.events.envelope import to_bytes
from tasks.relay_losses import REFILLED, Losses
from tasks.relay_partitions import Partitions

WAITING = f"""
    select id, tenant, key, sequence, type, data, traceparent, created_at, {REFILLED} as refilled from outbox o
    where published_at is null and partition = any(%(partitions)s) and not exists (
        select 1 from unnest(%(tenants)s::text[], %(keys)s::text[]) as s (tenant, key) where s.tenant = o.tenant and s.key = o.key)
    order by position limit %(limit)s
"""
STUCK_S = 60.0
"""For so long a key is left out whose next row cannot be sent; a window of them would keep all others waiting."""
log = structlog.get_logger()


class Relay:
    """Carries what waits in the partitions it holds; any number of relays share the partitions."""

    def __init__(self, settings: Settings, events: Events) -> None:
        self._settings, self._events = settings, events
        self._partitions, self._losses = Partitions(settings), Losses(events)
        self._stuck: dict[tuple[str, str], float] = {}

    async def step(self) -> int:
        """Carry one window of rows and return how many were published.

        Raises ContentError `events-unavailable` or `database-unavailable`; call again later.
        """
        async with self._partitions.connected() as connection:
            # On the clock that goes on while a process is stopped, which the event loop's timers do not outrun.
            until = time.monotonic() + self._settings.lease_s / 2
            rows = await self._waiting(connection)
            if rows and await self._losses.found(connection):
                return 0  # earlier rows wait again, and go first
            sent, error = await self._publish(rows, until)
            if sent and await self._losses.noted(connection, sent.values()):
                failpoints.hit("relay.after_publish", self._settings)
                await self._losses.mark(connection, list(sent), rows[0]["refilled"])
        if error is not None:
            raise error
        return len(sent)

    async def _waiting(self, connection: Transaction) -> list[dict[str, Any]]:
        now = time.monotonic()
        self._stuck = {key: until for key, until in self._stuck.items() if until > now}
        tenants, keys = [tenant for tenant, _ in self._stuck], [key for _, key in self._stuck]
        chosen = {"partitions": sorted(self._partitions.held), "limit": self._settings.relay_window * 4}
        return await fetch_all(connection, WAITING, {**chosen, "tenants": tenants, "keys": keys})

    async def _publish(
        self, rows: Iterable[dict[str, Any]], until: float
    ) -> tuple[dict[uuid.UUID, Taken], ContentError | None]:
        by_key: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            by_key[row["tenant"], row["key"]].append(row)
        room = asyncio.Semaphore(self._settings.relay_window)
        sent: dict[uuid.UUID, Taken] = {}

        async def carry(own: list[dict[str, Any]]) -> ContentError | None:
            for row in own:
                try:
                    body = _envelope(row, self._settings.region)
                except Exception as error:  # noqa: BLE001 - say a type that a newer release wrote: its key waits for it
                    log.error("event cannot be sent", id=str(row["id"]), type=row["type"], error=type(error).__name__)
                    self._stuck[row["tenant"], row["key"]] = time.monotonic() + STUCK_S
                    return None
                async with room:
                    if time.monotonic() > until:
                        return ContentError("relay-late", "A window took too long.", "Its rows are read again.", True)
                    try:
                        sent[row["id"]] = await self._send(row, body)
                    except ContentError as error:
                        NOT_OUT.add()
                        return error
            return None

        errors = await asyncio.gather(*(carry(own) for own in by_key.values()))
        return sent, next((error for error in errors if error is not None), None)

    async def _send(self, row: dict[str, Any], body: bytes) -> Taken:
        """Publish a row as a part of its trace; the event itself names the span it was written in, the header this one."""
        with telemetry.span(
            f"publish {row['type']}",
            parent=row["traceparent"],
            kind=SpanKind.PRODUCER,
            tenant=row["tenant"],
            event=str(row["id"]),
        ):
            parent = telemetry.traceparent()
            headers = {"traceparent": parent} if parent else None
            taken = await self._events.publish(row["type"], body, str(row["id"]), headers)
        EVENTS_OUT.add(type=row["type"])
        return taken

    async def share(self) -> int:
        """Take or give back partitions until this relay holds its fair share; call every few seconds."""
        async with self._partitions.connected() as connection:
            await self._partitions.take_share(connection)
            await self._losses.found(connection)
        return len(self._partitions.held)

    async def close(self) -> None:
        """Give up the connection and with it every partition."""
        await self._partitions.close()


def _envelope(row: dict[str, Any], region: str) -> bytes:
    created: datetime = row["created_at"]
    event = make(
        EVENT_TYPES[row["type"]],
        event_id=str(row["id"]),
        sequence=row["sequence"],
        time=created,
        data=row["data"],
        region=region,
        traceparent=row["traceparent"],
    )
    return to_bytes(event)
