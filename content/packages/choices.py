"""What a planned bundle holds otherwise than its profile's plain one, and how that is named.

Only differences are written down, by the author's ids and the recipes' names, never by digests. So a new version in
which one picture changed has, if it still fits the same way, the same choices and the same name, and under the policy
`shared` goes on using what is encrypted.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from content.canonical import canonical
from content.media.choose import choose
from content.media.renditions import Rendition
from content.packages.assets import AssetFile
from content.packages.manifest import Manifest

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


def unit_assets(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    """The assets that each unit's blocks name, in the order of the course."""
    known: Mapping[str, Any] = manifest.document["assets"]
    return {
        unit["id"]: tuple(dict.fromkeys(name for name in _named(unit["blocks"]) if name in known))
        for unit in manifest.document["structure"]["units"]
    }


def frame(manifest: Manifest) -> frozenset[str]:
    """The assets that are in every bundle: those of no unit, and the course's logo."""
    theirs = {asset for assets in unit_assets(manifest).values() for asset in assets}
    logo: str | None = manifest.document["metadata"]["theme"]["logo"]
    return frozenset(asset for asset in manifest.document["assets"] if asset not in theirs or asset == logo)


def carried(
    manifest: Manifest, profile: str, choices: Choices, variants: Iterable[Variant] = ()
) -> tuple[AssetFile, ...]:
    """The files of such a bundle: of each asset that a unit in it shows, or that is in every one, one rendition per role.

    Raises ContentError `unknown-profile`, KeyError for choices that were made of another version.
    """
    files: list[AssetFile] = []
    for asset in sorted(shown(manifest, choices)):
        renditions = manifest.renditions(asset)
        named = {(each.role, each.recipe): each for each in renditions}
        for each in choose(renditions, profile):
            recipe = choices.reduced.get((asset, each.role))
            files.append(as_file(asset, named[each.role, recipe] if recipe else each))
    used = {(each.unit, each.name): each for each in variants}
    return (*files, *(file for unit, name in sorted(choices.variants.items()) for file in used[unit, name].files))


def shown(manifest: Manifest, choices: Choices) -> frozenset[str]:
    """The assets of which something is in such a bundle."""
    whole = (
        assets
        for unit, assets in unit_assets(manifest).items()
        if unit not in choices.left_out and unit not in choices.variants
    )
    return frame(manifest).union(*whole)


def as_file(asset: str, rendition: Rendition) -> AssetFile:
    return AssetFile(asset, rendition.role, rendition.media_type, rendition.digest, rendition.size_bytes)


def _named(value: Any) -> Iterator[str]:
    """Every asset named anywhere in blocks."""
    if isinstance(value, Mapping):
        for name, member in cast("Mapping[str, Any]", value).items():
            if name in ("asset", "poster") and isinstance(member, str):
                yield member
            else:
                yield from _named(member)
    elif isinstance(value, list):
        for member in cast("list[Any]", value):
            yield from _named(member)
