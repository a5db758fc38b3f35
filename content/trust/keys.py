"""The signing keys that a reader believes, with the rules of docs/bundle-format.md, "Which key may sign what".

Built from a verified trust list and from the kids that a verified revocation list names. A lookup is always about one
signed time: a key signs within its period, and nothing after it was retired.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric import ec

from content.errors import ContentError
from content.jwk import Jwk, parse_jwk, public_jwk, thumbprint


@dataclass(eq=False)
class TrustRefused(ContentError):
    """A trust list, revocation list or key that must not be believed."""


class KeyStatus(StrEnum):
    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True)
class TrustedKey:
    """One signing key of a trust list. It signs from `not_before` to `not_after`, both included."""

    kid: str
    jwk: Jwk
    not_before: datetime
    not_after: datetime
    status: KeyStatus

    @classmethod
    def of(
        cls,
        key: ec.EllipticCurvePublicKey,
        not_before: datetime,
        not_after: datetime,
        status: KeyStatus = KeyStatus.ACTIVE,
    ) -> TrustedKey:
        return cls(thumbprint(key), public_jwk(key), not_before, not_after, status)


@dataclass(frozen=True)
class TrustedKeys:
    """Keys by kid, and the kids that are revoked by either list."""

    keys: tuple[TrustedKey, ...]
    revoked: frozenset[str] = frozenset()

    def without(self, kids: Iterable[str]) -> TrustedKeys:
        """The same keys, with these kids revoked as well (from a revocation list)."""
        return replace(self, revoked=self.revoked | frozenset(kids))

    def is_revoked(self, kid: str) -> bool:
        return kid in self.revoked or any(key.kid == kid and key.status is KeyStatus.REVOKED for key in self.keys)

    def find(self, kid: str, signed_at: datetime, *, allow_revoked: bool = False) -> ec.EllipticCurvePublicKey:
        """The key for something signed at that time.

        Raises TrustRefused `kid-unknown`, `kid-revoked`, `kid-not-yet-valid`, `kid-retired` or `kid-expired`.
        `allow_revoked` is for what this device had accepted before the kid was revoked (grace time).
        """
        for key in self.keys:
            if key.kid == kid:
                return self._checked(key, signed_at, allow_revoked)
        raise TrustRefused("kid-unknown", f"No trust list knows the signing key {kid}.", "Fetch the trust lists.")

    def _checked(self, key: TrustedKey, signed_at: datetime, allow_revoked: bool) -> ec.EllipticCurvePublicKey:
        if self.is_revoked(key.kid) and not allow_revoked:
            raise TrustRefused("kid-revoked", f"The signing key {key.kid} is revoked.", "Fetch the document again.")
        if signed_at < key.not_before:
            raise TrustRefused("kid-not-yet-valid", f"The signing key {key.kid} was not in use at the signed time.")
        if signed_at > key.not_after:
            code = "kid-retired" if key.status is KeyStatus.RETIRED else "kid-expired"
            raise TrustRefused(code, f"The signing key {key.kid} was no longer in use at the signed time.")
        return parse_jwk(key.jwk)
