"""Trust lists: what the rows of `signing_keys` say, signed by the roots, as the next version.

A list is never changed: whatever happens to a key is a change of its row and then a new version, in one transaction and
under the lock of the tenant's lists. Every root of the list before and of the new one signs, so the new list counts for
whoever knows the old one (docs/bundle-format.md, "Trust list").
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.keys import ServiceSigner
from content.errors import ContentError
from content.jwk import thumbprint, unb64
from content.trust.keys import KeyStatus, TrustedKey
from content.trust.lists import TrustList, make_trust_list

ROOT_VALID = timedelta(days=3650)
INSERT_KEY = b"""
    insert into signing_keys (tenant, kid, purpose, key_name, jwk, not_before, not_after)
    values (%s, %s, %s, %s, %s, %s, %s)
"""


async def lock(tx: Transaction, tenant: str) -> None:
    """One at a time changes keys and lists of a tenant; held until the transaction ends."""
    await tx.execute(b"select pg_advisory_xact_lock(hashtextextended('lists/' || %s, 0))", [tenant])


async def newest(tx: Transaction) -> TrustList:
    """The last list. Raises ContentError `not-found` for a tenant without any."""
    row = await fetch_one(tx, "select document from trust_lists order by version desc limit 1")
    if row is None:
        raise ContentError("not-found", "The tenant has no trust list.", "Check its name.")
    return TrustList.parse(unb64(row["document"]["payload"]))


async def publish(
    tx: Transaction, connections: Connections, tenant: str, now: datetime, *, new_roots: bool = False
) -> TrustList:
    """Sign and store the next list, or a tenant's first. `new_roots`: the threshold is taken from the settings anew.

    Raises ContentError `keys-unavailable` or `key-refused`; nothing is stored then.
    """
    now = now.replace(microsecond=0)
    settings = connections.settings
    old = await newest(tx) if await fetch_one(tx, "select 1 as x from trust_lists limit 1") else None
    rows = await fetch_all(
        tx,
        """select kid, purpose, key_name, jwk, status, not_before, not_after from signing_keys
           where dropped_at is null order by kid""",
    )
    roots = [row for row in rows if row["purpose"] == "root" and row["status"] == "active"]
    threshold = settings.trust_threshold if new_roots or old is None else old.threshold
    new = TrustList(
        iss=tenant,
        version=old.version + 1 if old else 1,
        issued_at=now,
        expires=now + timedelta(seconds=settings.trust_ttl_s),
        threshold=min(threshold, len(roots)),
        roots=tuple(row["jwk"] for row in roots),
        keys=tuple(
            TrustedKey(row["kid"], row["jwk"], row["not_before"], row["not_after"], KeyStatus(row["status"]))
            for row in rows
            if row["purpose"] == "signing"
        ),
    )
    judges = new.root_ids | (old.root_ids if old else frozenset())
    signers = [ServiceSigner(connections.keys, row["key_name"], row["kid"]) for row in rows if row["kid"] in judges]
    document: dict[str, Any] = await asyncio.to_thread(make_trust_list, new, signers)
    await tx.execute(
        b"insert into trust_lists (tenant, version, document, expires) values (%s, %s, %s, %s)",
        [tenant, new.version, Jsonb(document), new.expires],
    )
    return new


async def new_key(
    tx: Transaction,
    connections: Connections,
    tenant: str,
    purpose: str,
    begins: datetime,
    valid: timedelta,
) -> str:
    """Make the tenant's next key for a purpose, `signing` or `root`; returns its kid. No list names it yet.

    Its name is counted, so that a try which was killed between key service and commit leaves a key that the next one takes.
    """
    row = await fetch_one(tx, "select count(*) as n from signing_keys where purpose = %s", [purpose])
    name = f"{tenant}.{purpose}.{(row['n'] if row else 0) + 1}"
    jwk = await asyncio.to_thread(connections.keys.create, name)
    kid, begins = thumbprint(jwk), begins.replace(microsecond=0)
    await tx.execute(INSERT_KEY, [tenant, kid, purpose, name, Jsonb(jwk), begins, begins + valid])
    return kid
