"""Who is asking: a bearer token of the identity provider (tenant and scopes), or a device by a proof with its own key.

Tokens are ES256 or RS256, checked against the provider's published keys with issuer, audience and times; a header may
hold `alg`, `kid` and `typ` and nothing else, so no key that a token brings along is ever looked at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from structlog.contextvars import bind_contextvars

from cluster import telemetry
from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.settings import Settings
from cluster.telemetry.metrics import PROOFS
from content.devices.proof import verify_proof
from content.errors import ContentError
from serve_app.limits import Limits
from serve_app.requests import authenticated
from tasks.tenants import wrong_region

LEEWAY_S = 30
KNOWN_HEADER = {"alg", "kid", "typ"}
TYPES = {"jwt", "at+jwt"}
"""What an access token may call itself; a proof, an id token or a logout token of the same provider is none."""


@dataclass(frozen=True)
class Caller:
    """An authenticated caller. `device_id` is set when a device proved itself; then there are no scopes."""

    tenant: str
    subject: str
    scopes: frozenset[str]
    device_id: str | None = None

    def require(self, scope: str) -> None:
        """Raises `forbidden` unless the token has the scope; `operator` has them all."""
        if not self.scopes & {scope, "operator"}:
            raise ContentError("forbidden", f"This needs the scope {scope}.", "Ask for a token with that scope.")


def _keys(path: Path | None) -> KeySet:
    """The provider's keys as they are now: a key that was withdrawn is refused as soon as the file says so."""
    if path is None:
        raise ContentError("token-invalid", "No identity provider is configured.", "Set CONTENT_JWT_JWKS_FILE.")
    return _read_keys(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_keys(path: Path, changed_ns: int) -> KeySet:
    return KeySet.import_key_set(json.loads(path.read_text()))


def read_token(text: str, settings: Settings, now: datetime) -> Caller:
    """The caller of a bearer token. Raises ContentError `token-invalid`, the same for every reason."""
    refused = ContentError("token-invalid", "The token is not valid here.", "Get a new one from the identity provider.")
    try:
        token = jwt.decode(text, _keys(settings.jwt_jwks_file), algorithms=["ES256", "RS256"])
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise refused from error
    claims: dict[str, Any] = token.claims
    audience = claims.get("aud")
    seconds = now.timestamp()
    try:
        ok = (
            set(token.header) <= KNOWN_HEADER
            and str(token.header.get("typ", "JWT")).lower().removeprefix("application/") in TYPES
            and claims["iss"] == settings.jwt_issuer
            and settings.jwt_audience in (audience if isinstance(audience, list) else [audience])
            and float(claims.get("nbf", 0)) - LEEWAY_S <= seconds
            and float(claims["iat"]) - LEEWAY_S <= seconds < float(claims["exp"]) + LEEWAY_S
            and float(claims["exp"]) - float(claims["iat"]) <= settings.jwt_max_age_s
        )
        caller = Caller(str(claims["tenant"]), str(claims["sub"]), frozenset(str(claims["scope"]).split()))
    except (KeyError, TypeError, ValueError) as error:
        raise refused from error
    if not ok:
        raise refused
    if (home := claims.get("region", settings.region)) != settings.region:
        raise wrong_region(settings, str(home))
    return caller


def connections(request: Request) -> Connections:
    """What this replica is connected to."""
    return request.app.state.connections


Platform = Annotated[Connections, Depends(connections)]


async def caller(request: Request, platform: Platform) -> Caller:
    """Authenticate by `Authorization: Bearer` or by `DPoP` with `Content-Tenant`; raises `unauthenticated` without either.

    A proven caller's request counts for its tenant; a refused one for its address (`rate-limited` when that is spent).
    """
    limits: Limits = request.app.state.limits
    try:
        found = await _caller(request, platform)
    except ContentError as error:
        if not error.retryable:
            limits.spend_address(request)
        raise
    bind_contextvars(tenant=found.tenant, device=found.device_id)
    telemetry.hide(found.subject)
    authenticated(request.scope, found)
    await limits.spend(request, found.tenant)
    return found


def public(request: Request) -> None:
    """What a route takes that asks nobody who they are: its requests count for their address."""
    limits: Limits = request.app.state.limits
    limits.spend_address(request)


async def _caller(request: Request, platform: Connections) -> Caller:
    now = datetime.now(UTC)
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text:
        return read_token(text.strip(), platform.settings, now)
    if proof := request.headers.get("dpop"):
        return await _device(request, platform, proof, now)
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
