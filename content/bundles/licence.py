"""The licence: a small signed document that lets one device open one bundle.

It names device, times, sequence, the index by digest, and holds the content keys wrapped for the device. It is under
2 KiB with one or two keys however large the course is. docs/bundle-format.md, "Licence".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from content.bundles.index import PATH
from content.canonical import canonical, rfc3339
from content.documents import DIGEST, IDENTIFIER, TENANT, THUMBPRINT, Fields, parse_document

TYPE: Final = "licence"
MAX_BYTES: Final = 16 << 10
MAX_KEYS: Final = 16
MAX_GRACE_S: Final = 10 * 366 * 24 * 3600
BUNDLE_ID: Final = re.compile(r"bnd_[a-z0-9]{26}")
JWE: Final = re.compile(r"[A-Za-z0-9_.-]{1,2048}")
PROFILE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,38}")


class Sequence(NamedTuple):
    """What orders the bundles of a (device, package): compared member by member, the epoch first."""

    epoch: int
    package_version: int
    n: int


@dataclass(frozen=True)
class Device:
    """The device a licence is for: its id (thumbprint of the signing key) and its encryption key's thumbprint."""

    id: str
    encryption: str


@dataclass(frozen=True)
class IndexRef:
    """Where the index lies (below `bundles/{tenant}/`), its size in bytes and digest."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class Licence:
    """Times are UTC with whole seconds; `keys` maps a content key's id to its JWE for the device."""

    bundle_id: str
    issue: int
    tenant: str
    package_id: str
    version: int
    manifest: str
    device: Device
    sequence: Sequence
    issued_at: datetime
    not_before: datetime
    not_after: datetime
    offline_grace_s: int
    min_revocations: tuple[int, int]
    profile: str
    keys: Mapping[str, str]
    index: IndexRef

    def to_bytes(self) -> bytes:
        return canonical(
            {
                "type": TYPE,
                "shape": 1,
                "bundle_id": self.bundle_id,
                "issue": self.issue,
                "tenant": self.tenant,
                "package_id": self.package_id,
                "version": self.version,
                "manifest": self.manifest,
                "device": {"id": self.device.id, "encryption": self.device.encryption},
                "sequence": list(self.sequence),
                "issued_at": rfc3339(self.issued_at),
                "not_before": rfc3339(self.not_before),
                "not_after": rfc3339(self.not_after),
                "offline_grace_s": self.offline_grace_s,
                "min_revocations": list(self.min_revocations),
                "profile": self.profile,
                "keys": dict(self.keys),
                "index": {"path": self.index.path, "size": self.index.size, "digest": self.index.digest},
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Licence:
        """Raises DocumentRefused: `licence-malformed`, `licence-too-large`, `document-…`."""
        fields = Fields(parse_document(data, TYPE, MAX_BYTES), TYPE)
        fields.expect(TYPE)
        device = fields.fields("device")
        trust_version, n = fields.integers("min_revocations", 2)
        found = cls(
            fields.text("bundle_id", BUNDLE_ID),
            fields.integer("issue", 1),
            fields.text("tenant", TENANT),
            fields.text("package_id", IDENTIFIER),
            fields.integer("version", 1),
            fields.text("manifest", DIGEST),
            Device(device.text("id", THUMBPRINT), device.text("encryption", THUMBPRINT)),
            Sequence(*fields.integers("sequence", 3)),
            fields.time("issued_at"),
            fields.time("not_before"),
            fields.time("not_after"),
            fields.integer("offline_grace_s", 0, MAX_GRACE_S),
            (trust_version, n),
            fields.text("profile", PROFILE),
            _parse_keys(fields),
            parse_index_ref(fields),
        )
        for part in (fields, device):
            part.done()
        if found.sequence.package_version != found.version or found.not_before > found.not_after:
            raise fields.refuse("sequence and version, or the times, do not fit each other")
        return found


def parse_index_ref(fields: Fields) -> IndexRef:
    """The member `index` of a licence. Raises DocumentRefused as `Licence.parse`."""
    index = fields.fields("index")
    found = IndexRef(index.text("path", PATH), index.integer("size", 1), index.text("digest", DIGEST))
    index.done()
    return found


def _parse_keys(fields: Fields) -> dict[str, str]:
    keys: Any = fields.take("keys")
    if not isinstance(keys, dict) or not 1 <= len(cast("dict[str, Any]", keys)) <= MAX_KEYS:
        raise fields.refuse(f"keys is not an object of 1 to {MAX_KEYS} members")
    entries = Fields(cast("object", keys), TYPE)
    found: dict[str, str] = {}
    for kid in cast("dict[str, Any]", keys):
        if IDENTIFIER.fullmatch(kid) is None:
            raise fields.refuse("a key id has not the required form")
        found[kid] = entries.text(kid, JWE)
    return found
