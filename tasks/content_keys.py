"""Content keys: made, wrapped, committed and read back before anything is encrypted under them.

So two attempts, and everything that is sealed later for the same scope and epoch, use the same key. One call of the key
service wraps what is missing, one unwraps what is needed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from cluster.keys import shredding
from content.bundles.keys import ContentKey, content_key_id
from content.errors import ContentError

DEVICES = """
    select d.device_id, d.erased_at, l.pseudonym, l.secret from devices d
    left join learners l on l.tenant = d.tenant and l.learner_id = d.learner_id
    where d.device_id = any(%s) order by d.device_id for share of d
"""


async def content_keys(
    connections: Connections, tenant: str, package_id: str, epochs: Mapping[str, int]
) -> dict[str, tuple[ContentKey, ...]]:
    """The content keys of each scope up to an epoch, newest first; the one of that epoch is made if it is not there."""
    async with connections.db.tenant(tenant) as tx:
        known = await _known_keys(tx, package_id, epochs)
    missing = sorted(scope for scope, epoch in epochs.items() if all(row["epoch"] != epoch for row in known[scope]))
    if missing:
        fresh = [os.urandom(32) for _ in missing]
        wrapped = await asyncio.to_thread(connections.keys.wrap, tenant, fresh)
        async with connections.db.tenant(tenant) as tx, tx.cursor() as cursor:
            # A device that is being erased has emptied itself when this returns, or waits for us and finds what we made.
            devices = {row["device_id"]: row for row in await fetch_all(tx, DEVICES, [missing])}
            if any(row["erased_at"] is not None for row in devices.values()):
                raise ContentError("device-erased", "A device was erased meanwhile.", "Serve the others.", True)
            await cursor.executemany(
                b"""insert into content_keys (tenant, package_id, scope, epoch, kid, wrapped, sealed)
                    values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
                [
                    (tenant, package_id, scope, epochs[scope], kid, text, _sealed(devices.get(scope), kid, text))
                    for scope, text in zip(missing, wrapped, strict=True)
                    for kid in [content_key_id(tenant, package_id, scope, epochs[scope])]
                ],
            )
        async with connections.db.tenant(tenant) as tx:
            known = await _known_keys(tx, package_id, epochs)
    rows = [row for scope in sorted(known) for row in known[scope]]
    opened = await asyncio.to_thread(connections.keys.unwrap, tenant, [row["wrapped"] for row in rows])
    found: dict[str, list[ContentKey]] = {scope: [] for scope in epochs}
    for row, key in zip(rows, opened, strict=True):
        found[row["scope"]].append(ContentKey(row["kid"], key))
    return {scope: tuple(keys) for scope, keys in found.items()}


def _sealed(device: dict[str, Any] | None, kid: str, wrapped: str) -> str | None:
    """A device's own key as the event log tells it: in a form that ends with the learner."""
    if device is None or device["secret"] is None:
        return None
    return shredding.seal(device["pseudonym"], device["secret"], kid, wrapped)


async def _known_keys(tx: Transaction, package_id: str, epochs: Mapping[str, int]) -> dict[str, list[dict[str, Any]]]:
    rows = await fetch_all(
        tx,
        """select scope, epoch, kid, wrapped from content_keys
           where package_id = %s and scope = any(%s) order by scope, epoch desc""",
        [package_id, list(epochs)],
    )
    known: dict[str, list[dict[str, Any]]] = {scope: [] for scope in epochs}
    for row in rows:
        if row["epoch"] <= epochs[row["scope"]]:
            known[row["scope"]].append(row)
    return known
