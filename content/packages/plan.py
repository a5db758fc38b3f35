"""A plan: which renditions and units of a version fit a space, and what that costs the learner.

Before: `content.packages.planner` makes it. After: an answer of the API, and rows that have the bundler pack `files` under
the name `planned_profile`. What is taken away and in which order say `content.packages.steps` and `shrinking`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from content.packages.assets import AssetFile
from content.packages.choices import Choices
from content.packages.steps import Step

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


def seconds(size_bytes: int, bits_per_s: int) -> int:
    """How long so many bytes take, in whole seconds, rounded up."""
    return -(-size_bytes * 8 // bits_per_s)
