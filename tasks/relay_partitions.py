"""The relay's own connection to Postgres, and the partitions of keys that it holds by it.

Any number of relays share the partitions, each about as many as the others. They are advisory locks of the session: a connection
that is lost takes them along, and the next read fails before anything more is published. Postgres ends a session that was
silent for a lease, so a relay that froze holds nothing any more when it wakes up.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.rows import DictRow, dict_row

from cluster.database import Transaction, fetch_one
from cluster.outbox import PARTITIONS
from cluster.settings import Settings
from content.errors import ContentError

PARTITION_LOCK, PRESENCE_LOCK = 72_001, 72_002
PRESENT = """
    select count(*) as n from pg_locks
    where locktype = 'advisory' and classid = %s and database = (select oid from pg_database where datname = current_database())
"""


class Partitions:
    """Those of one relay; `held` are their numbers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Transaction | None = None
        self._turn = asyncio.Lock()
        self.held: set[int] = set()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Transaction]:
        """The one connection, for one user at a time: no partition is given back while its rows are published.

        Raises ContentError `database-unavailable` when it is lost; the locks are lost with it.
        """
        async with self._turn:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = await self._connect()
                    await self.take_share(self._connection)
                yield self._connection
            except psycopg.Error as lost:
                await self._drop()
                raise ContentError(
                    "database-unavailable", "The relay lost its database.", "It reconnects.", True
                ) from lost

    async def take_share(self, connection: Transaction) -> None:
        """Take or give back until this relay holds its fair share."""
        row = await fetch_one(connection, PRESENT, [PRESENCE_LOCK])
        fair = -(-PARTITIONS // max(1, int(row["n"]) if row else 1))
        for partition in sorted(self.held)[fair:]:
            await connection.execute(b"select pg_advisory_unlock(%s, %s)", [PARTITION_LOCK, partition])
            self.held.discard(partition)
        for partition in range(PARTITIONS):
            if len(self.held) >= fair:
                break
            if partition not in self.held:
                got = await fetch_one(
                    connection, "select pg_try_advisory_lock(%s, %s) as got", [PARTITION_LOCK, partition]
                )
                if got and got["got"]:
                    self.held.add(partition)

    async def _connect(self) -> Transaction:
        self.held, lease_ms = set(), round(self._settings.lease_s * 1000)
        connection = await psycopg.AsyncConnection[DictRow].connect(
            self._settings.postgres_relay.get_secret_value(),
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=5,
            keepalives_idle=5,
            # The server must notice a relay that vanished or froze: until then its partitions stand still.
            options="-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
            f"-c idle_session_timeout={lease_ms} -c idle_in_transaction_session_timeout={lease_ms}",
        )
        me = uuid.uuid4().int & 0x7FFFFFFF
        await connection.execute(b"select pg_advisory_lock_shared(%s, %s)", [PRESENCE_LOCK, me])
        return connection

    async def _drop(self) -> None:
        self.held = set()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def close(self) -> None:
        """Give up the connection and with it every partition."""
        async with self._turn:
            await self._drop()
