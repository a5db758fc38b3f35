"""A new tenant: its keys in the key service, its first trust list and revocation list, its settings and limits.

Idempotent up to the last step: keys have names derived from the tenant, so a crash between making a key and committing
its row leaves a key that the next try finds. The rows are one transaction.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.keys import ServiceSigner
from cluster.settings import Settings
from cluster.topology import REGIONS
from content.errors import ContentError, WrongRegion
from content.jwk import thumbprint
from content.signatures import sign_documents
from content.trust.keys import KeyStatus, TrustedKey
from content.trust.lists import TrustList, make_trust_list
from content.trust.revocations import RevocationList
from tasks import audit

ROOT_VALID, SIGNING_VALID = timedelta(days=3650), timedelta(days=730)
LIMITS = {"devices_per_learner": 5}


async def create(
    connections: Connections,
    tx: Transaction,
    tenant: str,
    *,
    region: str,
    policy: str | None,
    actor: str,
    now: datetime,
) -> bool:
    """Make a tenant in `tx`, which sees it alone. False if it is there already, in this region and with
    this policy if one is named.

    `policy` None leaves it to the catalog and the service. Raises ContentError `tenant-exists`, `wrong-region`.
    """
    now = now.replace(microsecond=0)
    if region not in REGIONS or region != connections.settings.region:
        raise wrong_region(connections.settings, region)
    row = await fetch_one(tx, "select region, policy from tenants")
    if row is not None:
        if row["region"] != region or (policy is not None and row["policy"] != policy):
            raise ContentError(
                "tenant-exists", f"The tenant {tenant} exists with other settings.", "Choose another name."
            )
        return False
    root, signing = await asyncio.to_thread(_make_keys, connections, tenant)
    trust, revocations, signature = await asyncio.to_thread(_lists, connections, tenant, root, signing, now)
    new = await fetch_one(
        tx,
        """insert into tenants (tenant, region, policy, limits) values (%s, %s, %s, %s)
           on conflict do nothing returning tenant""",
        [tenant, region, policy, Jsonb(LIMITS)],
    )
    if new is None:
        return False
    for purpose, key, valid in (("root", root, ROOT_VALID), ("signing", signing, SIGNING_VALID)):
        await tx.execute(
            b"""insert into signing_keys (tenant, kid, purpose, key_name, jwk, not_before, not_after)
                values (%s, %s, %s, %s, %s, %s, %s)""",
            [tenant, key.kid, purpose, key.name, Jsonb(_jwk(connections, key.name)), now, now + valid],
        )
    expires = now + timedelta(seconds=connections.settings.trust_ttl_s)
    await tx.execute(
        b"insert into trust_lists (tenant, version, document, expires) values (%s, 1, %s, %s)",
        [tenant, Jsonb(trust), expires],
    )
    await tx.execute(
        b"""insert into revocation_lists (tenant, trust_version, n, document, signature, expires)
            values (%s, %s, %s, %s, %s, %s)""",
        [tenant, *revocations.version, revocations.to_bytes().decode(), Jsonb(signature), revocations.expires],
    )
    await audit.append(tx, tenant, actor, "tenant.created", {"region": region, "policy": policy}, now)
    return True


def wrong_region(settings: Settings, home: str) -> WrongRegion:
    """What a request for another region's tenant gets: no redirect, since credentials must not follow one."""
    message, remedy = f"This is the region {settings.region}, not {home}.", f"Ask the service in {home}."
    return WrongRegion("wrong-region", message, remedy, False, home, settings.region_urls.get(home, ""))


def _make_keys(connections: Connections, tenant: str) -> tuple[ServiceSigner, ServiceSigner]:
    """Root and signing key, found again if an earlier try made them."""
    connections.keys.ensure_wrapping_key()
    names = (f"{tenant}.root.1", f"{tenant}.signing.1")
    root, signing = (ServiceSigner(connections.keys, name, thumbprint(connections.keys.create(name))) for name in names)
    return root, signing


def _jwk(connections: Connections, name: str) -> dict[str, str]:
    return connections.keys.public_jwk(name)


def _lists(
    connections: Connections, tenant: str, root: ServiceSigner, signing: ServiceSigner, now: datetime
) -> tuple[dict[str, Any], RevocationList, dict[str, Any]]:
    settings = connections.settings
    signing_key = TrustedKey(signing.kid, _jwk(connections, signing.name), now, now + SIGNING_VALID, KeyStatus.ACTIVE)
    trust = TrustList(
        iss=tenant,
        version=1,
        issued_at=now,
        expires=now + timedelta(seconds=settings.trust_ttl_s),
        threshold=1,
        roots=(_jwk(connections, root.name),),
        keys=(signing_key,),
    )
    revocations = RevocationList(tenant, (1, 1), now, now + timedelta(seconds=settings.list_ttl_s))
    (signature,) = sign_documents([revocations.to_bytes()], signing, iss=tenant, iat=now)
    return make_trust_list(trust, [root]), revocations, signature
