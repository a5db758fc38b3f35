"""Tables that the event log holds, as the database itself describes them: their order, columns and keys.

Asked of the catalog and not written down twice, so that a table of a later migration is restored without a word here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from psycopg import sql

from cluster.database import Transaction, fetch_all

LOGGED = """
    select c.relname as name, t.tgargs as arguments,
           (select array_agg(attname::text order by attnum) from pg_attribute a
            where a.attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '' and attidentity = '') as columns,
           (select coalesce(array_agg(attname::text), '{}') from pg_attribute a
            where a.attrelid = c.oid and attnum > 0 and not attisdropped
              and (attgenerated <> '' or attidentity <> '')) as made,
           (select coalesce(array_agg(distinct f.relname::text), '{}') from pg_constraint k join pg_class f on f.oid = k.confrelid
            where k.conrelid = c.oid and k.contype = 'f' and f.oid <> c.oid) as after
    from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where t.tgname = 'log_changes' order by c.relname
"""


@dataclass(frozen=True)
class Logged:
    """One table. `columns`: those that can be written; `ignored`: those that are no part of what the log tells (made by
    Postgres itself, or passing); `key`: its primary key."""

    name: str
    columns: tuple[str, ...]
    ignored: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def names_learners(self) -> bool:
        return bool({"learner_id", "data"} & set(self.columns))

    def insert(self) -> sql.Composed:
        """Rows of restore_rows into the table, in the order in which they were written."""
        value = sql.SQL("with_learner(r.tenant, r.value)" if self.names_learners else "r.value")
        return sql.SQL(
            """insert into {table} ({columns}) select {chosen} from restore_rows r
               cross join lateral jsonb_populate_record(null::{table}, {value}) as p
               where r.name = {name} and r.value is not null order by r.epoch, r.n on conflict do nothing"""
        ).format(
            table=sql.Identifier(self.name),
            columns=sql.SQL(", ").join(map(sql.Identifier, self.columns)),
            chosen=sql.SQL(", ").join(sql.Identifier("p", column) for column in self.columns),
            value=value,
            name=sql.Literal(self.name),
        )

    def found(self) -> sql.Composed:
        """The table's rows as (key, value) in the form in which the log tells them."""
        return sql.SQL("select {key} as key, {value} - {ignored}::text[] as value from {table} t").format(
            key=sql.SQL("jsonb_build_object({})").format(
                sql.SQL(", ").join(
                    sql.SQL("{}, to_jsonb(t.{})").format(sql.Literal(part), sql.Identifier(part)) for part in self.key
                )
            ),
            value=sql.SQL("without_learner(t.tenant, to_jsonb(t))" if self._pseudonymous else "to_jsonb(t)"),
            ignored=sql.Literal(list(self.ignored)),
            table=sql.Identifier(self.name),
        )

    @property
    def _pseudonymous(self) -> bool:
        return self.names_learners and self.name != "learners"


async def logged(tx: Transaction) -> list[Logged]:
    """Every table that is logged; what a row of one refers to comes before it."""
    rows = {row["name"]: row for row in await fetch_all(tx, LOGGED)}
    order = TopologicalSorter({name: [each for each in row["after"] if each in rows] for name, row in rows.items()})
    # The names of learners come before whatever has a pseudonym in their place.
    first = sorted(order.static_order(), key=lambda name: name not in ("tenants", "learners"))
    return [_table(rows[name]) for name in first]


def _table(row: Mapping[str, Any]) -> Logged:
    passed, key = (_array(part) for part in bytes(row["arguments"]).decode().split("\0")[:2])
    return Logged(row["name"], tuple(row["columns"]), (*passed, *row["made"]), tuple(key))


def _array(text: str) -> Sequence[str]:
    """An array of names as Postgres writes it: `{a,b}`; ours need no quotes."""
    return [part.strip() for part in text.strip("{}").split(",") if part.strip()]
