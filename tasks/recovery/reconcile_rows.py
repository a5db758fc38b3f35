"""Rows of lost segments (in `restore_rows`) into a database that has gone on since it was set back.

A row that was changed here since stays as it is here: whoever changed it saw what is here. All others become what the log says,
rows that were removed go. Entries of the audit log that were written here since keep their place, and the lost ones are told
again behind them, so that the chain holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.types.json import Jsonb

from cluster import database
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.eventlog import tables
from cluster.objects import Objects
from content.eventlog import Change
from tasks import audit
from tasks.recovery.restore_rows import named_in
from tasks.recovery.restore_tables import Logged, logged

KEEP = b"delete from restore_rows where name = %s and key = any(%s) returning 1"
OUTRANKED = b"""
    update tenants set sequence_epoch = greatest(sequence_epoch, coalesce((
        select max((value ->> 'sequence_epoch')::integer) from restore_rows where name = 'tenants' and value is not null), 1))
"""
MAY_CHANGE = "select has_table_privilege(current_user, %s::regclass, 'update') as may"
LOST_ENTRIES = """
    select r.value from restore_rows r where r.name = 'audit_log' and r.value is not null and not exists (
        select 1 from audit_log a where r.value ->> 'hash' in (a.hash, a.details -> 'entry' ->> 'hash'))
    order by (r.value ->> 'n')::bigint
"""


@dataclass(frozen=True)
class Taken:
    """Rows that were brought back or set as the log says, and rows that were kept since they had been changed here."""

    applied: int
    kept: int


async def take_over(tx: Transaction, objects: Objects, tenant: str, changed: Sequence[Change]) -> Taken:
    """Apply what is staged for the tenant, and clear it. Part of `tx`: all of it, or nothing."""
    kept = applied = 0
    await named_in(tx, objects, tenant)
    by_name: dict[str, list[Jsonb]] = {}
    for change in changed:
        by_name.setdefault(change.name, []).append(Jsonb(dict(change.key)))
    audited = "audit_log" in by_name
    lost = await fetch_all(tx, LOST_ENTRIES) if audited else []
    await tx.execute(OUTRANKED)  # whatever else was changed of the tenant here: its lost epochs have given out numbers
    for name, keys in by_name.items():
        kept += (await tx.execute(KEEP, [name, keys])).rowcount
    if audited:  # the numbers behind those that were given here again mean other entries there
        await tx.execute(b"delete from restore_rows where name = 'audit_log'")
    order = await logged(tx)
    for table in order:
        applied += (await tx.execute(table.insert())).rowcount
        row = await fetch_one(tx, MAY_CHANGE, [table.name])
        update = _update(table)
        if row and row["may"] and table.name not in tables.PERSONAL and update is not None:
            applied += (await tx.execute(update)).rowcount
    for table in reversed(order):
        row = await fetch_one(
            tx, "select 1 as x from restore_rows where name = %s and value is null limit 1", [table.name]
        )
        if row is not None:
            applied += (await tx.execute(_delete(table))).rowcount
    now = await database.now(tx)
    for entry in lost:
        await audit.append(tx, tenant, "recovery", "audit.recovered", {"entry": entry["value"]}, now)
    await tx.execute(b"delete from restore_rows")
    return Taken(applied, kept)


def _update(table: Logged) -> sql.Composed | None:
    """Rows that are there and say something else; None where a row is nothing but its key."""
    plain = [column for column in table.columns if column not in table.key]
    if not plain:
        return None
    return sql.SQL(
        """update {table} t set ({columns}) = (select {chosen})
           from restore_rows r cross join lateral jsonb_populate_record(null::{table}, {value}) as p
           where r.name = {name} and r.value is not null and {same}
             and to_jsonb(t) - {ignored}::text[] is distinct from to_jsonb(p) - {ignored}::text[]"""
    ).format(
        table=sql.Identifier(table.name),
        columns=sql.SQL(", ").join(map(sql.Identifier, plain)),
        chosen=sql.SQL(", ").join(sql.Identifier("p", column) for column in plain),
        value=sql.SQL("with_learner(r.tenant, r.value)" if table.names_learners else "r.value"),
        name=sql.Literal(table.name),
        same=_same(table, "p"),
        ignored=sql.Literal(list(table.ignored)),
    )


def _delete(table: Logged) -> sql.Composed:
    return sql.SQL(
        """delete from {table} t using restore_rows r cross join lateral jsonb_populate_record(null::{table}, r.key) as p
           where r.name = {name} and r.value is null and {same}"""
    ).format(table=sql.Identifier(table.name), name=sql.Literal(table.name), same=_same(table, "p"))


def _same(table: Logged, other: str) -> sql.Composed:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier("t", part), sql.Identifier(other, part)) for part in table.key
    )
