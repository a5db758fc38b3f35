"""The revocation list: what a tenant has taken back, as opaque ids.

It is signed like any document (content/signatures.py, type `revocations`). Its version is [trust version, n], compared
in this order and never going back, so a thief of a signing key cannot push n out of reach: the next trust list outranks
it, and no list may name a trust version that the reader does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from content.canonical import canonical, rfc3339
from content.documents import IDENTIFIER, TENANT, THUMBPRINT, Fields, parse_document
from content.trust.keys import TrustRefused

TYPE: Final = "revocations"
MAX_BYTES: Final = 8 << 20
MAX_ENTRIES: Final = 100_000
PACKAGE_VERSION: Final = re.compile(r"[A-Za-z0-9_-]{1,64}/[1-9][0-9]{0,15}")

Version = tuple[int, int]


@dataclass(frozen=True)
class RevocationList:
    """All lists are sorted and without repetition (`to_bytes` sees to it). `versions` holds `<package id>/<version>`."""

    tenant: str
    version: Version
    issued_at: datetime
    expires: datetime
    bundles: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    kids: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        return canonical(
            {
                "type": TYPE,
                "shape": 1,
                "tenant": self.tenant,
                "version": list(self.version),
                "issued_at": rfc3339(self.issued_at),
                "expires": rfc3339(self.expires),
                "bundles": sorted(set(self.bundles)),
                "devices": sorted(set(self.devices)),
                "packages": sorted(set(self.packages)),
                "kids": sorted(set(self.kids)),
                "versions": sorted(set(self.versions)),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> RevocationList:
        """Raises DocumentRefused with `revocations-malformed` or a code of "Documents"."""
        fields = Fields(parse_document(data, TYPE, MAX_BYTES), TYPE)
        fields.expect(TYPE)
        trust_version, n = fields.integers("version", 2)
        found = cls(
            fields.text("tenant", TENANT),
            (trust_version, n),
            fields.time("issued_at"),
            fields.time("expires"),
            fields.names("bundles", IDENTIFIER, MAX_ENTRIES),
            fields.names("devices", THUMBPRINT, MAX_ENTRIES),
            fields.names("packages", IDENTIFIER, MAX_ENTRIES),
            fields.names("kids", THUMBPRINT, MAX_ENTRIES),
            fields.names("versions", PACKAGE_VERSION, MAX_ENTRIES),
        )
        fields.done()
        return found

    def require_fresh(self, now: datetime, grace_s: int) -> None:
        """Raises TrustRefused `revocations-stale` when the list has been expired for longer than the grace time."""
        if now - timedelta(seconds=grace_s) > self.expires:  # no sum: it may lie beyond the year 9999
            raise TrustRefused(
                "revocations-stale",
                f"What was taken back is known here as of {rfc3339(self.issued_at)} only, and the {grace_s // 86_400} days of grace are over.",
                "Go online once, or bring fresh lists on a memory stick.",
            )
