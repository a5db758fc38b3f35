"""Makes the plans of a version for a profile: how much of the one sequence of steps a space needs.

Before: a manifest. After: `content.packages.plan`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from content.bundles.stream import sealed_size
from content.errors import ContentError
from content.packages.assets import AssetFile
from content.packages.choices import Choices, Variant
from content.packages.lite import lite_variants
from content.packages.manifest import Manifest
from content.packages.menu import Menu
from content.packages.plan import Plan, PlannedAsset, PlannedUnit
from content.packages.sealed_bytes import bundle_bytes
from content.packages.shrinking import sequence
from content.packages.steps import choices_after


class Planner:
    """All plans of one version for one profile. The steps are found once, and each beginning of them is measured once, so
    that further spaces cost next to nothing. `variants`: those of `lite_variants` if none are given. Raises ContentError
    `unknown-profile`."""

    def __init__(self, manifest: Manifest, profile: str, variants: Sequence[Variant] | None = None) -> None:
        self.manifest, self.profile = manifest, profile
        self.menu = Menu.of(manifest, profile)
        self.variants = lite_variants(manifest, self.menu) if variants is None else tuple(variants)
        self.steps = sequence(manifest, self.menu, profile, self.variants)
        self._manifest_bytes = len(manifest.to_bytes())
        self._sizes: dict[int, int] = {}

    @property
    def least_bytes(self) -> int:
        """The smallest space that there is a plan for."""
        return self._size(len(self.steps))

    def choose(self, space_bytes: int | None) -> tuple[Choices, int]:
        """What differs from the plain profile in the first of the sequence that fits, and its bytes; without a space the plain
        profile. Raises ContentError `space-too-small`."""
        taken = self._taken(space_bytes)
        return choices_after(self.menu, self.steps[:taken]), self._size(taken)

    def plan(self, space_bytes: int | None = None) -> Plan:
        """The same with all that somebody would like to know of it."""
        taken = self._taken(space_bytes)
        choices, files = choices_after(self.menu, self.steps[:taken]), self._files(taken)
        units = self._units(choices, files)
        went = {each.id for each in units if each.state == "left-out"}
        told = tuple(each for each in self.steps[:taken] if each.kind != "leave-out" or each.units[0] in went)
        return Plan(
            self.profile,
            space_bytes,
            choices,
            files,
            self._size(taken),
            self._size(0),
            self.least_bytes,
            units,
            self._assets(choices, files),
            told,
        )

    def _taken(self, space_bytes: int | None) -> int:
        """How many steps it takes. Monotone whatever the sizes are: no beginning fits a space and not a larger one."""
        if space_bytes is None:
            return 0
        counts = range(len(self.steps) + 1)
        taken = bisect_left(counts, True, key=lambda count: self._size(count) <= space_bytes)
        if taken == len(counts):
            least = self.least_bytes
            raise ContentError(
                "space-too-small",
                f"The smallest bundle of this course for a {self.profile} has {least:,} bytes.",
                f"Give it {least:,} bytes or more.",
            )
        return taken

    def _size(self, taken: int) -> int:
        if taken not in self._sizes:
            self._sizes[taken] = bundle_bytes(self._manifest_bytes, self._files(taken))
        return self._sizes[taken]

    def _files(self, taken: int) -> tuple[AssetFile, ...]:
        choices = choices_after(self.menu, self.steps[:taken])
        return self.menu.carried(choices, self.variants)

    def _units(self, choices: Choices, files: Sequence[AssetFile]) -> tuple[PlannedUnit, ...]:
        now, plain = _brought(self.menu, files), _brought(self.menu, self._files(0))
        less = {asset for asset, _ in choices.reduced}
        found: list[PlannedUnit] = []
        for unit in self.manifest.units:
            name, state = unit["id"], "whole"
            size = now[name]
            if name in choices.left_out:
                state = "left-out"
            elif name in choices.variants:
                state = "variant"
                given = next(each for each in self.variants if (each.unit, each.name) == (name, choices.variants[name]))
                size = sum(sealed_size(file.size_bytes) for file in given.files)
            elif less & set(self.menu.units[name]):
                state = "reduced"
            found.append(PlannedUnit(name, dict(unit["title"]), state, size, plain[name]))
        return tuple(found)

    def _assets(self, choices: Choices, files: Sequence[AssetFile]) -> tuple[PlannedAsset, ...]:
        whole, less = self.menu.shown(choices), {asset for asset, _ in choices.reduced}
        # What only a lighter variant of a unit holds is less of it.
        less |= {
            file.asset
            for each in self.variants
            if choices.variants.get(each.unit) == each.name
            for file in each.files
            if file.asset not in whole
        }
        theirs = _by_asset(files)
        return tuple(
            PlannedAsset(
                asset,
                "reduced" if asset in less else "whole" if asset in whole else "left-out",
                tuple(dict.fromkeys(theirs.get(asset, ()))),
            )
            for asset in sorted(self.manifest.document["assets"])
        )


def _brought(menu: Menu, files: Sequence[AssetFile]) -> dict[str, int]:
    """Unit → sealed bytes of its files that no unit before it brings; each digest counts once."""
    seen: set[str] = set()
    found: dict[str, int] = {}
    theirs = _by_asset(files)
    for unit, assets in menu.units.items():
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
