"""From one revocation list to a later one without fetching a long list again.

A delta is not signed: it only says how to write the later list, whose own signature travels beside it and decides. So a
wrong delta can do no more than make a device fetch the whole list. docs/bundle-format.md, "Revocation delta".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from content.canonical import canonical, rfc3339
from content.documents import IDENTIFIER, TENANT, THUMBPRINT, Fields, parse_document
from content.trust.keys import TrustRefused
from content.trust.revocations import MAX_BYTES, MAX_ENTRIES, PACKAGE_VERSION, RevocationList, Version

TYPE: Final = "revocations-delta"
MEMBERS: Final[Mapping[str, re.Pattern[str]]] = {
    "bundles": IDENTIFIER,
    "devices": THUMBPRINT,
    "kids": THUMBPRINT,
    "packages": IDENTIFIER,
    "versions": PACKAGE_VERSION,
}
Entries = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class RevocationDelta:
    """`add` and `remove` have each of the five members, sorted."""

    tenant: str
    base: Version
    version: Version
    issued_at: datetime
    expires: datetime
    add: Entries
    remove: Entries

    @classmethod
    def between(cls, old: RevocationList, new: RevocationList) -> RevocationDelta:
        def difference(one: RevocationList, other: RevocationList) -> Entries:
            return {name: tuple(sorted(set(getattr(one, name)) - set(getattr(other, name)))) for name in MEMBERS}

        return cls(
            new.tenant, old.version, new.version, new.issued_at, new.expires, difference(new, old), difference(old, new)
        )

    def to_bytes(self) -> bytes:
        return canonical(
            {
                "type": TYPE,
                "shape": 1,
                "tenant": self.tenant,
                "from": list(self.base),
                "version": list(self.version),
                "issued_at": rfc3339(self.issued_at),
                "expires": rfc3339(self.expires),
                "add": {name: list(self.add[name]) for name in MEMBERS},
                "remove": {name: list(self.remove[name]) for name in MEMBERS},
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> RevocationDelta:
        """Raises DocumentRefused `revocations-delta-malformed`, `-too-large` or a code of "Documents"."""
        fields = Fields(parse_document(data, TYPE, MAX_BYTES), TYPE)
        fields.expect(TYPE)
        base, version = fields.integers("from", 2), fields.integers("version", 2)
        found = cls(
            fields.text("tenant", TENANT),
            (base[0], base[1]),
            (version[0], version[1]),
            fields.time("issued_at"),
            fields.time("expires"),
            _entries(fields.fields("add")),
            _entries(fields.fields("remove")),
        )
        fields.done()
        return found

    def apply(self, old: RevocationList) -> RevocationList:
        """The later list, unsigned. Raises TrustRefused `revocations-delta-base` unless `old` is what it begins with."""
        fits = old.version == self.base and old.tenant == self.tenant
        lists: dict[str, tuple[str, ...]] = {}
        for name in MEMBERS:
            have, add, remove = set(getattr(old, name)), set(self.add[name]), set(self.remove[name])
            fits = fits and remove <= have and not add & have
            lists[name] = tuple(sorted((have - remove) | add))
        if not fits:
            raise TrustRefused(
                "revocations-delta-base",
                "The delta does not begin with the list that is here.",
                "Fetch the whole list.",
            )
        return RevocationList(self.tenant, self.version, self.issued_at, self.expires, **lists)


def _entries(fields: Fields) -> Entries:
    found = {name: fields.names(name, pattern, MAX_ENTRIES) for name, pattern in MEMBERS.items()}
    fields.done()
    return found
