"""The key service: it answers, wraps and unwraps, and signs for a tenant so that the published key verifies it."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime

from cluster.connections import Connections
from cluster.database import fetch_all, fetch_one
from cluster.keys import ServiceSigner, connect
from cluster.settings import Settings
from content.errors import ContentError
from content.jose import JoseRefused, require_signature, sign_compact, split_compact
from content.jwk import parse_jwk
from tasks.doctor.findings import Finding, fail, ok, warn

HEADER = {"alg": "ES256", "typ": "doctor"}
"""No reader takes a document of this type for anything."""
REMEDY = "Check openbao_url and openbao_token, and that it is unsealed."


async def check(settings: Settings) -> list[Finding]:
    service = connect(settings)
    try:
        await asyncio.to_thread(service.ready)
        plain = secrets.token_bytes(32)
        wrapped = await asyncio.to_thread(service.wrap, "doctor", [plain])
        if await asyncio.to_thread(service.unwrap, "doctor", wrapped) != [plain]:
            return [fail("keys: wrapping", "a key comes back as another one", "Do not use this key service.")]
    except ContentError as error:
        return [fail("keys: wrapping", error.message, REMEDY)]
    return [ok("keys: wrapping", "wraps and unwraps a content key"), await _signing(settings)]


async def _signing(settings: Settings) -> Finding:
    name = "keys: signing"
    connections = await Connections.open(settings, "worker", size=1)
    try:
        async with connections.ops.connection() as ops:
            tenants = await fetch_all(ops, "select tenant from tenants order by tenant limit 1")
        if not tenants:
            return warn(name, "there is no tenant yet", "Make one: `content-service tenant create`.")
        tenant, now = tenants[0]["tenant"], datetime.now(UTC)
        async with connections.db.tenant(tenant) as tx:
            row = await fetch_one(
                tx,
                """select kid, key_name, jwk from signing_keys where purpose = 'signing' and status = 'active'
                   and not_before <= %s and not_after > %s order by not_before desc limit 1""",
                [now, now],
            )
        if row is None:
            return fail(name, f"{tenant} has no signing key in use", "Rotate the tenant's keys.")
        signer = ServiceSigner(connections.keys, row["key_name"], row["kid"])
        signed = await asyncio.to_thread(sign_compact, {**HEADER, "kid": row["kid"]}, b"{}", signer)
        require_signature(split_compact(signed, len(signed)), parse_jwk(row["jwk"]))
    except JoseRefused:
        return fail(name, "the published key does not verify", "The key was replaced behind our back.")
    except ContentError as error:
        return fail(name, error.message, error.remedy or REMEDY)
    finally:
        await connections.close()
    return ok(name, f"signs for {tenant}; the published key verifies it")
