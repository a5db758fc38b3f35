"""What a stack knows of the other regions it is joined to: its own region, and one secret and address for each link.

Written by `cluster.local.regions` before the stack starts, into `keys/links.json` (0600), and found again whenever this
region is started alone. A stack without the file stands alone: its NATS has one account and no links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from cluster.local.home import Home, read_json, write_json


@dataclass(frozen=True)
class Links:
    """`passwords` of the peers that connect here; `addresses` (with credentials) of those that this region connects to."""

    region: str
    passwords: Mapping[str, str] = field(default_factory=dict[str, str])
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def peers(self) -> tuple[str, ...]:
        return tuple(sorted({*self.passwords, *self.addresses}))

    @classmethod
    def read(cls, home: Home) -> Links | None:
        found = read_json(home.keys / "links.json")
        return cls(**found) if found else None

    def write(self, home: Home) -> None:
        write_json(home.keys / "links.json", asdict(self))
