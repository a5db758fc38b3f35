"""Connections to Postgres: one pool per role, and transactions that see one tenant.

`Database.tenant(name)` is the only way to a tenant's rows: it opens a transaction and sets `app.tenant` for its
duration (`set_config(…, true)`: a plain SET would leak to the next borrower of the connection). Connections are in
autocommit outside such a block, which PgQueuer asks for. SQL stands beside its use; rows are dictionaries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from cluster.telemetry.metrics import CONNECTIONS, WAIT_SECONDS, WAITING, WAITS
from content.errors import ContentError

Transaction = psycopg.AsyncConnection[DictRow]

PASSING = (
    psycopg.OperationalError,  # away, disk full, out of memory or connections, deadlock, serialization, lock timeout
    psycopg.InterfaceError,  # the connection was closed under us
    psycopg.errors.ReadOnlySqlTransaction,  # a standby, or a disk that was made read-only
    psycopg.errors.IdleInTransactionSessionTimeout,
)
"""What says nothing about our statement and passes by itself, or by somebody's hand."""

PATIENCE = "-c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
"""A process that froze in a transaction must not stop the others: who waits for a lock gives up and comes again."""


class Database:
    """A pool of connections of one role. Open it inside a running event loop."""

    def __init__(self, dsn: str, *, size: int = 8, wait_s: float = 10.0) -> None:
        self._pool = AsyncConnectionPool[Transaction](
            dsn,
            min_size=0,
            max_size=size,
            timeout=wait_s,
            max_idle=60.0,
            open=False,
            connection_class=psycopg.AsyncConnection[DictRow],
            kwargs={"autocommit": True, "row_factory": dict_row, "connect_timeout": 5, "options": PATIENCE},
            check=AsyncConnectionPool[Any].check_connection,
        )

    async def open(self) -> Database:
        await self._pool.open()
        return self

    async def close(self) -> None:
        await self._pool.close()

    def tell(self, role: str) -> None:
        """Set the numbers of this pool; to be called every few seconds."""
        found = self._pool.pop_stats()
        CONNECTIONS.set(found.get("pool_size", 0), role=role)
        WAITING.set(found.get("requests_waiting", 0), role=role)
        WAITS.add(found.get("requests_queued", 0), role=role)
        WAIT_SECONDS.add(found.get("requests_wait_ms", 0) / 1000, role=role)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Transaction]:
        """A connection without a tenant: sees no tenant's rows unless its role has a policy of its own.

        Raises ContentError `database-unavailable` (retryable) when none can be had or Postgres cannot serve for now, and
        `value-not-storable` for input that it does not take (a NUL in a text, a number out of range).
        """
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, psycopg.Error, UnicodeEncodeError) as error:
            ours = translated(error)
            if ours is None:
                raise
            raise ours from error

    @asynccontextmanager
    async def tenant(self, tenant: str, *, snapshot: bool = False) -> AsyncIterator[Transaction]:
        """A transaction that sees the rows of one tenant; committed at the end, rolled back on any error.

        With `snapshot` all its statements see the tables as they were at the first one, and none may write: for an answer
        that is read in several statements and must fit together.
        """
        async with self.connection() as connection, connection.transaction():
            if snapshot:
                await connection.execute("set transaction isolation level repeatable read, read only")
            await connection.execute("select set_config('app.tenant', %s, true)", [tenant])
            yield connection


@asynccontextmanager
async def seen_as(tx: Transaction, tenant: str) -> AsyncIterator[None]:
    """Within a transaction, see another tenant's rows for a while: what belongs to the caller while it changes another's.

    After an error the transaction is over anyway, and so is what it saw.
    """
    row = await fetch_one(tx, "select current_setting('app.tenant', true) as tenant")
    before = row["tenant"] if row else ""
    if before == tenant:
        yield
        return
    await tx.execute("select set_config('app.tenant', %s, true)", [tenant])
    yield
    await tx.execute("select set_config('app.tenant', %s, true)", [before])


def translated(error: Exception) -> ContentError | None:
    """An error of the pool or of Postgres as ours; None for one that only a bug of ours can cause."""
    if isinstance(error, psycopg.errors.DiskFull):
        remedy = "Try again; its operators make room."
        return ContentError("database-unavailable", "The database's disk is full.", remedy, True)
    if isinstance(error, (psycopg.DataError, UnicodeEncodeError)):  # the latter: a lone surrogate out of JSON
        return ContentError(
            "value-not-storable", "A value cannot be stored.", "Leave out control characters and huge numbers."
        )
    if isinstance(error, (PoolTimeout, *PASSING)):
        return ContentError("database-unavailable", "The database does not answer.", "Try again.", True)
    return None


async def now(tx: Transaction) -> datetime:
    """The time that counts: Postgres's, when this transaction began, in whole seconds.

    Every process asks the same clock, so that a machine whose own is wrong neither signs licences that begin in the
    future nor takes a running job for a stale one.
    """
    row = await fetch_one(tx, "select date_trunc('second', now()) as at")
    assert row is not None
    return row["at"].astimezone(UTC)


async def fetch_one(tx: Transaction, sql: str, parameters: Any = None) -> DictRow | None:
    """The first row of a statement, or None."""
    return await (await tx.execute(sql.encode(), parameters)).fetchone()


async def fetch_all(tx: Transaction, sql: str, parameters: Any = None) -> list[DictRow]:
    """All rows of a statement."""
    return await (await tx.execute(sql.encode(), parameters)).fetchall()
