"""What a unit waits for, as both editions of SCORM need it: alternatives, of which one from each must hold.

`done` of a unit and `passed` of the pre-test are the only facts. In a forced order it is enough to ask for the unit before,
since that one could only be done when those before it were; if it may be left out, its stand-in is the pre-test passed and
the last unit before it that may not be left out done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from content.exports.export_course import ExportCourse, points_of


@dataclass(frozen=True)
class Done:
    unit: str


@dataclass(frozen=True)
class Passed:
    """The pre-test was passed."""


Fact = Done | Passed


@dataclass(frozen=True)
class UnitOrder:
    """The order that a course asks for; `units` in document order."""

    units: tuple[str, ...]
    forced: bool
    posttest: str | None
    pretest: str | None
    skips: frozenset[str]

    def conditions(self, unit: str) -> tuple[tuple[Fact, ...], ...]:
        """The unit opens when of each tuple at least one fact holds; () opens at once."""
        before = self.units[: self.units.index(unit)]
        if self.forced and before:
            return self._after(before)
        if not self.forced and unit == self.posttest:
            return tuple((Done(each), Passed()) if each in self.skips else (Done(each),) for each in before)
        return ()

    @property
    def waits(self) -> bool:
        """Whether anything in the course waits for, or may be left out because of, anything else."""
        return self.pretest is not None or any(self.conditions(unit) for unit in self.units)

    def _after(self, before: tuple[str, ...]) -> tuple[tuple[Fact, ...], ...]:
        last = before[-1]
        if last not in self.skips:
            return ((Done(last),),)
        kept = next(each for each in reversed(before) if each not in self.skips)
        either: tuple[Fact, ...] = (Done(last), Passed())
        # Who passed the pre-test has done it.
        return (either,) if kept == self.pretest else (either, (Done(last), Done(kept)))


def order_of(course: ExportCourse) -> UnitOrder:
    """The order of a course; `content.drafts.sequence_checks` has seen to it that it can be walked to its end."""
    asked = course.sequencing or {}
    pretest: Mapping[str, Any] = asked.get("pretest", {})
    return UnitOrder(
        units=tuple(unit["id"] for unit in course.units),
        forced=asked.get("order") == "forced",
        posttest=asked.get("posttest", {}).get("unit"),
        pretest=pretest.get("unit"),
        skips=frozenset(pretest.get("skips", ())),
    )


def weights(course: ExportCourse) -> dict[str, float]:
    """How much each unit's score counts for the course's, 0–1: the test after the course alone if there is one, else by
    points, without the units that may be left out and the test that decides it."""
    order = order_of(course)
    points = {unit["id"]: points_of(unit) for unit in course.units}
    if order.posttest:
        points = {unit: float(unit == order.posttest) for unit in points}
    elif order.pretest:
        points = {unit: 0 if unit in order.skips or unit == order.pretest else share for unit, share in points.items()}
    total = sum(points.values())
    return {unit: share / total if total else 0.0 for unit, share in points.items()}
