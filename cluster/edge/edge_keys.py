"""The key that signs addresses of the edge, and its successor: what is known, what is done next, and when. Decisions only.

A rotation has three steps, and between them nothing that was ever signed is refused: the new public key is put into the edge's key
group, while the old one goes on signing; when every edge knows it, the service signs with it; and the old one is taken out after the
last address that it signed has expired. What is known stands in settings (`edge_key_id`, `edge_private_key`, `edge_next_…`,
`edge_retired_keys`), so a step that was cut off is done again without harm.

Before: `cluster.settings`. After: `tasks.edge.edge_rotation`, which does the steps, and `content-service edge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cluster.edge import cdn
from cluster.settings import Settings
from content.canonical import parse_rfc3339, rfc3339

MOST_KEYS = 5
"""In a key group of CloudFront."""
State = Literal["signs", "next", "retired", "unknown"]


class KeyGroup(Protocol):
    """The public keys that an edge takes signatures of, by id."""

    def keys(self) -> dict[str, str]:
        """PEM by id."""
        ...

    def add(self, pem: str) -> str:
        """Put a key in and return its id; one that is in already is not put in twice."""
        ...

    def remove(self, key_id: str) -> None: ...

    def changed_at(self) -> datetime: ...

    def settles_s(self) -> float:
        """So long after a change there may be an edge somewhere that does not know it."""
        ...


@dataclass(frozen=True)
class UrlKeys:
    """What the settings say. The PEMs are secret: nothing here prints them."""

    key_id: str
    pem: str = field(repr=False)
    next_id: str = ""
    next_pem: str = field(default="", repr=False)
    retired: Mapping[str, datetime] = field(default_factory=dict[str, datetime])

    @classmethod
    def of(cls, settings: Settings) -> UrlKeys:
        return cls(
            settings.edge_key_id,
            settings.edge_private_key.get_secret_value(),
            settings.edge_next_key_id,
            settings.edge_next_private_key.get_secret_value(),
            {key_id: parse_rfc3339(since) for key_id, since in settings.edge_retired_keys.items()},
        )

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> UrlKeys:
        """Of the members of a file or a secret (`as_settings`); others are left alone."""
        retired: Mapping[str, str] = document.get("edge_retired_keys") or {}
        return cls(
            str(document["edge_key_id"]),
            str(document["edge_private_key"]),
            str(document.get("edge_next_key_id") or ""),
            str(document.get("edge_next_private_key") or ""),
            {key_id: parse_rfc3339(since) for key_id, since in retired.items()},
        )

    def as_settings(self) -> dict[str, Any]:
        return {
            "edge_key_id": self.key_id,
            "edge_private_key": self.pem,
            "edge_next_key_id": self.next_id,
            "edge_next_private_key": self.next_pem,
            "edge_retired_keys": {key_id: rfc3339(since) for key_id, since in sorted(self.retired.items())},
        }

    def with_next(self, pem: str, key_id: str = "") -> UrlKeys:
        return replace(self, next_pem=pem, next_id=key_id)

    def switched(self, now: datetime) -> UrlKeys:
        """The next key signs, and the one that did is retired from now on."""
        return UrlKeys(self.next_id, self.next_pem, retired={**self.retired, self.key_id: now})

    def without(self, key_id: str) -> UrlKeys:
        return replace(self, retired={other: since for other, since in self.retired.items() if other != key_id})


@dataclass(frozen=True)
class Publish:
    """Make the next key and put it into the group."""

    reason: str = "no next key is published"


@dataclass(frozen=True)
class Switch:
    """Let the next key sign."""

    reason: str = "every edge knows the next key"


@dataclass(frozen=True)
class Remove:
    """Take a retired key out of the group."""

    key_id: str
    reason: str


@dataclass(frozen=True)
class Wait:
    """Nothing to be done before `until`."""

    until: datetime
    reason: str


Step = Publish | Switch | Remove | Wait


def longest_life_s(settings: Settings) -> int:
    """After so long nothing is alive that a key signed at the last moment."""
    return max(settings.edge_ttl_s, settings.preview_ttl_s)


def due(
    keys: UrlKeys, group: Mapping[str, str], changed_at: datetime, settles_s: float, settings: Settings, now: datetime
) -> Step:
    """The next step of a rotation. A retired key is removed before another rotation begins."""
    for key_id, since in sorted(keys.retired.items(), key=lambda each: each[1]):
        end = since + timedelta(seconds=settings.edge_rollout_s + longest_life_s(settings))
        if now < end:
            return Wait(end, f"addresses signed with {key_id} may be alive until then")
        return Remove(key_id, f"nothing that {key_id} signed is alive")
    if not keys.next_pem or keys.next_id not in group:
        return Publish()
    settled = changed_at + timedelta(seconds=settles_s)
    if now < settled:
        return Wait(settled, f"not every edge may know {keys.next_id} before")
    return Switch()


def states(keys: UrlKeys, group: Mapping[str, str]) -> dict[str, State]:
    """Every key that the settings or the group name."""
    found: dict[str, State] = dict.fromkeys(group, "unknown")
    found |= dict.fromkeys(keys.retired, "retired")
    if keys.next_id:
        found[keys.next_id] = "next"
    found[keys.key_id] = "signs"
    return found


def new_key() -> str:
    """PEM of a fresh P-256 key."""
    form = serialization.PrivateFormat.PKCS8
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def public_of(pem: str) -> str:
    return cdn.public_pem(cdn.load_private_key(pem))
