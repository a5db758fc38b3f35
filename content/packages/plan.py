"""A plan: which renditions and units of a version fit a space, and what that costs the learner.

Before: a manifest, the name of a profile, a space in bytes. After: an answer of the API, and rows that have the bundler
pack `files` under the name `planned_profile`. What is taken away and in which order say `content.packages.steps` and `shrinking`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from content.bundles.stream import sealed_size
from content.errors import ContentError
from content.packages.assets import AssetFile
from content.packages.choices import Choices, Variant, carried, shown, unit_assets
from content.packages.manifest import Manifest
from content.packages.sealed_bytes import bundle_bytes
from content.packages.shrinking import sequence
from content.packages.steps import Step, choices_after

RATES: Final[Mapping[str, int]] = {"3G": 1_500_000, "4G": 10_000_000, "Wi-Fi": 30_000_000}
"""Bit/s that a learner gets of a network on an ordinary day, not what it is sold as."""
UnitState = Literal["whole", "reduced", "variant", "left-out"]
AssetState = Literal["whole", "reduced", "left-out"]


@dataclass(frozen=True)
class PlannedUnit:
    """`bytes` are the sealed ones of files that no unit before it brings; of `plain_bytes` in the plain profile."""

    id: str
    title: Mapping[str, str]
    state: UnitState
    bytes: int
    plain_bytes: int


@dataclass(frozen=True)
class PlannedAsset:
    """The files of an asset in the bundle, one per role; none if it is left out."""

    asset: str
    state: AssetState
    files: tuple[AssetFile, ...]


@dataclass(frozen=True)
class Plan:
    """Sizes are what a device fetches that has nothing: index and part to the byte. `least_bytes` is the smallest space that
    the version has a plan for."""

    profile: str
    space_bytes: int | None
    choices: Choices
    files: tuple[AssetFile, ...]
    bytes: int
    plain_bytes: int
    least_bytes: int
    units: tuple[PlannedUnit, ...]
    assets: tuple[PlannedAsset, ...]
    steps: tuple[Step, ...]

    @property
    def planned_profile(self) -> str:
        return self.choices.planned_profile(self.profile)


@dataclass(frozen=True)
class Planner:
    """All plans of one version for one profile: the steps are found once, each space then costs a few sums."""

    manifest: Manifest
    profile: str
    variants: tuple[Variant, ...]
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, manifest: Manifest, profile: str, variants: Sequence[Variant] = ()) -> Planner:
        """Raises ContentError `unknown-profile`."""
        return cls(manifest, profile, tuple(variants), sequence(manifest, profile, variants))

    def plan(self, space_bytes: int | None = None) -> Plan:
        """The first of the sequence that fits; without a space the plain profile. Raises ContentError `space-too-small`."""
        size = len(self.manifest.to_bytes())
        counts = range(len(self.steps) + 1)
        # Monotone in the space whatever the sizes are: a smaller one fits nowhere that a larger one does not.
        taken = 0
        if space_bytes is not None:
            taken = bisect_left(counts, True, key=lambda count: bundle_bytes(size, self._files(count)) <= space_bytes)
        least = bundle_bytes(size, self._files(len(self.steps)))
        if taken == len(counts):
            raise ContentError(
                "space-too-small",
                f"The smallest bundle of this course for a {self.profile} has {least:,} bytes.",
                f"Give it {least:,} bytes or more.",
            )
        choices, files = choices_after(self.manifest, self.steps[:taken]), self._files(taken)
        units = self._units(choices, files)
        went = {each.id for each in units if each.state == "left-out"}
        told = tuple(each for each in self.steps[:taken] if each.kind != "leave-out" or each.units[0] in went)
        return Plan(
            self.profile,
            space_bytes,
            choices,
            files,
            bundle_bytes(size, files),
            bundle_bytes(size, self._files(0)),
            least,
            units,
            self._assets(choices, files),
            told,
        )

    def _files(self, taken: int) -> tuple[AssetFile, ...]:
        choices = choices_after(self.manifest, self.steps[:taken])
        return carried(self.manifest, self.profile, choices, self.variants)

    def _units(self, choices: Choices, files: Sequence[AssetFile]) -> tuple[PlannedUnit, ...]:
        now, plain = _brought(self.manifest, files), _brought(self.manifest, self._files(0))
        less = {asset for asset, _ in choices.reduced}
        found: list[PlannedUnit] = []
        for unit in self.manifest.document["structure"]["units"]:
            name, state = unit["id"], "whole"
            size = now[name]
            if name in choices.left_out:
                state = "left-out"
            elif name in choices.variants:
                state = "variant"
                given = next(each for each in self.variants if (each.unit, each.name) == (name, choices.variants[name]))
                size = sum(sealed_size(file.size_bytes) for file in given.files)
            elif less & set(unit_assets(self.manifest)[name]):
                state = "reduced"
            found.append(PlannedUnit(name, dict(unit["title"]), state, size, plain[name]))
        return tuple(found)

    def _assets(self, choices: Choices, files: Sequence[AssetFile]) -> tuple[PlannedAsset, ...]:
        here, less = shown(self.manifest, choices), {asset for asset, _ in choices.reduced}
        theirs = _by_asset(files)
        return tuple(
            PlannedAsset(
                asset,
                "left-out" if asset not in here else "reduced" if asset in less else "whole",
                tuple(theirs.get(asset, ())) if asset in here else (),
            )
            for asset in sorted(self.manifest.document["assets"])
        )


def seconds(size_bytes: int, bits_per_s: int) -> int:
    """How long so many bytes take, in whole seconds, rounded up."""
    return -(-size_bytes * 8 // bits_per_s)


def _brought(manifest: Manifest, files: Sequence[AssetFile]) -> dict[str, int]:
    """Unit → sealed bytes of its files that no unit before it brings; each digest counts once."""
    seen: set[str] = set()
    found: dict[str, int] = {}
    theirs = _by_asset(files)
    for unit, assets in unit_assets(manifest).items():
        every = (file for asset in assets for file in theirs.get(asset, ()))
        new = {file.digest: file.size_bytes for file in every if file.digest not in seen}
        seen |= new.keys()
        found[unit] = sum(map(sealed_size, new.values()))
    return found


def _by_asset(files: Sequence[AssetFile]) -> dict[str, list[AssetFile]]:
    found: dict[str, list[AssetFile]] = {}
    for file in files:
        found.setdefault(file.asset, []).append(file)
    return found
