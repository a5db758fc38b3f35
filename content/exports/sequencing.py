"""An order of units in the terms of IMS Simple Sequencing, for SCORM 2004.

A rule can look at another activity only through an objective that both share, and an objective knows satisfied or not.
So in a course whose units wait for each other every SCO stands in an activity of its own, which is satisfied when the SCO
is completed and writes that to a shared objective `…/done/<unit>`; a pre-test writes `…/passed` by its score.

    root                    flow and choice; its score is the units', weighted by their points
      U1 (wait for others)  done: all completed → satisfied → shared objective; its satisfaction stays out of the root's
        U1-sco-item         the SCO; completion and success are set by the content
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

from content.exports.course import ExportCourse
from content.exports.unit_order import Done, Fact, Passed, UnitOrder, weights
from content.exports.xml import add

IMSSS = "http://www.imsglobal.org/xsd/imsss"
ADLSEQ = "http://www.adlnet.org/xsd/adlseq_v1p3"
# “Not satisfied” is not true of what is not known yet, so both are asked.
_MISSING = ("satisfied", "objectiveStatusKnown")
_PASSED = "passed"


def passed_objective(course: ExportCourse) -> str:
    """The objective that the pre-test writes and others read."""
    return f"{course.document['tracking']['activity']}/{_PASSED}"


def add_root(organization: Any, course: ExportCourse) -> None:
    """Sequencing of the course: free to go back and forth; the score decides where the report says passed."""
    sequencing = add(organization, f"{{{IMSSS}}}sequencing")
    add(sequencing, "controlMode", choice="true", flow="true")
    tracking = course.document["tracking"]
    by_score = tracking["report"].startswith("passed") and any(weights(course).values())
    if by_score:
        test = (course.sequencing or {}).get("posttest")
        _objective(add(sequencing, "objectives"), test["mastery"] if test else tracking["mastery"], ())


def add_unit(item: Any, order: UnitOrder, unit: str, course: ExportCourse) -> None:
    """Sequencing of an activity that holds one SCO: when it opens, when it is left out, whom it tells that it is done."""
    sequencing = add(item, f"{{{IMSSS}}}sequencing")
    add(sequencing, "controlMode", choice="true", flow="true")
    conditions, skippable = order.conditions(unit), unit in order.skips
    if conditions or skippable:
        rules = add(sequencing, "sequencingRules")
        for facts in conditions:
            for missing in product(_MISSING, repeat=len(facts)):
                _rule(
                    rules, "disabled", [(_local(fact), each, True) for fact, each in zip(facts, missing, strict=True)]
                )
        if skippable:
            _rule(rules, "skip", [(_PASSED, "satisfied", False)])
    rollup = add(
        sequencing,
        "rollupRules",
        rollupObjectiveSatisfied="false",
        objectiveMeasureWeight=f"{weights(course)[unit]:.4f}",
    )
    rule = add(rollup, "rollupRule", childActivitySet="all")
    add(add(rule, "rollupConditions"), "rollupCondition", condition="completed")
    add(rule, "rollupAction", action="satisfied")
    objectives = add(sequencing, "objectives")
    _map(add(objectives, "primaryObjective", objectiveID="own"), _shared(Done(unit), course), writes=True)
    read = dict.fromkeys(fact for facts in conditions for fact in facts) | ({Passed(): None} if skippable else {})
    for fact in read:
        _map(add(objectives, "objective", objectiveID=_local(fact)), _shared(fact, course))
    if skippable:
        add(
            sequencing,
            f"{{{ADLSEQ}}}rollupConsiderations",
            requiredForCompleted="ifNotSkipped",
            requiredForIncomplete="ifNotSkipped",
        )


def _local(fact: Fact) -> str:
    """The objective's name within an activity."""
    return f"done-{fact.unit}" if isinstance(fact, Done) else _PASSED


def _shared(fact: Fact, course: ExportCourse) -> str:
    """The objective's name in the course."""
    activity = course.document["tracking"]["activity"]
    return f"{activity}/done/{fact.unit}" if isinstance(fact, Done) else passed_objective(course)


def add_sco(item: Any, mastery: float | None, weight: float, shared: Sequence[str] = ()) -> None:
    """Sequencing of a SCO: it tells itself how far it is. With `mastery` its score decides whether it is passed, and that
    is written to the `shared` objectives."""
    sequencing = add(item, f"{{{IMSSS}}}sequencing")
    if weight != 1:
        add(sequencing, "rollupRules", objectiveMeasureWeight=f"{weight:.4f}")
    if mastery is not None:
        _objective(add(sequencing, "objectives"), mastery, shared)
    add(sequencing, "deliveryControls", completionSetByContent="true", objectiveSetByContent="true")


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
