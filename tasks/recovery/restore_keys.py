"""Content keys as the event log tells them, opened with the secrets of their learners as they come back.

Whose secret is gone was erased: of that learner's devices there are no content keys any more.
"""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from cluster.database import Transaction, fetch_all
from cluster.eventlog.tables import KEYS, SEALED, UNSEALED
from cluster.keys import shredding

BATCH = 1000
SECRETS = """
    select pseudonym, secret from learners where secret is not null
    union all
    select key ->> 'pseudonym', value ->> 'secret' from restore_rows where name = 'learners' and value ->> 'secret' is not null
"""
CLOSED = f"""
    select key, value ->> 'kid' as kid, value ->> '{SEALED}' as sealed from restore_rows
    where name = '{KEYS}' and value ->> '{SEALED}' is not null and not value ? '{UNSEALED}'
      and (%(after)s::jsonb is null or key > %(after)s::jsonb) order by key limit {BATCH}
"""
OPENED = f"""
    update restore_rows r set value = case when found.text is null then null
                                           else r.value || jsonb_build_object('{UNSEALED}', found.text) end
    from unnest(%s::jsonb[], %s::text[]) as found (key, text) where r.name = '{KEYS}' and r.key = found.key
"""


async def unseal(tx: Transaction) -> int:
    """Open what is staged, part of `tx`, when the learners have come back; returns how many keys there were."""
    secrets = {row["pseudonym"]: row["secret"] for row in await fetch_all(tx, SECRETS)}
    done, after = 0, None
    while rows := await fetch_all(tx, CLOSED, {"after": after}):
        keys, texts = [Jsonb(row["key"]) for row in rows], [_opened(row, secrets) for row in rows]
        await tx.execute(OPENED.encode(), [keys, texts])
        done, after = done + len(rows), keys[-1]
    return done


def _opened(row: dict[str, Any], secrets: dict[str, str]) -> str | None:
    secret = secrets.get(shredding.whose(row["sealed"]))
    return None if secret is None else shredding.unseal(secret, row["kid"], row["sealed"])
