"""An order of units in the terms of IMS Simple Sequencing, for SCORM 2004.

A rule can look at another activity only through an objective that both share, and in the 3rd edition an objective knows
satisfied and not completed. So in a course whose units wait for each other every SCO has an objective `done` beside its
score: the player sets it to passed when the unit is done, whatever the report says of its success, and it is written to
`…/done/<unit>`, which the units that wait for it read. A pre-test writes `…/passed` by its score.

What rules ask of `done` must hold on platforms that write shared objectives only when an activity ends, so no activity is
put around a SCO: it would still be running when the learner chooses the next unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

from content.exports.export_course import ExportCourse
from content.exports.unit_order import Done, Fact, Passed, UnitOrder, weights
from content.exports.xml import add

IMSSS = "http://www.imsglobal.org/xsd/imsss"
ADLSEQ = "http://www.adlnet.org/xsd/adlseq_v1p3"
# “Not satisfied” is not true of what is not known yet, so both are asked.
_MISSING = ("satisfied", "objectiveStatusKnown")
_PASSED = "passed"
DONE = "done"  # what the player looks for among cmi.objectives


def add_root(organization: Any, course: ExportCourse) -> None:
    """Sequencing of the course: free to go back and forth; the score decides where the report says passed."""
    sequencing = add(organization, f"{{{IMSSS}}}sequencing")
    add(sequencing, "controlMode", choice="true", flow="true")
    tracking = course.document["tracking"]
    if _judged_by_score(course):
        test = (course.sequencing or {}).get("posttest")
        _score(add(sequencing, "objectives"), test["mastery"] if test else tracking["mastery"])


def add_sco(item: Any, mastery: float | None, weight: float) -> None:
    """Sequencing of a SCO that waits for nothing: it tells itself how far it is. With `mastery` its score decides whether
    it is passed."""
    sequencing = add(item, f"{{{IMSSS}}}sequencing")
    if weight != 1:
        add(sequencing, "rollupRules", objectiveMeasureWeight=f"{weight:.4f}")
    if mastery is not None:
        _score(add(sequencing, "objectives"), mastery)
    add(sequencing, "deliveryControls", completionSetByContent="true", objectiveSetByContent="true")


def add_ordered_sco(item: Any, unit: str, order: UnitOrder, course: ExportCourse, mastery: float | None) -> None:
    """Sequencing of a SCO in a course with an order: when it opens, when it is left out, whom it tells that it is done."""
    sequencing = add(item, f"{{{IMSSS}}}sequencing")
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
    counts = "true" if _judged_by_score(course) or unit not in _own_matter(order, course) else "false"
    weight = f"{weights(course)[unit]:.4f}"
    add(sequencing, "rollupRules", rollupObjectiveSatisfied=counts, objectiveMeasureWeight=weight)
    objectives = add(sequencing, "objectives")
    primary = _score(objectives, mastery)
    if unit == order.pretest:
        _map(primary, _shared(Passed(), course), writes=True)
    _map(add(objectives, "objective", objectiveID=DONE), _shared(Done(unit), course), writes=True)
    read = dict.fromkeys(fact for facts in conditions for fact in facts) | ({Passed(): None} if skippable else {})
    for fact in read:
        _map(add(objectives, "objective", objectiveID=_local(fact)), _shared(fact, course))
    add(sequencing, "deliveryControls", completionSetByContent="true", objectiveSetByContent="true")
    if skippable:
        add(
            sequencing,
            f"{{{ADLSEQ}}}rollupConsiderations",
            requiredForCompleted="ifNotSkipped",
            requiredForIncomplete="ifNotSkipped",
        )


def _judged_by_score(course: ExportCourse) -> bool:
    return course.document["tracking"]["report"].startswith("passed") and any(weights(course).values())


def _own_matter(order: UnitOrder, course: ExportCourse) -> set[str | None]:
    """Tests whose result is nobody's business in the course's: where a score judges there are none, since some platforms
    leave out of the score what is left out of satisfaction."""
    told = course.document["tracking"]["report"] == "completed-failed"
    return {order.pretest} if told else {order.pretest, order.posttest}


def _local(fact: Fact) -> str:
    """The objective's name within an activity."""
    return f"done-{fact.unit}" if isinstance(fact, Done) else _PASSED


def _shared(fact: Fact, course: ExportCourse) -> str:
    """The objective's name in the course."""
    activity = course.document["tracking"]["activity"]
    return f"{activity}/done/{fact.unit}" if isinstance(fact, Done) else f"{activity}/{_PASSED}"


def _rule(parent: Any, action: str, conditions: Iterable[tuple[str, str, bool]]) -> None:
    rule = add(parent, "preConditionRule")
    asked = add(rule, "ruleConditions", conditionCombination="all")
    for objective, condition, negated in conditions:
        attributes = {"operator": "not"} if negated else {}
        add(asked, "ruleCondition", referencedObjective=objective, **attributes, condition=condition)
    add(rule, "ruleAction", action=action)


def _score(objectives: Any, mastery: float | None) -> Any:
    """The primary objective, whose measure is the score."""
    if mastery is None:
        return add(objectives, "primaryObjective", objectiveID="score")
    primary = add(objectives, "primaryObjective", objectiveID="score", satisfiedByMeasure="true")
    add(primary, "minNormalizedMeasure", f"{mastery:.4f}")
    return primary


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
