"""The sequence of steps for a version and a profile: at each turn the one with the largest saving for its loss.

It begins with the plain profile and ends where nothing can be taken away; nobody's space is known here. Before: a
manifest. After: `content.packages.plan` takes as many steps as a space needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush

from content.bundles.stream import sealed_size
from content.media.choose import choose, ladder, measure
from content.media.renditions import Rendition
from content.packages.choices import Variant
from content.packages.manifest import Manifest
from content.packages.menu import Menu
from content.packages.steps import LEFT_OUT, OTHER_WEIGHT, WEIGHTS, Step

File = tuple[str, int]
"""Digest, and size in bytes."""


def sequence(manifest: Manifest, menu: Menu, profile: str, variants: Sequence[Variant] = ()) -> tuple[Step, ...]:
    """All steps in their order. Raises ContentError `unknown-profile`."""
    course = _Course(manifest, menu, profile, variants)
    steps: list[Step] = []
    while (step := course.best()) is not None:
        course.take(step)
        steps.append(step)
    for unit in reversed(list(course.units)):
        if course.units[unit]:
            step = course.leaving(unit)
            course.take(step)
            steps.append(step)
    return tuple(steps)


class _Course:
    """What is in the bundle after the steps taken so far. Assets with the same renditions go down their ladder together."""

    def __init__(self, manifest: Manifest, menu: Menu, profile: str, variants: Sequence[Variant]) -> None:
        self.units, self._frame = menu.units, menu.always
        self._offered = {(each.unit, each.name): each for each in variants if each.unit in self.units}
        self._used: dict[str, Variant] = {}
        self._whole = set(self.units)
        self._of: dict[str, list[_Ladder]] = {}
        every: dict[tuple[Rendition, ...], _Ladder] = {}
        order = dict.fromkeys((*(asset for assets in self.units.values() for asset in assets), *sorted(self._frame)))
        for asset in order:
            renditions = manifest.renditions(asset)
            rungs = [ladder(renditions, chosen) for chosen in choose(renditions, profile)]
            self._of[asset] = [every.setdefault(each, _Ladder(each, len(every))) for each in rungs]
        self._ladders = list(every.values())
        self._sharing: dict[File, list[_Ladder]] = {}
        for each in self._ladders:
            for file in map(_file, each.rungs):
                self._sharing.setdefault(file, []).append(each)
        self._look()

    def best(self) -> Step | None:
        """The reduction or variant with the largest saving for its loss; of equals the first in the course."""
        found = self._best_variant()
        while self._heap:
            worth, number, at = self._heap[0]
            known = self._ladders[number]
            if at == known.at and worth == self._worth(known):
                return found if found and -found.saves_bytes / found.loss < worth else self._reduction(known)
            heappop(self._heap)  # its value has changed since; the newer one was pushed too
        return found

    def take(self, step: Step) -> None:
        if step.kind == "reduce":
            known = next(each for each in self._of[step.assets[0]] if each.rungs[0].role == step.role)
            before, after = _file(known.rungs[known.at]), _file(known.rungs[known.at + 1])
            self._held[before] -= len(known.users)
            self._held[after] += len(known.users)
            known.at += 1
            for each in {id(each): each for each in (*self._sharing[before], *self._sharing[after])}.values():
                self._push(each)
            return
        (unit,) = step.units
        self._whole.discard(unit)
        self._used.pop(unit, None)
        if step.kind == "variant":
            self._used[unit] = self._offered[unit, step.after or ""]
        self._look()

    def leaving(self, unit: str) -> Step:
        """The step that leaves a unit out."""
        freed = _freed(self._held, self._of_unit(unit))
        return Step("leave-out", (unit,), tuple(sorted(self._only(unit))), None, None, None, freed, LEFT_OUT)

    def _look(self) -> None:
        """Count anew who needs which file, and what every reduction is worth."""
        here = self._frame.union(*(self.units[unit] for unit in self._whole))
        for each in self._ladders:
            each.users = []
        for asset in self._of:
            for each in self._of[asset] if asset in here else ():
                each.users.append(asset)
        self._held: Counter[File] = Counter()
        for each in self._ladders:
            self._held[_file(each.rungs[each.at])] += len(each.users)
        self._held.update(file for variant in self._used.values() for file in _files_of(variant))
        self._heap: list[tuple[float, int, int]] = []
        for each in self._ladders:
            self._push(each)

    def _push(self, known: _Ladder) -> None:
        if (worth := self._worth(known)) is not None:
            heappush(self._heap, (worth, known.number, known.at))

    def _worth(self, known: _Ladder) -> float | None:
        """Saving for loss, the largest first; None for no step, or one that saves nothing."""
        if not known.users or known.at + 1 == len(known.rungs):
            return None
        saves = self._saving(known)
        return -saves / known.loss() if saves > 0 else None

    def _saving(self, known: _Ladder) -> int:
        before, after = _file(known.rungs[known.at]), _file(known.rungs[known.at + 1])
        freed = _freed(self._held, Counter({before: len(known.users)}))
        return freed - (0 if self._held[after] else sealed_size(after[1]))

    def _reduction(self, known: _Ladder) -> Step:
        before, after, assets = known.rungs[known.at], known.rungs[known.at + 1], set(known.users)
        units = tuple(unit for unit, theirs in self.units.items() if assets.intersection(theirs))
        saves, loss = self._saving(known), known.loss()
        return Step("reduce", units, tuple(known.users), before.role, before.recipe, after.recipe, saves, loss)

    def _best_variant(self) -> Step | None:
        found: list[Step] = []
        for (unit, name), variant in self._offered.items():
            if unit in self._whole:
                gone, assets = self._of_unit(unit), tuple(sorted(self._only(unit)))
                new = sum(sealed_size(file[1]) for file in set(_files_of(variant)) if self._held[file] == gone[file])
                saves = _freed(self._held, gone) - new
                found.append(Step("variant", (unit,), assets, None, None, name, saves, variant.loss))
        worth = [step for step in found if step.saves_bytes > 0]
        return max(worth, key=lambda step: step.saves_bytes / step.loss, default=None)

    def _only(self, unit: str) -> set[str]:
        """The assets that go when this unit does."""
        others = self._frame.union(*(self.units[other] for other in self._whole if other != unit))
        return set(self.units[unit]) - others if unit in self._whole else set()

    def _of_unit(self, unit: str) -> Counter[File]:
        """The files that go with it, and how often it needs each."""
        gone = Counter(_file(each.rungs[each.at]) for asset in self._only(unit) for each in self._of[asset])
        if unit in self._used:
            gone.update(_files_of(self._used[unit]))
        return gone


class _Ladder:
    """Renditions from the profile's down, which of them is in the bundle, and the assets in it that have these."""

    def __init__(self, rungs: tuple[Rendition, ...], number: int) -> None:
        self.rungs, self.number, self.at = rungs, number, 0
        self.users: list[str] = []

    def loss(self) -> float:
        """Of the step to the next rung."""
        before, after = measure(self.rungs[self.at]), measure(self.rungs[self.at + 1])
        return WEIGHTS.get(self.rungs[0].role, OTHER_WEIGHT) * (before - after) / before


def _file(rendition: Rendition) -> File:
    return rendition.digest, rendition.size_bytes


def _files_of(variant: Variant) -> Iterator[File]:
    return ((file.digest, file.size_bytes) for file in variant.files)


def _freed(held: Counter[File], gone: Counter[File]) -> int:
    """Sealed bytes of the files that nothing needs any more."""
    return sum(sealed_size(file[1]) for file, count in gone.items() if held[file] == count)
