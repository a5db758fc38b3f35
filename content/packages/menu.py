"""What a version has for a profile: the assets of each unit, and the file of each rendition that may be chosen. Of an imported
package nothing is chosen: every bundle holds all of its files.

Read out of the manifest once, for many choices. Before: a manifest. After: the files of a bundle, by its choices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from content.media.choose import choose
from content.media.renditions import Rendition
from content.packages.assets import AssetFile
from content.packages.choices import Choices, Variant
from content.packages.manifest import Manifest


@dataclass(frozen=True)
class Menu:
    """`units`: the assets that each unit's blocks name, in the order of the course. `always`: the assets that are in every
    bundle, those of no unit and the course's logo. `plain`: asset → what the profile gets. `named`: every rendition by
    (asset, role, recipe)."""

    units: Mapping[str, tuple[str, ...]]
    always: frozenset[str]
    plain: Mapping[str, tuple[AssetFile, ...]]
    named: Mapping[tuple[str, str, str], AssetFile]

    @classmethod
    def of(cls, manifest: Manifest, profile: str) -> Menu:
        """Raises ContentError `unknown-profile`."""
        known: Mapping[str, Any] = manifest.document["assets"]
        units = {
            unit["id"]: tuple(dict.fromkeys(name for name in _named(unit["blocks"]) if name in known))
            for unit in manifest.units
        }
        theirs = {asset for assets in units.values() for asset in assets}
        theme: Mapping[str, Any] = manifest.document["metadata"].get("theme") or {}
        logo: str | None = theme.get("logo")
        plain: dict[str, tuple[AssetFile, ...]] = {}
        named: dict[tuple[str, str, str], AssetFile] = {}
        for asset in sorted(known):
            renditions = manifest.renditions(asset)
            named |= {(asset, each.role, each.recipe): _file(asset, each) for each in renditions}
            plain[asset] = tuple(_file(asset, each) for each in choose(renditions, profile))
        return cls(units, frozenset(asset for asset in known if asset not in theirs or asset == logo), plain, named)

    def shown(self, choices: Choices) -> frozenset[str]:
        """The assets of which something is in such a bundle."""
        gone = choices.left_out | choices.variants.keys()
        return self.always.union(*(assets for unit, assets in self.units.items() if unit not in gone))

    def carried(self, choices: Choices, variants: Iterable[Variant] = ()) -> tuple[AssetFile, ...]:
        """The files of such a bundle: of each asset that is shown one rendition per role.

        Raises KeyError for choices that were made of another version.
        """
        files: list[AssetFile] = []
        for asset in sorted(self.shown(choices)):
            for file in self.plain[asset]:
                recipe = choices.reduced.get((asset, file.role))
                files.append(self.named[asset, file.role, recipe] if recipe else file)
        used = {(each.unit, each.name): each for each in variants}
        return (*files, *(file for unit, name in sorted(choices.variants.items()) for file in used[unit, name].files))


def _file(asset: str, rendition: Rendition) -> AssetFile:
    return AssetFile(asset, rendition.role, rendition.media_type, rendition.digest, rendition.size_bytes)


def _named(value: Any) -> Iterator[str]:
    """Every asset named anywhere in blocks."""
    if isinstance(value, Mapping):
        for name, member in cast("Mapping[str, Any]", value).items():
            if name in ("asset", "poster") and isinstance(member, str):
                yield member
            elif name == "course":
                continue  # of an embedded package: none of its words are ours
            else:
                yield from _named(member)
    elif isinstance(value, list):
        for member in cast("list[Any]", value):
            yield from _named(member)
