"""What a reader remembers between openings, so that nothing old can be played back to it.

A value: opening a bundle takes one state and gives the next. It holds the trust list, the highest revocation version,
the highest sequence per package, which documents were accepted, when a kid was first seen revoked, and the clock
floor, which only signed times raise. docs/bundle-format.md, "What the reader remembers".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

from content.bundles.licence import BUNDLE_ID, Sequence
from content.canonical import canonical, digest, rfc3339
from content.documents import DIGEST, IDENTIFIER, THUMBPRINT, Fields, parse_document
from content.trust.chain import TrustState
from content.trust.lists import TrustList

TYPE: Final = "reader-state"
MAX_BYTES: Final = 8 << 20
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LIST_TEXT: Final = re.compile(r"[\s\S]{1,65536}")


@dataclass(frozen=True)
class Seen:
    """The highest licence accepted for a package."""

    sequence: Sequence
    bundle_id: str
    issue: int
    licence: str


@dataclass(frozen=True)
class ReaderState:
    """One device's memory within its tenant. The default is a device that has seen nothing."""

    trust: TrustState | None = None
    revocations: tuple[int, int] = (0, 0)
    revocations_digest: str | None = None
    packages: Mapping[str, Seen] = field(default_factory=dict[str, Seen])
    revoked_since: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    clock_floor: datetime = EPOCH

    def to_bytes(self) -> bytes:
        """Canonical bytes for the device's own storage; not signed, never sent."""
        return canonical(
            {
                "type": TYPE,
                "shape": 1,
                "trust": [self.trust.latest.to_bytes().decode("utf-8")] if self.trust else [],
                "revocations": list(self.revocations),
                "revocations_digest": [self.revocations_digest] if self.revocations_digest else [],
                "packages": {
                    package: {
                        "sequence": list(seen.sequence),
                        "bundle_id": seen.bundle_id,
                        "issue": seen.issue,
                        "licence": seen.licence,
                    }
                    for package, seen in self.packages.items()
                },
                "revoked_since": {kid: rfc3339(since) for kid, since in self.revoked_since.items()},
                "clock_floor": rfc3339(self.clock_floor),
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> ReaderState:
        """The reverse. Raises DocumentRefused `reader-state-malformed` and codes of "Documents"."""
        fields = Fields(parse_document(data, TYPE, MAX_BYTES), TYPE)
        fields.expect(TYPE)
        lists = fields.names("trust", LIST_TEXT, 1)
        trust = None
        if lists:
            text = lists[0].encode("utf-8")
            trust = TrustState(TrustList.parse(text), digest(text))
        trust_version, n = fields.integers("revocations", 2)
        digests = fields.names("revocations_digest", DIGEST, 1)
        packages = {name: _parse_seen(seen) for name, seen in _members(fields, "packages", IDENTIFIER).items()}
        times = _members(fields, "revoked_since", THUMBPRINT)
        since = Fields(times, TYPE)
        found = cls(
            trust,
            (trust_version, n),
            digests[0] if digests else None,
            packages,
            {kid: since.time(kid) for kid in times},
            fields.time("clock_floor"),
        )
        fields.done()
        return found


def _members(fields: Fields, name: str, pattern: re.Pattern[str]) -> dict[str, Any]:
    members: Any = fields.take(name)
    if not isinstance(members, dict) or not all(pattern.fullmatch(key) for key in cast("dict[str, Any]", members)):
        raise fields.refuse(f"{name} is not an object with such names")
    return cast("dict[str, Any]", members)


def _parse_seen(member: object) -> Seen:
    fields = Fields(member, TYPE)
    seen = Seen(
        Sequence(*fields.integers("sequence", 3)),
        fields.text("bundle_id", BUNDLE_ID),
        fields.integer("issue", 1),
        fields.text("licence", DIGEST),
    )
    fields.done()
    return seen
