"""Devices: a challenge, a registration that answers it, and what the operator sees of them.

The learner is the subject of the bearer token (scope `device:register`); the device shows both of its keys. Registered
devices ask with proofs (DPoP), never with a token.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from psycopg.types.json import Jsonb

from cluster import database
from cluster.database import Transaction, fetch_one
from cluster.settings import Settings
from content.devices.registration import make_challenge, verify_registration
from content.errors import ContentError
from content.jwk import b64, thumbprint, unb64
from content.media.choose import PROFILES
from serve_app.auth import Authenticated, Caller, Platform
from serve_app.idempotency import Idempotent
from serve_app.listing import Listing, Order, Paging
from serve_app.models.base import Given, Id, Page
from serve_app.models.bundles import Challenge, ChallengeRequest, Device, NewDevice, Registered
from serve_app.problems import not_found, raises
from serve_app.record import record
from serve_app.taking_back import list_now
from tasks import deactivation, planning, signed_lists
from tasks.keeping import erasure

router = APIRouter(prefix="/v1/devices", tags=["devices"])
REFUSED = (
    "jws-malformed",
    "jws-header",
    "jws-header-malformed",
    "jws-header-too-large",
    "jws-signature",
    "jwk-malformed",
    "jwk-off-curve",
    "jwk-private",
    "registration-malformed",
    "registration-too-large",
    "registration-tenant",
    "registration-nonce",
    "registration-answer",
    "registration-encryption-key",
    "registration-same-key",
    "document-type",
    "document-shape",
)
"""What may be wrong with a registration."""
COLUMNS = "device_id, learner_id, profile, state, registered_at, revoked_at"
DEVICES = Listing(
    "devices",
    f"select {COLUMNS} from devices",
    filters={"learner_id": "learner_id = %(learner_id)s", "state": "state = %(state)s"},
    order=(Order("registered_at", "registered_at", datetime), Order("device_id", "device_id", str)),
)


@router.post(
    "/challenges",
    status_code=201,
    response_model=Challenge,
    summary="A nonce and a challenge for a device's encryption key",
    responses=raises("not-found", "jwk-malformed", "jwk-off-curve", "jwk-private", "learner-erased"),
)
async def challenge(body: ChallengeRequest, caller: Authenticated, platform: Platform, once: Idempotent) -> Response:
    caller.require("device:register")
    secret, jwe = make_challenge(body.encryption, os.urandom)
    nonce, ttl_s = secrets.token_urlsafe(24), platform.settings.nonce_ttl_s
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        await _known_tenant(tx)
        await planning.greet_learner(tx, caller.tenant, caller.subject)
        await _not_erased(tx, platform.settings, caller)
        await tx.execute(b"delete from device_challenges where expires_at < now()")
        await tx.execute(
            b"""insert into device_challenges (tenant, nonce, learner_id, thumbprint, secret, expires_at)
                values (%s, %s, %s, %s, %s, now() + make_interval(secs => %s))""",
            [
                caller.tenant,
                nonce,
                caller.subject,
                thumbprint(body.encryption),
                b64(secret),
                ttl_s,
            ],
        )
        return await once.answer(tx, 201, Challenge(nonce=nonce, challenge=jwe, expires_in_s=ttl_s))


@router.post(
    "",
    status_code=201,
    response_model=Registered,
    summary="Register a device; its learner's bundles are planned at once",
    responses=raises(
        "not-found", "unknown-profile", "nonce-unknown", "device-taken", "device-limit", "learner-erased", *REFUSED
    ),
)
async def register(
    body: NewDevice, request: Request, caller: Authenticated, platform: Platform, once: Idempotent
) -> Response:
    caller.require("device:register")
    if body.profile not in PROFILES:
        raise ContentError(
            "unknown-profile", f"There is no profile {body.profile}.", f"Use one of {', '.join(PROFILES)}."
        )
    async with platform.db.tenant(caller.tenant) as tx:
        await once.begin(tx)
        known = await fetch_one(
            tx,
            """delete from device_challenges where nonce = %s and learner_id = %s and expires_at > now()
               returning thumbprint, secret""",
            [body.nonce, caller.subject],
        )
        try:
            # In a part of the transaction: a nonce works once, so it stays used whatever becomes of the registration.
            async with tx.transaction():
                made = await _register(tx, platform.settings, body, caller, known)
                await record(tx, request, caller, "device.registered", device_id=made.device_id, profile=body.profile)
                return await once.answer(tx, 201, made, {"Location": f"/v1/devices/{made.device_id}"})
        except ContentError as error:
            refused = error
    raise refused


async def _register(
    tx: Transaction, settings: Settings, body: NewDevice, caller: Caller, known: dict[str, Any] | None
) -> Registered:
    if known is None:
        raise ContentError("nonce-unknown", "This nonce was used, has expired, or is another's.", "Ask for a new one.")
    found = verify_registration(
        body.registration, nonce=body.nonce, tenant=caller.tenant, secret=unb64(known["secret"])
    )
    if thumbprint(found.encryption_jwk) != known["thumbprint"]:
        raise ContentError("registration-encryption-key", "The challenge was made for another encryption key.")
    await planning.meet_learner(tx, caller.tenant, caller.subject)
    await _not_erased(tx, settings, caller)
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
    chain = await signed_lists.chain(tx)
    return Registered.model_validate({**row, "bundles_planned": planned, "trust_chain": chain})


@router.get("", summary="Devices of the tenant, newest first")
async def list_devices(
    paging: Paging,
    caller: Authenticated,
    platform: Platform,
    learner_id: Given = None,
    state: Literal["active", "revoked"] | None = None,
) -> Page[Device]:
    caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        found = await DEVICES.page(tx, paging, learner_id=learner_id, state=state)
    return Page[Device].model_validate(found)


@router.get("/{device_id}", summary="One device (a device may ask for itself)")
async def show(device_id: Id, caller: Authenticated, platform: Platform) -> Device:
    if caller.device_id != device_id:
        caller.require("content:read")
    async with platform.db.tenant(caller.tenant) as tx:
        row = await fetch_one(tx, f"select {COLUMNS} from devices where device_id = %s", [device_id])
    if row is None:
        raise not_found("device")
    return Device.model_validate(row)


@router.delete(
    "/{device_id}",
    status_code=204,
    summary="Deactivate a device (a device may deactivate itself)",
    responses=raises("not-found", "not-archived"),
)
async def deactivate(device_id: Id, request: Request, caller: Authenticated, platform: Platform) -> None:
    """Nothing more is made for it or handed out to it, its proofs are refused, and its place among the learner's devices is
    free. The revocation list names it for as long as it holds a licence, so what it has installed opens no more. Asking
    again changes nothing."""
    if caller.device_id != device_id:
        caller.require("device:revoke")
    tenant = caller.tenant
    async with platform.db.tenant(tenant) as tx:
        changed = await deactivation.deactivate(tx, tenant, device_id, cause="device")
        if changed is None:
            raise not_found("device")
        if changed:
            await record(tx, request, caller, "device.revoked", device_id=device_id)
    await list_now(platform, tenant)


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


async def _not_erased(tx: Transaction, settings: Settings, caller: Caller) -> None:
    """Raises `learner-erased` while the token may be from before the erasure of its learner."""
    now = await database.now(tx)
    if await erasure.gone(tx, caller.tenant, caller.subject, now, within_s=settings.jwt_max_age_s):
        raise ContentError("learner-erased", "This learner was erased a short time ago.", "Sign in anew tomorrow.")


async def _known_tenant(tx: Transaction) -> None:
    if await fetch_one(tx, "select 1 as x from tenants") is None:
        raise not_found("tenant")
