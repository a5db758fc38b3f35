"""Registration: a device shows that it holds both its private keys (docs/bundle-format.md, "Device registration").

The server sends a nonce and a secret encrypted to the encryption key; the device answers with one JWS by its signing
key over nonce, tenant, encryption key and that secret. Nonces are single use and short-lived: the caller sees to it,
as it sees to the learner, who comes from the bearer token.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from content.canonical import canonical
from content.devices.identity import DeviceIdentity, DeviceRefused
from content.documents import TENANT, Fields, parse_json
from content.jose import LocalSigner, decrypt, encrypt, require_header, require_signature, sign_compact, split_compact
from content.jwk import Jwk, Rng, b64, parse_jwk, thumbprint, unb64

TYP: Final = "content-device-registration+jws"
CHALLENGE_TYP: Final = "content-device-challenge+jwe"
MAX_CHARS: Final = 4096
NONCE: Final = re.compile(r"[A-Za-z0-9_-]{16,128}")
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Registration:
    """What a verified registration says; the keys are checked public P-256 keys."""

    device_id: str
    signing_jwk: Jwk
    encryption_jwk: Jwk


def make_challenge(encryption_jwk: Mapping[str, Any], rng: Rng) -> tuple[bytes, str]:
    """(secret to remember beside the nonce, JWE to send) for a device's encryption key. Raises JwkRefused."""
    parse_jwk(encryption_jwk)
    secret = rng(32)
    return secret, encrypt(secret, encryption_jwk, typ=CHALLENGE_TYP, kid=thumbprint(encryption_jwk), rng=rng)


def make_registration(device: DeviceIdentity, *, nonce: str, challenge: str, deterministic: bool = False) -> str:
    """The device's side: open the challenge and sign. Raises JoseRefused for a challenge that is not this device's."""
    _, secret = decrypt(challenge, device.encryption, typ=CHALLENGE_TYP, kid=device.encryption_thumbprint)
    payload = {
        "type": "device-registration",
        "shape": 1,
        "tenant": device.tenant,
        "nonce": nonce,
        "encryption": device.encryption_jwk,
        "answer": b64(secret),
    }
    header = {"alg": "ES256", "jwk": device.signing_jwk, "typ": TYP}
    return sign_compact(header, canonical(payload), LocalSigner(device.signing, deterministic))


def verify_registration(
    jws: object, *, nonce: str, tenant: str, secret: bytes, encryption_jwk: Mapping[str, Any] | None = None
) -> Registration:
    """The server's side. With `encryption_jwk`, only the key that the challenge was made for.

    Raises JoseRefused (`jws-…`), JwkRefused, DocumentRefused (`registration-malformed`) or DeviceRefused:
    `registration-tenant`, `registration-nonce`, `registration-answer`, `registration-encryption-key`,
    `registration-same-key`.
    """
    parts = split_compact(jws, MAX_CHARS)
    signing: Any = parts.header.get("jwk")
    require_header(parts, {"alg": "ES256", "jwk": signing, "typ": TYP})
    key = parse_jwk(signing)
    require_signature(parts, key)
    fields = Fields(parse_json(parts.payload, "registration", MAX_CHARS), "registration")
    fields.expect("device-registration")
    if fields.text("tenant", TENANT) != tenant:
        raise DeviceRefused("registration-tenant", "The registration is for another tenant.")
    if not hmac.compare_digest(fields.text("nonce", NONCE), nonce):
        raise DeviceRefused("registration-nonce", "The registration answers another nonce.", "Ask for a new nonce.")
    encryption: Any = fields.take("encryption")
    answer = fields.text("answer", SECRET)
    fields.done()
    parse_jwk(encryption)
    if encryption_jwk is not None and encryption != dict(encryption_jwk):
        raise DeviceRefused("registration-encryption-key", "The challenge was made for another encryption key.")
    if thumbprint(encryption) == thumbprint(signing):
        raise DeviceRefused("registration-same-key", "One key was given for both signing and encryption.")
    try:
        answered = hmac.compare_digest(unb64(answer), secret)
    except ValueError:
        answered = False
    if not answered:
        raise DeviceRefused("registration-answer", "The challenge was not answered with the device's encryption key.")
    return Registration(thumbprint(signing), dict(signing), dict(encryption))
