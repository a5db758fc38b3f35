"""P-256 keys as JWK (RFC 7517): the only kind of asymmetric key in this project.

A public key is exactly {"crv":"P-256","kty":"EC","x","y"}, its id the RFC 7638 thumbprint. What is parsed here is on the
curve and holds no private part, so everything after may use it without a look.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric import ec

from content.canonical import canonical
from content.errors import ContentError

P256: Final = ec.SECP256R1()
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
Rng = Callable[[int], bytes]
Jwk = dict[str, str]


@dataclass(eq=False)
class JwkRefused(ContentError):
    """A key that is not a public P-256 key in its one form."""


def b64(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def unb64(text: object) -> bytes:
    """The reverse, for exactly what `b64` writes: no padding, no other alphabet, no stray bits. Raises ValueError."""
    if not isinstance(text, str):
        raise ValueError("not a string")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(data) != text:
        raise ValueError("not canonical base64url")
    return data


def public_jwk(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> Jwk:
    """The public JWK of a key, private or public."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    numbers = public.public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": b64(numbers.x.to_bytes(32, "big")),
        "y": b64(numbers.y.to_bytes(32, "big")),
    }


def parse_jwk(jwk: object) -> ec.EllipticCurvePublicKey:
    """The key of a public JWK. Raises JwkRefused `jwk-private`, `jwk-malformed` or `jwk-off-curve`."""
    if not isinstance(jwk, Mapping):
        raise JwkRefused("jwk-malformed", "The key is not a JSON object.")
    members = cast("Mapping[str, Any]", jwk)
    if "d" in members:
        raise JwkRefused("jwk-private", "The key holds its private part.", "Treat this key as disclosed; make another.")
    if set(members) != {"crv", "kty", "x", "y"} or members["crv"] != "P-256" or members["kty"] != "EC":
        raise JwkRefused("jwk-malformed", "The key is not a P-256 key with exactly the members crv, kty, x and y.")
    try:
        x, y = unb64(members["x"]), unb64(members["y"])
    except ValueError as error:
        raise JwkRefused("jwk-malformed", "A coordinate of the key is not base64url.") from error
    if len(x) != 32 or len(y) != 32:
        raise JwkRefused("jwk-malformed", "A coordinate of the key is not 32 bytes long.")
    try:
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), P256)
        return numbers.public_key()
    except ValueError as error:
        raise JwkRefused("jwk-off-curve", "The key's point is not on the curve P-256.") from error


def thumbprint(key: Mapping[str, Any] | ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> str:
    """RFC 7638 with SHA-256, 43 base64url characters, of a JWK or a key."""
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        key = public_jwk(key)
    members = {name: key[name] for name in ("crv", "kty", "x", "y")}
    return b64(hashlib.sha256(canonical(members)).digest())


def generate_key(rng: Rng) -> ec.EllipticCurvePrivateKey:
    """A P-256 private key from 48 random bytes (FIPS 186-5 A.2.1, extra random bits)."""
    return ec.derive_private_key(int.from_bytes(rng(48), "big") % (ORDER - 1) + 1, P256)


def private_jwk(key: ec.EllipticCurvePrivateKey) -> Jwk:
    """The private JWK, for a device that must keep its key in a file (0600)."""
    return {**public_jwk(key), "d": b64(key.private_numbers().private_value.to_bytes(32, "big"))}


def parse_private_jwk(jwk: Mapping[str, Any]) -> ec.EllipticCurvePrivateKey:
    """The reverse of `private_jwk`. Raises JwkRefused `jwk-malformed`, also if the two parts do not belong together."""
    try:
        scalar = int.from_bytes(unb64(jwk["d"]), "big")
        key = ec.derive_private_key(scalar, P256)
    except (KeyError, ValueError) as error:
        raise JwkRefused("jwk-malformed", "This is not a private P-256 key.") from error
    if private_jwk(key) != dict(jwk):
        raise JwkRefused("jwk-malformed", "The private part does not belong to the public one.")
    return key
