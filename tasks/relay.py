"""Outbox → NATS, in the order of each key, at least once.

One connection of the relay role holds advisory locks on partitions of keys, reads their unpublished rows and marks
them: when that connection is lost, so are the locks, and the next read fails before anything more is published. A relay
that froze is silent on its connection, which Postgres ends after a lease; when it wakes up, what it holds in its hands is
older than half a lease, and it publishes none of it.
Within a window the keys go side by side and the rows of one key one after the other, so a row that fails holds back
only its own key, which is left out for a while. A crash between publishing and marking sends a row again under the same message id.

Rows are chosen by `published_at is null`, never by "everything after position n": positions commit out of order.

A NATS that lost what it had acknowledged (emptied, set back by a power loss) is noticed before anything more
is published to it, or by the number under which it takes an event, and everything the stream would still hold goes out
again under the same ids (docs/adr/0021-what-outlives-a-fault.md). No relay marks rows that it had read before that.
"""

from __future__ import annotations

import asyncio
import time
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
from cluster.events import GLOBAL, OURS, Events, StreamState, Taken
from cluster.outbox import PARTITIONS
from cluster.settings import Settings
from cluster.streams import KEPT_S
from cluster.telemetry import SpanKind
from cluster.telemetry.metrics import EVENTS_OUT, NOT_OUT
from content.errors import ContentError
from content.events import EVENT_TYPES, make
from content.events.envelope import to_bytes

PARTITION_LOCK, PRESENCE_LOCK = 72_001, 72_002
log = structlog.get_logger()

REFILLED = "(select max(refilled_at) from event_streams)"
WAITING = f"""
    select id, tenant, key, sequence, type, data, traceparent, created_at, {REFILLED} as refilled from outbox o
    where published_at is null and partition = any(%(partitions)s) and not exists (
        select 1 from unnest(%(tenants)s::text[], %(keys)s::text[]) as s (tenant, key) where s.tenant = o.tenant and s.key = o.key)
    order by position limit %(limit)s
"""
# Not what was read before a stream was filled again: it may have been acknowledged by the one that is gone.
MARK = b"""
    with asked as materialized (select refilled_at from event_streams order by name for share)
    update outbox set published_at = now()
    where id = any(%(ids)s) and (select max(refilled_at) from asked) is not distinct from %(refilled)s
"""
NOTED = "select created, last_sequence from event_streams where name = %s for update"
NOTE = b"""
    insert into event_streams (name, created, last_sequence) values (%(name)s, %(created)s, %(last)s)
    on conflict (name) do update set last_sequence = excluded.last_sequence
        where event_streams.created = excluded.created and event_streams.last_sequence < excluded.last_sequence
"""
RENEW = b"""
    update event_streams set created = %(created)s, last_sequence = %(last)s, refilled_at = now() where name = %(name)s
"""
LOST = b"update event_streams set created = 'epoch' where name = %s"
# In portions, so that no statement runs for minutes. What another relay has published is marked before this reads, or not at all.
AGAIN = b"""
    update outbox set published_at = null where (tenant, id) in (
        select tenant, id from outbox where published_at > now() - make_interval(secs => %s) limit %s for update)
"""
PORTION = 50_000
STUCK_S = 60.0
"""For so long a key is left out whose next row cannot be sent; a window of them would keep all others waiting."""
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
        self._known: dict[str, StreamState] = {}
        self._stuck: dict[tuple[str, str], float] = {}

    async def step(self) -> int:
        """Carry one window of rows and return how many were published.

        Raises ContentError `events-unavailable` or `database-unavailable`; call again later.
        """
        async with self._connected() as connection:
            # On the clock that goes on while a process is stopped, which the event loop's timers do not outrun.
            until = time.monotonic() + self._settings.lease_s / 2
            rows = await self._waiting(connection)
            if rows and await self._refilled(connection):
                return 0  # earlier rows wait again, and go first
            sent, error = await self._publish(rows, until)
            if sent and await self._took(connection, sent.values()):
                failpoints.hit("relay.after_publish", self._settings)
                await connection.execute(MARK, {"ids": list(sent), "refilled": rows[0]["refilled"]})
        if error is not None:
            raise error
        return len(sent)

    async def _waiting(self, connection: Transaction) -> list[dict[str, Any]]:
        now = time.monotonic()
        self._stuck = {key: until for key, until in self._stuck.items() if until > now}
        tenants, keys = [tenant for tenant, _ in self._stuck], [key for _, key in self._stuck]
        chosen = {"partitions": sorted(self._held), "limit": self._settings.relay_window * 4}
        return await fetch_all(connection, WAITING, {**chosen, "tenants": tenants, "keys": keys})

    async def _took(self, connection: Transaction, taken: Iterable[Taken]) -> bool:
        """Note how far the streams have counted, before any row is marked. False where one took an event under a number that it
        had given before: it was set back while this window was published, and has to be filled again."""
        whole = True
        for each in taken:
            known = self._known[each.stream]
            if each.again:
                continue
            if each.sequence <= known.last_sequence:
                log.warning("the stream was set back", stream=each.stream, sequence=each.sequence)
                await connection.execute(LOST, [each.stream])
                whole = False
        if not whole:
            self._known.clear()
            return False
        for stream in {each.stream for each in taken if not each.again}:
            last = max(each.sequence for each in taken if each.stream == stream and not each.again)
            self._known[stream] = StreamState(self._known[stream].created, last)
            await connection.execute(NOTE, _noting(stream, self._known[stream]))
        return True

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
        async with self._connected() as connection:
            await self._take_share(connection)
            await self._refilled(connection)
            for name, state in self._known.items():
                await connection.execute(NOTE, _noting(name, state))
        return len(self._held)

    async def _refilled(self, connection: Transaction) -> bool:
        """Whether rows wait again because a stream has lost what it had; asked before every window.

        One question to NATS a stream and window; the database is asked only when the answer is not what this relay knows. Until
        the last portion waits again the loss stays noted as new, and no relay publishes: so the order of a key holds.
        """
        waiting = [await self._lost(connection, name) for name in (OURS, GLOBAL)]
        return any(waiting)

    async def _lost(self, connection: Transaction, name: str) -> bool:
        found, known = await self._events.state(name), self._known.get(name)
        if known is not None and not found.lost_since(known):
            self._known[name] = found
            return False
        async with connection.transaction():  # no other relay marks rows meanwhile, nor fills the stream as well
            row = await fetch_one(connection, NOTED, [name])
            found = await self._events.state(name)
            if row is None:
                await connection.execute(NOTE, _noting(name, found))
            elif found.lost_since(StreamState(row["created"], row["last_sequence"])):
                again = await connection.execute(AGAIN, [KEPT_S, PORTION])
                log.warning("the stream has lost its messages; they are sent again", stream=name, rows=again.rowcount)
                if again.rowcount:
                    return True
                await connection.execute(RENEW, _noting(name, found))
        self._known[name] = found
        return known is not None  # another relay may have made rows wait since ours were read

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
            # The server must notice a relay that vanished or froze: until then its partitions stand still.
            options="-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
            f"-c idle_session_timeout={round(self._settings.lease_s * 1000)}",
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


def _noting(name: str, state: StreamState) -> dict[str, Any]:
    return {"name": name, "created": state.created, "last": state.last_sequence}


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
