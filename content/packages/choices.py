"""What a planned bundle holds otherwise than its profile's plain one, and how that is named.

Only differences are written down, by the author's ids and the recipes' names, never by digests. So a new version in
which one picture changed has, if it still fits the same way, the same choices and the same name, and under the policy
`shared` goes on using what is encrypted. What they mean in a version says `content.packages.menu`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from content.canonical import canonical
from content.packages.assets import AssetFile

NAME_CHARS = 10


@dataclass(frozen=True)
class Variant:
    """Another way to give a unit: its files in the place of all assets of the unit, as a lighter edition of it would be.

    `loss` is on the scale of `content.packages.steps`.
    """

    unit: str
    name: str
    files: tuple[AssetFile, ...]
    loss: float


@dataclass(frozen=True)
class Choices:
    """`reduced`: (asset, role) → recipe of the rendition; `left_out`: units; `variants`: unit → name of its variant."""

    reduced: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    left_out: frozenset[str] = frozenset()
    variants: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def plain(self) -> bool:
        """Whether nothing differs from the profile."""
        return not (self.reduced or self.left_out or self.variants)

    @property
    def id(self) -> str:
        """Ten characters of base32 in lower case that follow from the choices alone."""
        hashed = hashlib.sha256(canonical(self.document())).digest()
        return base64.b32encode(hashed).decode().lower()[:NAME_CHARS]

    def planned_profile(self, profile: str) -> str:
        """What stands for the profile in bundles, seals and licences: its own name where nothing differs."""
        return profile if self.plain else f"{profile}-p{self.id}"

    def document(self) -> dict[str, Any]:
        assets: dict[str, dict[str, str]] = {}
        for (asset, role), recipe in sorted(self.reduced.items()):
            assets.setdefault(asset, {})[role] = recipe
        return {"left_out": sorted(self.left_out), "reduced": assets, "variants": dict(self.variants)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Choices:
        """The reverse of `document`."""
        assets = cast("Mapping[str, Mapping[str, str]]", document["reduced"])
        reduced = {(asset, role): recipe for asset, roles in assets.items() for role, recipe in roles.items()}
        return cls(reduced, frozenset(document["left_out"]), dict(document["variants"]))
