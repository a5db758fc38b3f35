"""An order of units in the terms of IMS Simple Sequencing, for SCORM 2004.

A rule can look at another activity only through an objective that both share, and an objective knows satisfied or not.
So in a course whose units wait for each other every SCO stands in an activity of its own, which is satisfied when the SCO
is completed and writes that to a shared objective `…/done/U2`; a pre-test writes `…/passed` by its score. “Not satisfied”
is not true of what is not known yet: each condition is asked both ways.

    root                    flow and choice; its score is the units', weighted by their points
      U1 (wait for others)  done: all completed → satisfied → shared objective; its satisfaction stays out of the root's
        U1-sco-item         the SCO; completion and success are set by the content
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from content.exports.course import ExportCourse, points_of
from content.exports.xml import add

IMSSS = "http://www.imsglobal.org/xsd/imsss"
ADLSEQ = "http://www.adlnet.org/xsd/adlseq_v1p3"
_DONE, _PASSED = "done", "passed"
_UNSATISFIED = ("satisfied", "objectiveStatusKnown")


@dataclass(frozen=True)
class Order:
    """What a course asks for. `waits` tells for each unit which others must be done; `unless_passed` which of them need
    not when the pre-test was passed."""

    prefix: str
    waits: Mapping[str, tuple[str, ...]]
    skips: frozenset[str]
    pretest: str | None

    @property
    def any_waits(self) -> bool:
        return any(self.waits.values())

    def done(self, unit: str) -> str:
        return f"{self.prefix}/{_DONE}/{unit}"

    @property
    def passed(self) -> str:
        return f"{self.prefix}/{_PASSED}"


def order_of(course: ExportCourse) -> Order:
    """The order of a course in which units are told apart by their ids."""
    sequencing = course.sequencing or {}
    units = [unit["id"] for unit in course.units]
    waits: dict[str, tuple[str, ...]] = dict.fromkeys(units, ())
    if sequencing.get("order") == "forced":
        waits = {unit: tuple(units[:at]) for at, unit in enumerate(units)}
    elif "posttest" in sequencing:
        last = sequencing["posttest"]["unit"]
        waits[last] = tuple(unit for unit in units if unit != last)
    pretest: Mapping[str, Any] = sequencing.get("pretest", {})
    return Order(
        course.document["tracking"]["activity"], waits, frozenset(pretest.get("skips", ())), pretest.get("unit")
    )


def needed(order: Order, unit: str) -> tuple[str, ...]:
    """Of the units that this one waits for, those whose state does not follow from another's: in a forced order the one
    before, and if that can be left out, those before it up to one that cannot."""
    waits = order.waits[unit]
    if not waits or any(order.waits[each] != waits[:at] for at, each in enumerate(waits)):
        return waits
    found: list[str] = []
    for each in reversed(waits):
        found.append(each)
        if each not in order.skips:
            break
    return tuple(reversed(found))


def weights(course: ExportCourse) -> dict[str, float]:
    """How much each unit's score counts for the course's, 0–1: the test after the course alone if there is one, else by
    points, without the units that may be left out and the test that decides it."""
    sequencing = course.sequencing or {}
    points = {unit["id"]: points_of(unit) for unit in course.units}
    if "posttest" in sequencing:
        points = {unit: float(unit == sequencing["posttest"]["unit"]) for unit in points}
    elif "pretest" in sequencing:
        left_out = {sequencing["pretest"]["unit"], *sequencing["pretest"]["skips"]}
        points = {unit: 0 if unit in left_out else share for unit, share in points.items()}
    total = sum(points.values())
    return {unit: share / total if total else 0.0 for unit, share in points.items()}


def add_root(organization: Any, course: ExportCourse) -> None:
    """Sequencing of the course: free to go back and forth; the score decides where the report says passed."""
    sequencing = add(organization, f"{{{IMSSS}}}sequencing")
    add(sequencing, "controlMode", choice="true", flow="true")
    tracking = course.document["tracking"]
    by_score = tracking["report"].startswith("passed") and any(weights(course).values())
    if by_score:
        test = (course.sequencing or {}).get("posttest")
        _objective(add(sequencing, "objectives"), test["mastery"] if test else tracking["mastery"], ())


def add_unit(item: Any, order: Order, unit: Mapping[str, Any], course: ExportCourse) -> None:
    """Sequencing of an activity that holds one SCO: when it opens, when it is left out, whom it tells that it is done."""
    name = unit["id"]
    sequencing = add(item, f"{{{IMSSS}}}sequencing")
    add(sequencing, "controlMode", choice="true", flow="true")
    waited_for = needed(order, name)
    rules = [*_closed(order, waited_for)]
    if name in order.skips:
        rules.append(("skip", [("passed", "satisfied", False)]))
    if rules:
        parent = add(sequencing, "sequencingRules")
        for action, conditions in rules:
            _rule(parent, action, conditions)
    rollup = add(
        sequencing,
        "rollupRules",
        rollupObjectiveSatisfied="false",
        objectiveMeasureWeight=f"{weights(course)[name]:.4f}",
    )
    rule = add(rollup, "rollupRule", childActivitySet="all")
    add(add(rule, "rollupConditions"), "rollupCondition", condition="completed")
    add(rule, "rollupAction", action="satisfied")
    objectives = add(sequencing, "objectives")
    primary = add(objectives, "primaryObjective", objectiveID="own")
    _map(primary, order.done(name), writes=True)
    for each in waited_for:
        _map(add(objectives, "objective", objectiveID=f"done-{each}"), order.done(each))
    if order.pretest and (name in order.skips or any(each in order.skips for each in waited_for)):
        _map(add(objectives, "objective", objectiveID="passed"), order.passed)
    if name in order.skips:
        add(
            sequencing,
            f"{{{ADLSEQ}}}rollupConsiderations",
            requiredForCompleted="ifNotSkipped",
            requiredForIncomplete="ifNotSkipped",
        )


def add_sco(item: Any, mastery: float | None, weight: float, shared: Sequence[str] = ()) -> None:
    """Sequencing of a SCO: it tells itself how far it is. With `mastery` its score decides whether it is passed, and that
    is written to the `shared` objectives."""
    sequencing = add(item, f"{{{IMSSS}}}sequencing")
    if weight != 1:
        add(sequencing, "rollupRules", objectiveMeasureWeight=f"{weight:.4f}")
    if mastery is not None:
        _objective(add(sequencing, "objectives"), mastery, shared)
    add(sequencing, "deliveryControls", completionSetByContent="true", objectiveSetByContent="true")


def _closed(order: Order, waited_for: Iterable[str]) -> Iterable[tuple[str, list[tuple[str, str, bool]]]]:
    """A rule for each way in which something waited for is not there yet."""
    for each in waited_for:
        names = [f"done-{each}"] + (["passed"] if each in order.skips else [])
        for states in product(_UNSATISFIED, repeat=len(names)):
            yield "disabled", [(name, state, True) for name, state in zip(names, states, strict=True)]


def _rule(parent: Any, action: str, conditions: Iterable[tuple[str, str, bool]]) -> None:
    rule = add(parent, "preConditionRule")
    asked = add(rule, "ruleConditions", conditionCombination="all")
    for objective, condition, negated in conditions:
        attributes = {"operator": "not"} if negated else {}
        add(asked, "ruleCondition", referencedObjective=objective, **attributes, condition=condition)
    add(rule, "ruleAction", action=action)


def _objective(parent: Any, mastery: float, shared: Sequence[str]) -> None:
    primary = add(parent, "primaryObjective", objectiveID="score", satisfiedByMeasure="true")
    add(primary, "minNormalizedMeasure", f"{mastery:.4f}")
    for target in shared:
        _map(primary, target, writes=True)


def _map(objective: Any, target: str, writes: bool = False) -> None:
    """Share satisfied with the course's objective `target`: write it, or read it."""
    add(
        objective,
        "mapInfo",
        targetObjectiveID=target,
        readSatisfiedStatus="false" if writes else "true",
        readNormalizedMeasure="false",
        writeSatisfiedStatus="true" if writes else "false",
        writeNormalizedMeasure="false",
    )
