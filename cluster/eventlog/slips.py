"""What has to be in the object store before it is acknowledged: revocations, keys and their lists, holds, erasures.

The change is committed first and holds from then on. Then whatever of it still waits for the archiver is put in one object, a slip;
what does not wait any more is in a segment already. If the store is away, the caller is told so in place of "done", and may ask
again: the change holds all the same, it only might not outlive this region yet. So an answer "done" is never lost, one call
costs one put, and nothing but these few calls depends on the store.
"""

from __future__ import annotations

import asyncio

from cluster import database
from cluster.connections import Connections
from cluster.database import fetch_all
from cluster.eventlog import state
from cluster.eventlog.store import LogStore
from content.errors import ContentError
from content.eventlog import make_segment

URGENT = (
    "revocations", "revocation_lists", "signing_keys", "trust_lists", "devices", "packages", "tenants", "holds", "erasures"
)  # fmt: skip
"""Tables whose changes are kept so; of devices and packages, since they say what was taken back. Removals take nothing back, and a
slip that could remove would be worth forging. So the slip of an erasure tells that there was one, by pseudonym, and whoever restores
erases again (`tasks.keeping.erasure.repeat`)."""
WAITING = """
    select n, jsonb_build_object('n', n, 'transaction', transaction::text, 'at', at, 'tenant', tenant, 'name', name,
                                 'key', key, 'value', value)::text as line
    from change_log where name = any(%s) and value is not null order by n
"""


async def keep(connections: Connections, tenant: str) -> int:
    """Have in the store what was just committed of a tenant; returns how many changes had to be put.

    Raises ContentError `not-archived` (retryable) where the store does not take it in time.
    """
    region = connections.settings.region
    async with connections.db.tenant(tenant) as tx:
        rows = await fetch_all(tx, WAITING, [list(URGENT)])
        known, now = await state.read(tx, region), await database.now(tx)
    if not rows:
        return 0
    epoch = known.position.epoch if known else 1
    body = make_segment(
        region=region,
        epoch=epoch,
        sequence=0,
        previous="",
        base=None,
        final=True,
        closed_at=now,
        lines=[row["line"].encode() for row in rows],
    )
    store = LogStore(connections.objects, region)
    try:
        async with asyncio.timeout(connections.settings.event_log_patience_s):
            await asyncio.to_thread(store.put_slip, epoch, tenant, rows[-1]["n"], body)
    except (TimeoutError, ContentError) as error:
        raise ContentError(
            "not-archived",
            "It is done and holds, but its record has not reached the archive: the object store is away.",
            "Ask again: once this is answered, it outlives the loss of the region.",
            True,
        ) from error
    return len(rows)
