"""Steps that make a bundle smaller, what each loses, and what a bundle is after some of them.

The sequence of a version and a profile (`content.packages.shrinking`) is the same whatever the space is; a plan is its
shortest beginning that fits, so a device with more space never gets less.

    reduce      a picture or film goes one rung down its ladder
    variant     a unit is given as a lighter variant of itself, where the package has one
    leave-out   a unit goes with all its files, in a second part of the sequence that begins when nothing else is left,
                the last unit first, since a course is read from its beginning

The loss of a reduction is the share of the pixels (or bit rate) there were that it takes away, times the weight of its
role, so that a small picture is not made smaller while others are large; of leaving out it is `LEFT_OUT`. Captions, transcripts and posters stay as long as their unit does. Texts and quizzes are
in the manifest, which every bundle holds. Savings are in sealed bytes; a file that something else needs too saves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from content.packages.choices import Choices
from content.packages.menu import Menu

WEIGHTS: Final[Mapping[str, float]] = {"image": 1.0, "video": 2.0, "audio": 2.0, "poster": 0.5}
"""A film is what its unit is about more often than a picture is. Roles that are not here have one rendition."""
OTHER_WEIGHT: Final = 1.0
LEFT_OUT: Final = 10.0


@dataclass(frozen=True)
class Step:
    """One step: in `units`, for `assets` of one `role`, from recipe (or variant) `before` to `after`; None where it has
    none. `saves_bytes` are sealed bytes, once all steps before it were taken."""

    kind: Literal["reduce", "variant", "leave-out"]
    units: tuple[str, ...]
    assets: tuple[str, ...]
    role: str | None
    before: str | None
    after: str | None
    saves_bytes: int
    loss: float


def choices_after(menu: Menu, steps: Iterable[Step]) -> Choices:
    """What differs from the plain profile after these steps. A unit that went but whose files all stay, since other units
    show them, is there; what was reduced and went later is not mentioned."""
    reduced: dict[tuple[str, str], str] = {}
    left_out: set[str] = set()
    variants: dict[str, str] = {}
    for step in steps:
        if step.kind == "reduce":
            reduced |= {(asset, step.role or ""): step.after or "" for asset in step.assets}
        elif step.kind == "variant":
            variants[step.units[0]] = step.after or ""
        else:
            left_out.add(step.units[0])
            variants.pop(step.units[0], None)
    there = menu.shown(Choices({}, frozenset(left_out), variants))
    missed = {unit for unit, assets in menu.units.items() if unit in left_out and set(assets) - there}
    return Choices({key: recipe for key, recipe in reduced.items() if key[0] in there}, frozenset(missed), variants)
