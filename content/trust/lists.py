"""Trust lists: which keys sign for a tenant, said by root keys that do nothing else.

One list is a payload, canonical and strict, in a JWS by several root keys (docs/bundle-format.md, "Trust list"). Whether
a list is to be believed is not said here but in content/trust/chain.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from content.canonical import canonical, rfc3339
from content.documents import TENANT, THUMBPRINT, Fields, parse_document
from content.jose import Signer, sign_general
from content.jwk import Jwk, parse_jwk, thumbprint
from content.trust.keys import KeyStatus, TrustedKey

TYP: Final = "content-trust-list+jws"
MAX_BYTES: Final = 64 << 10
MAX_ROOTS: Final = 8
MAX_KEYS: Final = 64


@dataclass(frozen=True)
class TrustList:
    """The payload of one trust list. `roots` and `keys` are ordered by kid; times are UTC with whole seconds."""

    iss: str
    version: int
    issued_at: datetime
    expires: datetime
    threshold: int
    roots: tuple[Jwk, ...]
    keys: tuple[TrustedKey, ...]

    def to_bytes(self) -> bytes:
        return canonical(
            {
                "type": "trust-list",
                "shape": 1,
                "iss": self.iss,
                "version": self.version,
                "issued_at": rfc3339(self.issued_at),
                "expires": rfc3339(self.expires),
                "threshold": self.threshold,
                "roots": sorted(self.roots, key=thumbprint),
                "keys": [
                    {
                        **key.jwk,
                        "kid": key.kid,
                        "not_before": rfc3339(key.not_before),
                        "not_after": rfc3339(key.not_after),
                        "status": key.status.value,
                    }
                    for key in sorted(self.keys, key=lambda key: key.kid)
                ],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> TrustList:
        """Raises DocumentRefused or JwkRefused; code `trust-list-malformed` and those of "Documents" and "JOSE"."""
        fields = Fields(parse_document(data, "trust-list", MAX_BYTES), "trust-list")
        fields.expect("trust-list")
        roots = tuple(fields.items("roots", MAX_ROOTS))
        root_ids = [thumbprint_of(root) for root in roots]
        keys = tuple(_parse_key(member) for member in fields.items("keys", MAX_KEYS))
        kids = [key.kid for key in keys]
        found = cls(
            fields.text("iss", TENANT),
            fields.integer("version", 1),
            fields.time("issued_at"),
            fields.time("expires"),
            fields.integer("threshold", 1, max(1, len(roots))),
            roots,
            keys,
        )
        fields.done()
        if not roots or root_ids != sorted(set(root_ids)) or kids != sorted(set(kids)):
            raise fields.refuse("roots or keys are missing, repeated or not ordered by kid")
        if set(kids) & set(root_ids):
            raise fields.refuse("a root key is also a signing key")
        return found

    @property
    def root_ids(self) -> frozenset[str]:
        return frozenset(thumbprint(root) for root in self.roots)


def thumbprint_of(jwk: object) -> str:
    parse_jwk(jwk)
    return thumbprint(jwk)  # pyright: ignore[reportArgumentType]  # parse_jwk has just shown that it is one


def _parse_key(member: object) -> TrustedKey:
    fields = Fields(member, "trust-list")
    jwk: Jwk = {name: fields.take(name) for name in ("crv", "kty", "x", "y")}
    kid = fields.text("kid", THUMBPRINT)
    not_before, not_after = fields.time("not_before"), fields.time("not_after")
    status = fields.take("status")
    fields.done()
    if (
        thumbprint_of(jwk) != kid
        or not_before > not_after
        or not isinstance(status, str)
        or status not in set(KeyStatus)
    ):
        raise fields.refuse("a key has the wrong kid, period or status")
    return TrustedKey(kid, jwk, not_before, not_after, KeyStatus(status))


def make_trust_list(payload: TrustList, root_signers: Sequence[Signer]) -> dict[str, Any]:
    """Sign a list: by the threshold of its own roots and, from the second version on, of the roots before."""
    return sign_general({"alg": "ES256", "typ": TYP}, payload.to_bytes(), root_signers)
