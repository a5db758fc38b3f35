"""Devices: a challenge, a registration that answers it, and what the operator sees of them.

The learner is the subject of the bearer token (scope `device:register`); the device shows both of its keys. Registered
devices ask with proofs (DPoP), never with a token.
"""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from psycopg.types.json import Jsonb
from pydantic import BaseModel, Field

from cluster.database import Transaction, fetch_all, fetch_one
from content.devices.registration import make_challenge, verify_registration
from content.errors import ContentError
from content.jwk import b64, thumbprint, unb64
from content.media.choose import PROFILES
from serve_app.auth import Authenticated, Platform
from serve_app.pages import Cursor, Limit, decode, page
from serve_app.problems import not_found
from tasks import planning

router = APIRouter(prefix="/v1/devices", tags=["devices"])
COLUMNS = "device_id, learner_id, profile, state, registered_at"


class ChallengeRequest(BaseModel):
    """The device's public encryption key, a P-256 JWK."""

    encryption: dict[str, Any]


class Challenge(BaseModel):
    """Answer within `expires_in_s`: sign the nonce and what the challenge holds."""

    nonce: str
    challenge: str
    expires_in_s: int


class NewDevice(BaseModel):
    """`registration` is the JWS of docs/bundle-format.md, "Device registration"."""

    nonce: str = Field(min_length=16, max_length=128)
    registration: str = Field(max_length=4096)
    profile: str = Field(default="phone", examples=list(PROFILES))


@router.post("/challenges", status_code=201, summary="A nonce and a challenge for a device's encryption key")
async def challenge(body: ChallengeRequest, caller: Authenticated, platform: Platform) -> Challenge:
    caller.require("device:register")
    secret, jwe = make_challenge(body.encryption, os.urandom)
    nonce, ttl_s = secrets.token_urlsafe(24), platform.settings.nonce_ttl_s
    async with platform.db.tenant(caller.tenant) as tx:
        await _known_tenant(tx)
        await tx.execute(b"delete from device_challenges where expires_at < now()")
        await tx.execute(
            b"""insert into device_challenges (tenant, nonce, learner_id, thumbprint, secret, expires_at)
                values (%s, %s, %s, %s, %s, %s)""",
            [
                caller.tenant,
                nonce,
                caller.subject,
                thumbprint(body.encryption),
                b64(secret),
                datetime.now(UTC) + timedelta(seconds=ttl_s),
            ],
        )
    return Challenge(nonce=nonce, challenge=jwe, expires_in_s=ttl_s)


@router.post("", status_code=201, summary="Register a device; its learner's bundles are planned at once")
async def register(body: NewDevice, response: Response, caller: Authenticated, platform: Platform) -> dict[str, Any]:
    caller.require("device:register")
    if body.profile not in PROFILES:
        raise ContentError(
            "unknown-profile", f"There is no profile {body.profile}.", f"Use one of {', '.join(PROFILES)}."
        )
    async with platform.db.tenant(caller.tenant) as tx:
        known = await fetch_one(
            tx,
            """delete from device_challenges where nonce = %s and learner_id = %s and expires_at > now()
               returning thumbprint, secret""",
            [body.nonce, caller.subject],
        )
    if known is None:
        raise ContentError("nonce-unknown", "This nonce was used, has expired, or is another's.", "Ask for a new one.")
    found = verify_registration(
        body.registration, nonce=body.nonce, tenant=caller.tenant, secret=unb64(known["secret"])
    )
    if thumbprint(found.encryption_jwk) != known["thumbprint"]:
        raise ContentError("registration-encryption-key", "The challenge was made for another encryption key.")
    async with platform.db.tenant(caller.tenant) as tx:
        await _require_room(tx, caller.subject, found.device_id)
        row = await fetch_one(
            tx,
            f"""insert into devices (tenant, device_id, learner_id, profile, signing_jwk, encryption_jwk)
                values (%s, %s, %s, %s, %s, %s)
                on conflict (tenant, device_id) do update set profile = excluded.profile
                    where devices.learner_id = excluded.learner_id and devices.state = 'active'
                          and devices.encryption_jwk = excluded.encryption_jwk
                returning {COLUMNS}""",
            [
                caller.tenant,
                found.device_id,
                caller.subject,
                body.profile,
                Jsonb(found.signing_jwk),
                Jsonb(found.encryption_jwk),
            ],
        )
        if row is None:
            raise ContentError("device-taken", "This device is registered otherwise.", "Make new keys.")
        planned = await planning.for_device(tx, caller.tenant, found.device_id, caller.subject)
        trust = await fetch_all(tx, "select document from trust_lists order by version limit 1024")
    response.headers["Location"] = f"/v1/devices/{found.device_id}"
    return {**row, "bundles_planned": planned, "trust_chain": [entry["document"] for entry in trust]}


@router.get("", summary="Devices of the tenant")
async def list_devices(
    request: Request,
    response: Response,
    caller: Authenticated,
    platform: Platform,
    limit: Limit = 50,
    cursor: Cursor = None,
    learner_id: str | None = None,
) -> dict[str, Any]:
    caller.require("content:read")
    after = decode(cursor, 1)
    async with platform.db.tenant(caller.tenant) as tx:
        rows = await fetch_all(
            tx,
            f"""select {COLUMNS} from devices
                where (%(after)s::text is null or device_id > %(after)s)
                  and (%(learner)s::text is null or learner_id = %(learner)s)
                order by device_id limit %(limit)s""",
            {"after": after and after[0], "learner": learner_id, "limit": limit + 1},
        )
    return page(request, response, rows, limit, "device_id")


@router.get("/{device_id}", summary="One device (a device may ask for itself)")
async def show(device_id: str, caller: Authenticated, platform: Platform) -> dict[str, Any]:
    if caller.device_id != device_id:
        caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await fetch_one(tx, f"select {COLUMNS} from devices where device_id = %s", [device_id])
    if row is None:
        raise not_found("device")
    return row


async def _require_room(tx: Transaction, learner_id: str, device_id: str) -> None:
    """Raises `device-limit` when the learner has as many other devices as the tenant allows."""
    row = await fetch_one(
        tx,
        """select (limits->>'devices_per_learner')::int as most,
                  (select count(*) from devices where learner_id = %s and device_id <> %s and state = 'active') as others
           from tenants for no key update""",
        [learner_id, device_id],
    )
    if row is None:
        raise not_found("tenant")
    if row["most"] is not None and row["others"] >= row["most"]:
        raise ContentError(
            "device-limit",
            f"The learner has {row['others']} devices already.",
            "Remove one, or raise the tenant's limit.",
        )


async def _known_tenant(tx: Transaction) -> None:
    if await fetch_one(tx, "select 1 as x from tenants") is None:
        raise not_found("tenant")
