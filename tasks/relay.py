"""Outbox → NATS, in the order of each key, at least once.

One connection of the relay role holds advisory locks on partitions of keys, reads their unpublished rows and marks
them: when that connection is lost, so are the locks, and the next read fails before anything more is published.
Within a window the keys go side by side and the rows of one key one after the other, so a row that fails holds back
only its own key. A crash between publishing and marking sends a row again under the same message id.

Rows are chosen by `published_at is null`, never by "everything after position n": positions commit out of order.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
import structlog
from psycopg.rows import DictRow, dict_row

from cluster import failpoints, telemetry
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.events import Events
from cluster.outbox import PARTITIONS
from cluster.settings import Settings
from cluster.telemetry import SpanKind
from cluster.telemetry.metrics import EVENTS_OUT, NOT_OUT
from content.errors import ContentError
from content.events import EVENT_TYPES, make
from content.events.envelope import to_bytes

PARTITION_LOCK, PRESENCE_LOCK = 72_001, 72_002
log = structlog.get_logger()

WAITING = """
    select id, tenant, key, sequence, type, data, traceparent, created_at from outbox
    where published_at is null and partition = any(%s) order by position limit %s
"""
MARK = b"update outbox set published_at = now() where id = any(%s)"
PRESENT = """
    select count(*) as n from pg_locks
    where locktype = 'advisory' and classid = %s and database = (select oid from pg_database where datname = current_database())
"""


class Relay:
    """Carries what waits in the partitions it holds; any number of relays share the partitions."""

    def __init__(self, settings: Settings, events: Events) -> None:
        self._settings, self._events = settings, events
        self._connection: Transaction | None = None
        self._turn = asyncio.Lock()
        self._held: set[int] = set()

    async def step(self) -> int:
        """Carry one window of rows and return how many were published.

        Raises ContentError `events-unavailable` or `database-unavailable`; call again later.
        """
        async with self._connected() as connection:
            rows = await fetch_all(connection, WAITING, [sorted(self._held), self._settings.relay_window * 4])
            sent, error = await self._publish(rows)
            if sent:
                failpoints.hit("relay.after_publish", self._settings)
                await connection.execute(MARK, [sent])
        if error is not None:
            raise error
        return len(sent)

    async def _publish(self, rows: Iterable[dict[str, Any]]) -> tuple[list[uuid.UUID], ContentError | None]:
        by_key: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            by_key[row["tenant"], row["key"]].append(row)
        room = asyncio.Semaphore(self._settings.relay_window)
        sent: list[uuid.UUID] = []

        async def carry(own: list[dict[str, Any]]) -> ContentError | None:
            for row in own:
                try:
                    body = _envelope(row, self._settings.region)
                except Exception as error:  # noqa: BLE001 - say a type that a newer release wrote: its key waits for it
                    log.error("event cannot be sent", id=str(row["id"]), type=row["type"], error=type(error).__name__)
                    return None
                async with room:
                    try:
                        await self._send(row, body)
                    except ContentError as error:
                        NOT_OUT.add()
                        return error
                sent.append(row["id"])
            return None

        errors = await asyncio.gather(*(carry(own) for own in by_key.values()))
        return sent, next((error for error in errors if error is not None), None)

    async def _send(self, row: dict[str, Any], body: bytes) -> None:
        """Publish a row as a part of its trace; the event itself names the span it was written in, the header this one."""
        with telemetry.span(
            f"publish {row['type']}",
            parent=row["traceparent"],
            kind=SpanKind.PRODUCER,
            tenant=row["tenant"],
            event=str(row["id"]),
        ):
            parent = telemetry.traceparent()
            await self._events.publish(row["type"], body, str(row["id"]), {"traceparent": parent} if parent else None)
        EVENTS_OUT.add(type=row["type"])

    async def share(self) -> int:
        """Take or give back partitions until this relay holds its fair share; call every few seconds."""
        async with self._connected() as connection:
            await self._take_share(connection)
        return len(self._held)

    async def _take_share(self, connection: Transaction) -> None:
        row = await fetch_one(connection, PRESENT, [PRESENCE_LOCK])
        fair = -(-PARTITIONS // max(1, int(row["n"]) if row else 1))
        for partition in sorted(self._held)[fair:]:
            await connection.execute(b"select pg_advisory_unlock(%s, %s)", [PARTITION_LOCK, partition])
            self._held.discard(partition)
        for partition in range(PARTITIONS):
            if len(self._held) >= fair:
                break
            if partition not in self._held:
                got = await fetch_one(
                    connection, "select pg_try_advisory_lock(%s, %s) as got", [PARTITION_LOCK, partition]
                )
                if got and got["got"]:
                    self._held.add(partition)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Transaction]:
        """The one connection, for one user at a time: no partition is given back while its rows are published.

        Raises ContentError `database-unavailable` when it is lost; the locks are lost with it.
        """
        async with self._turn:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = await self._connect()
                    await self._take_share(self._connection)
                yield self._connection
            except psycopg.Error as lost:
                await self._drop()
                raise ContentError(
                    "database-unavailable", "The relay lost its database.", "It reconnects.", True
                ) from lost

    async def _connect(self) -> Transaction:
        self._held = set()
        connection = await psycopg.AsyncConnection[DictRow].connect(
            self._settings.postgres_relay.get_secret_value(),
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=5,
            keepalives_idle=5,
            # The server must notice a relay that vanished: until then its partitions stand still.
            options="-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
        )
        me = uuid.uuid4().int & 0x7FFFFFFF
        await connection.execute(b"select pg_advisory_lock_shared(%s, %s)", [PRESENCE_LOCK, me])
        return connection

    async def _drop(self) -> None:
        self._held = set()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def close(self) -> None:
        """Give up the connection and with it every partition."""
        async with self._turn:
            await self._drop()


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
