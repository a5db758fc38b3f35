"""The key service: it answers, wraps and unwraps, and signs for a tenant so that the published key verifies it."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Any

from cluster import database
from cluster.connections import Connections
from cluster.database import fetch_all, fetch_one
from cluster.keys import ServiceSigner, connect
from cluster.settings import Settings
from content.errors import ContentError
from content.jose import JoseRefused, require_signature, sign_compact, split_compact
from content.jwk import parse_jwk
from tasks import drill, key_ends
from tasks.doctor.findings import Finding, fail, ok, warn

HEADER = {"alg": "ES256", "typ": "doctor"}
"""No reader takes a document of this type for anything."""
REMEDY = (
    "OpenBao: check openbao_url and openbao_token, and that it is unsealed. AWS KMS: the role of the pod, kms_region."
)


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
    return [ok("keys: wrapping", "wraps and unwraps a content key"), await _signing(settings), *await _rows(settings)]


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


async def _rows(settings: Settings) -> list[Finding]:
    """What the rows say that ought to have been done in the key service, and when a stolen key was last tried."""
    connections = await Connections.open(settings, "worker", size=1)
    try:
        async with connections.ops.connection() as ops:
            now = await database.now(ops)
            overdue, drills = await key_ends.overdue(ops, now), await drill.age(ops, now)
    finally:
        await connections.close()
    return [_ends(overdue), _drill(drills, settings)]


def _ends(overdue: dict[str, int]) -> Finding:
    name = "keys: out of use"
    if overdue["enabled"]:
        return warn(
            name, f"{overdue['enabled']} keys that are out of use still sign", "See `key not disabled` in the logs."
        )
    if overdue["alone"]:
        return warn(name, f"{overdue['alone']} keys stand in one region only", "See `key not copied` in the logs.")
    return ok(name, "what is out of use is disabled, what is in use is copied")


def _drill(drills: dict[str, Any], settings: Settings) -> Finding:
    name, days = "keys: drill", (drills["age_s"] or 0.0) / 86_400
    most = settings.drill_period_s + drill.GRACE.total_seconds()
    if drills["stuck"]:
        return warn(name, f"{drills['stuck']} drills have not come to an end", "See `content-service jobs list`.")
    if not drills["drills"] and settings.profile == "production":
        return warn(
            name, "no drill was ever made", "Mark a tenant: tenant set NAME --drill (docs/how-to/stolen-key.md)."
        )
    if drills["drills"] and (drills["age_s"] or 0.0) > most:
        return fail(
            name,
            f"no drill has passed for {days:.0f} days",
            "content-service keys rotate --drill --reason TEXT --tenant NAME.",
        )
    return ok(name, f"the last one passed {days:.0f} days ago" if drills["drills"] else "not made here")
