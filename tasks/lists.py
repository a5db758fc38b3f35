"""Fresh lists in time: a reader refuses lists that have been stale for longer than the grace time, so none may go stale.

A revocation list is issued anew when half of its life is over, a trust list when a sixth of it is left; both say the
same as before, with later times and the next version. Run hourly by the bundler pool, which may use the keys; a lock per
tenant makes it once. Which keys there are, and which kids are revoked, is not changed here.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from psycopg.types.json import Jsonb

from cluster import database
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.keys import ServiceSigner
from content.jwk import unb64
from content.signatures import sign_documents
from content.trust.lists import TrustList, make_trust_list
from content.trust.revocations import RevocationList
from tasks.signing import current_signer

log = structlog.get_logger()


async def renew_all(connections: Connections) -> int:
    """Renew what is due for every tenant; returns how many lists were issued. One tenant's trouble is not another's."""
    async with connections.ops.connection() as ops:
        now = await database.now(ops)
        tenants = [row["tenant"] for row in await fetch_all(ops, "select tenant from tenants order by tenant")]
    issued = 0
    for tenant in tenants:
        try:
            issued += await renew(connections, tenant, now)
        except Exception as error:
            log.exception("lists not renewed", tenant=tenant, error=type(error).__name__)
    return issued


async def renew(connections: Connections, tenant: str, now: datetime) -> int:
    """Renew what is due for one tenant; returns 0, 1 or 2."""
    now = now.replace(microsecond=0)
    async with connections.db.tenant(tenant) as tx:
        await tx.execute(b"select pg_advisory_xact_lock(hashtextextended('lists/' || %s, 0))", [tenant])
        return await _renew_trust(tx, connections, tenant, now) + await _renew_revocations(tx, connections, tenant, now)


async def _renew_trust(tx: Transaction, connections: Connections, tenant: str, now: datetime) -> int:
    life = timedelta(seconds=connections.settings.trust_ttl_s)
    row = await fetch_one(tx, "select document, expires from trust_lists order by version desc limit 1")
    if row is None or row["expires"] - now > life / 6:
        return 0
    old = TrustList.parse(unb64(row["document"]["payload"]))
    new = replace(old, version=old.version + 1, issued_at=now, expires=now + life)
    names = await fetch_all(
        tx, "select kid, key_name from signing_keys where purpose = 'root' and kid = any(%s)", [sorted(old.root_ids)]
    )
    signers = [ServiceSigner(connections.keys, name["key_name"], name["kid"]) for name in names]
    document: dict[str, Any] = await asyncio.to_thread(make_trust_list, new, signers)
    await tx.execute(
        b"insert into trust_lists (tenant, version, document, expires) values (%s, %s, %s, %s)",
        [tenant, new.version, Jsonb(document), new.expires],
    )
    return 1


async def _renew_revocations(tx: Transaction, connections: Connections, tenant: str, now: datetime) -> int:
    life = timedelta(seconds=connections.settings.list_ttl_s)
    row = await fetch_one(
        tx, "select document, expires from revocation_lists order by trust_version desc, n desc limit 1"
    )
    if row is None or row["expires"] - now > life / 2:
        return 0
    old = RevocationList.parse(row["document"].encode())
    new = replace(old, version=(old.version[0], old.version[1] + 1), issued_at=now, expires=now + life)
    signer, body = await current_signer(tx, connections.keys, now), new.to_bytes()
    (signature,) = await asyncio.to_thread(sign_documents, [body], signer, iss=tenant, iat=now)
    await tx.execute(
        b"""insert into revocation_lists (tenant, trust_version, n, document, signature, expires)
            values (%s, %s, %s, %s, %s, %s)""",
        [tenant, *new.version, body.decode(), Jsonb(signature), new.expires],
    )
    return 1
