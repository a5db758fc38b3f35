"""Rows that were read from the log go to their tables, tenant by tenant and table by table; then both are compared.

Each table of a tenant is one transaction, and a row that is there already stays: so it may be done again. The triggers that
log changes see these rows, too: so the log that begins now holds everything, and the one before is not needed any more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from cluster import queue
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.eventlog import tables
from cluster.objects import Objects
from cluster.queue import Work
from content.errors import ContentError
from tasks.keeping import holds
from tasks.recovery import restore_keys
from tasks.recovery.restore_tables import Logged

READERS = 16
PERSONAL = "select key from restore_rows where name = %s and value is not null and value = key"
NAMED = b"update restore_rows set value = %s where name = %s and key = %s"
LOST = b"update restore_rows set value = null where name = %s and key = any(%s)"
COMPARE = """
    with logged as (select key, value - {ignored}::text[] as value from restore_rows where name = {name} and value is not null),
         found as ({found})
    select (select count(*) from logged) as in_log, (select count(*) from found) as in_table,
           (select count(*) from logged l join found f using (key) where f.value @> l.value) as same,
           (select encode(sha256(convert_to(coalesce(string_agg(md5(value::text), '' order by key), ''), 'UTF8')), 'hex')
            from logged) as log_digest,
           (select encode(sha256(convert_to(coalesce(string_agg(md5(value::text), '' order by key), ''), 'UTF8')), 'hex')
            from found) as table_digest
"""
SUMMARY = """
    select count(*) as n,
           encode(sha256(convert_to(coalesce(string_agg(md5(value::text), '' order by key), ''), 'UTF8')), 'hex') as digest
    from ({found}) as found
"""
UNENDED = """select job_id, kind, traceparent from jobs where state in ('queued', 'running', 'cancelling')
             and kind in (select name from queues) order by job_id"""


@dataclass(frozen=True)
class Compared:
    """One table of one tenant: rows in the log, rows in the table, and how many of these say the same."""

    tenant: str
    name: str
    in_log: int
    in_table: int
    same: int
    log_digest: str
    table_digest: str

    @property
    def equal(self) -> bool:
        return self.in_log == self.in_table == self.same

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "equal": self.equal}


async def name_learners(connections: Connections, objects: Objects, tenant: str) -> int:
    """Fetch who is behind each pseudonym; whoever was erased is nobody's row. Returns how many were found."""
    async with connections.db.tenant(tenant) as tx:
        return await named_in(tx, objects, tenant)


async def named_in(tx: Transaction, objects: Objects, tenant: str) -> int:
    """The same, as part of `tx`."""
    found = 0
    for name in tables.PERSONAL:
        keys = [row["key"] for row in await fetch_all(tx, PERSONAL, [name])]
        for start in range(0, len(keys), 1000):
            found += await _name(tx, objects, tenant, name, keys[start : start + 1000])
    await restore_keys.unseal(tx)
    return found


async def _name(tx: Transaction, objects: Objects, tenant: str, name: str, keys: Sequence[dict[str, str]]) -> int:
    room = asyncio.Semaphore(READERS)

    async def fetch(key: dict[str, str]) -> dict[str, Any] | None:
        async with room:
            try:
                return json.loads(await asyncio.to_thread(objects.get, tables.identity(name, tenant, key)))
            except ContentError as error:
                if error.code != "object-missing":
                    raise
                return None

    values = await asyncio.gather(*(fetch(key) for key in keys))
    known = [(Jsonb(value), name, Jsonb(key)) for key, value in zip(keys, values, strict=True) if value is not None]
    gone = [Jsonb(key) for key, value in zip(keys, values, strict=True) if value is None]
    async with tx.cursor() as cursor:
        await cursor.executemany(NAMED, known)
        await cursor.execute(LOST, [name, gone])
    return len(known)


async def insert(tx: Transaction, table: Logged) -> int:
    """The tenant's rows of one table; returns how many are new."""
    return (await tx.execute(table.insert())).rowcount


async def compare(tx: Transaction, tenant: str, table: Logged) -> Compared:
    """The tenant's rows as the log tells them, and as they are."""
    statement = sql.SQL(COMPARE).format(
        ignored=sql.Literal(list(table.ignored)), name=sql.Literal(table.name), found=table.found()
    )
    row = await (await tx.execute(statement)).fetchone()
    assert row is not None
    return Compared(tenant, table.name, **row)


async def summary(tx: Transaction, table: Logged) -> tuple[int, str]:
    """How many rows a table has of the tenant, and a digest over all of them: equal where the rows are."""
    row = await (await tx.execute(sql.SQL(SUMMARY).format(found=table.found()))).fetchone()
    assert row is not None
    return int(row["n"]), str(row["digest"])


async def call(tx: Transaction, tenant: str) -> int:
    """Call workers to jobs that were not at an end; bundles and renewals are called for by their rows."""
    rows = await fetch_all(tx, UNENDED)
    for row in rows:
        await queue.enqueue(tx, row["kind"], [Work(tenant, row["job_id"], row["traceparent"])])
    return len(rows) + await holds.resume(tx, tenant)


async def clear(tx: Transaction) -> None:
    """The rows that were read are in their tables."""
    await tx.execute(b"delete from restore_rows")


async def staged(tx: Transaction) -> int:
    row = await fetch_one(tx, "select count(*) as n from restore_rows where value is not null")
    return int(row["n"]) if row else 0
