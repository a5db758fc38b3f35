"""A device as it knows itself: two P-256 keys, one to sign and one to agree on keys, and its tenant.

The id is the RFC 7638 thumbprint of the signing key, so another key is another device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from content.errors import ContentError
from content.jwk import Jwk, Rng, generate_key, parse_jwk, parse_private_jwk, private_jwk, public_jwk, thumbprint


@dataclass(eq=False)
class DeviceRefused(ContentError):
    """A registration or proof that does not show what it should."""


def device_id(signing_jwk: Mapping[str, Any]) -> str:
    """The device's id from its public signing key. Raises JwkRefused `jwk-…`."""
    parse_jwk(signing_jwk)
    return thumbprint(signing_jwk)


@dataclass(frozen=True)
class DeviceIdentity:
    """Private keys are left out of every repr."""

    tenant: str
    signing: ec.EllipticCurvePrivateKey = field(repr=False)
    encryption: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def generate(cls, tenant: str, rng: Rng) -> DeviceIdentity:
        return cls(tenant, generate_key(rng), generate_key(rng))

    @property
    def id(self) -> str:
        return thumbprint(self.signing)

    @property
    def encryption_thumbprint(self) -> str:
        return thumbprint(self.encryption)

    @property
    def signing_jwk(self) -> Jwk:
        return public_jwk(self.signing)

    @property
    def encryption_jwk(self) -> Jwk:
        return public_jwk(self.encryption)

    def to_secret(self) -> dict[str, Any]:
        """All of it, private keys too, as JSON: for a file that only its owner can read."""
        return {
            "tenant": self.tenant,
            "signing": private_jwk(self.signing),
            "encryption": private_jwk(self.encryption),
        }

    @classmethod
    def from_secret(cls, secret: Mapping[str, Any]) -> DeviceIdentity:
        """The reverse of `to_secret`. Raises JwkRefused or KeyError."""
        return cls(secret["tenant"], parse_private_jwk(secret["signing"]), parse_private_jwk(secret["encryption"]))
