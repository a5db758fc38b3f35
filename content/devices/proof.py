"""Proof of possession for each later request: DPoP (RFC 9449) with the device's signing key and its tenant.

A proof is good for one method, one URL (without query and fragment), a short time and one use; the caller remembers
the `jti` for as long as the time window is wide. docs/bundle-format.md, "Proof".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from content.canonical import canonical
from content.devices.identity import DeviceIdentity, DeviceRefused
from content.documents import TENANT, Fields, parse_json
from content.jose import LocalSigner, require_header, require_signature, sign_compact, split_compact
from content.jwk import Jwk, Rng, b64, parse_jwk, thumbprint

TYP: Final = "dpop+jwt"
MAX_CHARS: Final = 4096
JTI: Final = re.compile(r"[A-Za-z0-9_-]{16,128}")
METHOD: Final = re.compile(r"[A-Z]{1,16}")
URL: Final = re.compile(r"https?://[!-~]{1,2000}")


@dataclass(frozen=True)
class Proof:
    """What a verified proof says. `jti` has to be remembered until `issued_at` + skew."""

    device_id: str
    signing_jwk: Jwk
    jti: str
    issued_at: datetime


def bare_url(url: str) -> str:
    """The URL without query and fragment, as `htu` carries it."""
    scheme, host, path, _, _ = urlsplit(url)
    return urlunsplit((scheme, host, path, "", ""))


def make_proof(
    device: DeviceIdentity, *, method: str, url: str, now: datetime, rng: Rng, deterministic: bool = False
) -> str:
    """A proof for one request; takes 16 bytes from `rng` for the jti."""
    claims = {
        "htm": method,
        "htu": bare_url(url),
        "iat": int(now.timestamp()),
        "jti": b64(rng(16)),
        "tenant": device.tenant,
    }
    header = {"alg": "ES256", "jwk": device.signing_jwk, "typ": TYP}
    return sign_compact(header, canonical(claims), LocalSigner(device.signing, deterministic))


def verify_proof(
    jws: object, *, method: str, url: str, tenant: str, now: datetime, skew_s: int = 60, device_id: str | None = None
) -> Proof:
    """With `device_id`, only that device's proof.

    Raises JoseRefused (`jws-…`), JwkRefused, DocumentRefused (`proof-malformed`) or DeviceRefused: `proof-device`,
    `proof-method`, `proof-url`, `proof-tenant`, `proof-time`. A jti seen before is the caller's `proof-replayed`.
    """
    parts = split_compact(jws, MAX_CHARS)
    signing: Any = parts.header.get("jwk")
    require_header(parts, {"alg": "ES256", "jwk": signing, "typ": TYP})
    key = parse_jwk(signing)
    require_signature(parts, key)
    if device_id is not None and thumbprint(signing) != device_id:
        raise DeviceRefused("proof-device", "The proof is by another device.")
    fields = Fields(parse_json(parts.payload, "proof", MAX_CHARS), "proof")
    htm, htu = fields.text("htm", METHOD), fields.text("htu", URL)
    iat, jti, claimed_tenant = fields.integer("iat"), fields.text("jti", JTI), fields.text("tenant", TENANT)
    fields.done()
    if htm != method:
        raise DeviceRefused("proof-method", "The proof is for another method.")
    if htu != bare_url(url):
        raise DeviceRefused("proof-url", "The proof is for another URL.")
    if claimed_tenant != tenant:
        raise DeviceRefused("proof-tenant", "The proof is for another tenant.")
    if abs(now.timestamp() - iat) > skew_s:
        raise DeviceRefused(
            "proof-time", f"The proof is not from the last {skew_s} seconds.", "Set the device's clock."
        )
    return Proof(thumbprint(signing), dict(signing), jti, datetime.fromtimestamp(iat, UTC))
