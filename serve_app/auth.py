"""Who is asking: a bearer token of the identity provider (tenant and scopes), or a device by a proof with its own key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request
from structlog.contextvars import bind_contextvars

from cluster import telemetry
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.telemetry.metrics import PROOFS
from content.devices.proof import verify_proof
from content.errors import ContentError
from serve_app.limits import Limits
from serve_app.requests import Caller, authenticated
from serve_app.tokens import Tokens
from tasks.elsewhere import require_not_elsewhere

__all__ = ["Authenticated", "Caller", "Platform", "Public"]


async def connections(request: Request) -> Connections:
    """What this replica is connected to. Async, as all dependencies are: FastAPI runs any other in a thread, which costs
    more than the rest of a small request."""
    return request.app.state.connections


Platform = Annotated[Connections, Depends(connections)]


async def caller(request: Request) -> Caller:
    """Authenticate by `Authorization: Bearer` or by `DPoP` with `Content-Tenant`; raises `unauthenticated` without either.

    A proven caller's request counts for its tenant; a refused one for its address (`rate-limited` when that is spent).
    """
    limits: Limits = request.app.state.limits
    try:
        found = await _caller(request)
    except ContentError as error:
        if not error.retryable:
            limits.spend_address(request)
        raise
    bind_contextvars(tenant=found.tenant, device=found.device_id)
    telemetry.hide(found.subject)
    authenticated(request.scope, found)
    await limits.spend(request, found.tenant)
    return found


async def public(request: Request) -> None:
    """What a route takes that asks nobody who they are: its requests count for their address."""
    limits: Limits = request.app.state.limits
    limits.spend_address(request)


async def _caller(request: Request) -> Caller:
    now = datetime.now(UTC)
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text:
        tokens: Tokens = request.app.state.tokens
        return tokens.read(text.strip(), now)
    if proof := request.headers.get("dpop"):
        return await _device(request, await connections(request), proof, now)
    raise ContentError("unauthenticated", "This needs a token or a device's proof.", "Send Authorization: Bearer …")


Authenticated = Annotated[Caller, Depends(caller)]
Public = Depends(public)


async def _device(request: Request, platform: Connections, text: str, now: datetime) -> Caller:
    settings = platform.settings
    url, tenant = f"{settings.api_url}{request.url.path}", request.headers.get("content-tenant", "")
    refused = ContentError("proof-invalid", "The device's proof is not valid here.", "Register the device again.")
    try:
        proof = verify_proof(text, method=request.method, url=url, tenant=tenant, now=now, skew_s=settings.dpop_skew_s)
    except ContentError as error:
        PROOFS.add(code=error.code)
        raise ContentError("proof-invalid", f"{refused.message} {error.message}", error.remedy) from error
    async with platform.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx, "select learner_id from devices where device_id = %s and state = 'active'", [proof.device_id]
        )
        if row is None:
            await require_not_elsewhere(tx, settings)
            PROOFS.add(code="device-unknown")
            raise refused
        await tx.execute(b"delete from device_proofs where device_id = %s and expires_at < now()", [proof.device_id])
        fresh = await fetch_one(
            tx,
            """insert into device_proofs (tenant, device_id, jti, expires_at) values (%s, %s, %s, %s)
               on conflict do nothing returning jti""",
            [tenant, proof.device_id, proof.jti, now + timedelta(seconds=4 * settings.dpop_skew_s)],
        )
        if fresh is None:
            PROOFS.add(code="proof-replayed")
            raise ContentError("proof-replayed", "This proof was used before.", "Make a new proof for each request.")
    return Caller(tenant, row["learner_id"], frozenset(), proof.device_id)
