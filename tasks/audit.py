"""The audit log of a tenant: append only, each entry with the hash of the one before it.

An entry is written in the transaction of the change it tells of. The service's roles can neither change nor delete one;
whoever could (the owner) breaks the chain, which `verify` finds. Only a head noted elsewhere shows that the end was cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from cluster.database import Transaction, fetch_all, fetch_one
from content.audit import chained

STRETCH = 5000
"""Entries that one call of `verify` looks at."""


@dataclass(frozen=True)
class Verified:
    """What a stretch of the chain looks like; `more` where it did not reach the end."""

    first: int | None
    last: int | None
    head: str | None
    broken_at: int | None
    more: bool


async def pseudonym(tx: Transaction, tenant: str, person: str) -> str:
    """How the log names a person: it outlives an erasure, so it never holds the name itself."""
    row = await fetch_one(tx, "select pseudonym_of(%s, %s) as pseudonym", [tenant, person])
    assert row is not None
    return row["pseudonym"]


async def append(tx: Transaction, tenant: str, actor: str, action: str, details: dict[str, Any], at: datetime) -> None:
    """Add an entry; writers of one tenant wait for each other until their transactions end, so append it last."""
    at = at.replace(microsecond=0)  # what is hashed is what is kept
    await tx.execute(b"select pg_advisory_xact_lock(hashtextextended('audit/' || %s, 0))", [tenant])
    last = await fetch_one(tx, "select n, hash from audit_log order by n desc limit 1")
    n, previous = (last["n"] + 1, last["hash"]) if last else (1, "")
    hash_ = chained(tenant, n, at, actor, action, details, previous)
    await tx.execute(
        b"insert into audit_log (tenant, n, at, actor, action, details, previous, hash) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [tenant, n, at, actor, action, Jsonb(details), previous, hash_],
    )


async def verify(tx: Transaction, tenant: str, *, after: int = 0, stretch: int = STRETCH) -> Verified:
    """Whether the entries behind number `after` are those that were written, without a gap."""
    before = await fetch_one(tx, "select hash from audit_log where n = %s", [after])
    previous = before["hash"] if before else ""
    rows = await fetch_all(
        tx,
        """select n, at, actor, action, details, previous, hash from audit_log
           where n > %s order by n limit %s""",
        [after, stretch + 1],
    )
    broken, head = None, None
    for number, row in enumerate(rows[:stretch], after + 1):
        entry = (row["n"], row["at"], row["actor"], row["action"], row["details"], row["previous"])
        if row["n"] != number or row["previous"] != previous or row["hash"] != chained(tenant, *entry):
            broken = number
            break
        previous = head = row["hash"]
    looked = rows[:stretch]
    first, last = (looked[0]["n"], looked[-1]["n"]) if looked else (None, None)
    return Verified(first, last, head, broken, len(rows) > stretch)
