"""Content keys: made, wrapped, committed and read back before anything is encrypted under them.

So two attempts, and everything that is sealed later for the same scope, use the same key. One call of the key service
wraps what is missing, one unwraps what the batch needs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from content.bundles.keys import ContentKey, content_key_id

EPOCH = 1


async def content_keys(
    connections: Connections, tenant: str, package_id: str, scopes: Sequence[str]
) -> dict[str, ContentKey]:
    """The content key of each scope: made, wrapped, committed and read back, so that all attempts use the same one."""
    async with connections.db.tenant(tenant) as tx:
        known = await _known_keys(tx, package_id, scopes)
    missing = sorted(set(scopes) - set(known))
    if missing:
        fresh = [os.urandom(32) for _ in missing]
        wrapped = await asyncio.to_thread(connections.keys.wrap, tenant, fresh)
        async with connections.db.tenant(tenant) as tx, tx.cursor() as cursor:
            await cursor.executemany(
                b"""insert into content_keys (tenant, package_id, scope, epoch, kid, wrapped)
                    values (%s, %s, %s, %s, %s, %s) on conflict do nothing""",
                [
                    (tenant, package_id, scope, EPOCH, content_key_id(tenant, package_id, scope, EPOCH), text)
                    for scope, text in zip(missing, wrapped, strict=True)
                ],
            )
        async with connections.db.tenant(tenant) as tx:
            known = await _known_keys(tx, package_id, scopes)
    ordered = sorted(known)
    opened = await asyncio.to_thread(connections.keys.unwrap, tenant, [known[scope]["wrapped"] for scope in ordered])
    return {scope: ContentKey(known[scope]["kid"], key) for scope, key in zip(ordered, opened, strict=True)}


async def _known_keys(tx: Transaction, package_id: str, scopes: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows = await fetch_all(
        tx,
        "select scope, kid, wrapped from content_keys where package_id = %s and epoch = %s and scope = any(%s)",
        [package_id, EPOCH, list(scopes)],
    )
    return {row["scope"]: row for row in rows}
