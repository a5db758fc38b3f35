"""A course of one edition of SCORM in the words of another: what both know is carried over, what is lost is a finding.

    mastery score (1.2)                the measure by which an activity is satisfied (2004), and back
    maximum time (1.2)                 a limit of an activity (2004)
    prerequisites (1.2)                none: a rule cannot be made of every such script
    sequencing, navigation (2004)      none
    threshold of completion            a text in the 3rd edition, attributes in the 4th
    shared data (4th)                  none

Within an edition nothing changes. Before: the course of an import. After: `repair`, then the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from content.errors import Problem
from content.exports.imported.trees import first, split_name, walk, with_attributes, with_extras, with_items
from content.scorm.course.namespaces import ADLCP_2004, ADLNAV, ADLSEQ, AICC, IMSSS
from content.scorm.model import Course, Edition, Element, Item, Organization

IN_2004: Final = ("2004-2nd", "2004-3rd", "2004-4th")
SEQUENCING: Final = f"{{{IMSSS}}}sequencing"
_OBJECTIVES, _PRIMARY = f"{{{IMSSS}}}objectives", f"{{{IMSSS}}}primaryObjective"
_MEASURE, _LIMITS = f"{{{IMSSS}}}minNormalizedMeasure", f"{{{IMSSS}}}limitConditions"
_THRESHOLD, _DATA = f"{{{ADLCP_2004}}}completionThreshold", f"{{{ADLCP_2004}}}data"
_OF_2004 = frozenset((ADLCP_2004, ADLNAV, ADLSEQ, IMSSS))
_TIMESPAN: Final = re.compile(r"(\d{2,4}):(\d{2}):(\d{2}(?:\.\d{1,2})?)")


def in_edition(course: Course, edition: Edition) -> tuple[Course, tuple[Problem, ...]]:
    """The course, and what of it the edition cannot say."""
    if course.edition == edition:
        return course, ()
    lost: list[Problem] = []
    if course.edition == "aicc":
        course = with_extras(course, _without(lambda each: split_name(each.name)[0] == AICC))
    if edition == "1.2":
        changed = _to_12(course, lost) if course.edition in IN_2004 else course
    elif course.edition in IN_2004:
        changed = with_extras(course, lambda extras: _between(extras, edition))
        lost += _fourth_only(course) if edition == "2004-3rd" else ()
    else:
        changed = _to_2004(course, lost)
    return replace(changed, edition=edition), tuple(lost)


def _to_2004(course: Course, lost: list[Problem]) -> Course:
    waiting = [item.title for each in course.organizations for item in each.walk() if item.prerequisites]
    if waiting:
        message = (
            f"{len(waiting)} items wait for others (“{waiting[0]}” is the first). SCORM 2004 has no prerequisites, so a "
            "platform opens them from the beginning."
        )
        lost.append(Problem("/structure/scorm", "export-prerequisites", message, "warning"))

    def of_item(item: Item) -> Item:
        objectives, limits = _mastery(item.mastery_score), _limit(item.max_time_allowed)
        extras = _sequenced(item.extras, (*limits, *objectives))
        return replace(item, extras=extras, mastery_score="", max_time_allowed="", prerequisites="")

    def of_organization(each: Organization) -> Organization:
        mode = Element(f"{{{IMSSS}}}controlMode", (("choice", "true"), ("flow", "true")))
        extras = _sequenced(each.extras, (mode,))
        return replace(with_items(each, of_item), extras=extras)

    return replace(course, organizations=tuple(map(of_organization, course.organizations)))


def _sequenced(extras: tuple[Element, ...], children: tuple[Element, ...]) -> tuple[Element, ...]:
    """With sequencing made of these, unless it has some already that its edition did not know."""
    if not children or first(extras, SEQUENCING) is not None:
        return extras
    return (*extras, Element(SEQUENCING, (), "", children))


def _mastery(score: str) -> tuple[Element, ...]:
    """A score from 0 to 100 as the measure from 0 to 1 that satisfies."""
    try:
        share = float(score) / 100
    except ValueError:
        return ()
    if not 0 <= share <= 1:
        return ()
    measure = Element(_MEASURE, (), f"{share:.4f}".rstrip("0").rstrip(".") if share else "0")
    primary = Element(_PRIMARY, (("objectiveID", "score"), ("satisfiedByMeasure", "true")), "", (measure,))
    return (Element(_OBJECTIVES, (), "", (primary,)),)


def _limit(span: str) -> tuple[Element, ...]:
    """A CMITimespan (HHHH:MM:SS.SS) as a duration of ISO 8601."""
    match = _TIMESPAN.fullmatch(span.strip())
    if match is None:
        return ()
    hours, minutes, seconds = match.groups()
    duration = f"PT{int(hours)}H{int(minutes)}M{float(seconds):g}S"
    return (Element(_LIMITS, (("attemptAbsoluteDurationLimit", duration),)),)


def _to_12(course: Course, lost: list[Problem]) -> Course:
    found = [each for each in _sequencings(course) if any(child.name != _OBJECTIVES for child in each.children)]
    if found or course.extras:
        message = (
            "The order of the items and what opens when is told as sequencing, which SCORM 1.2 does not know: a platform "
            "opens every item from the beginning."
        )
        lost.append(Problem("/structure/scorm", "export-sequencing", message, "warning"))

    def of_item(item: Item) -> Item:
        return replace(item, mastery_score=item.mastery_score or _score(item.extras))

    changed = replace(course, organizations=tuple(with_items(each, of_item) for each in course.organizations))
    changed = with_attributes(changed, lambda attributes: tuple(each for each in attributes if not _new(each[0])))
    return with_extras(changed, _without(lambda each: _new(each.name)))


def _score(extras: Sequence[Element]) -> str:
    """The mark of an activity that its score alone satisfies, as a whole number of percent."""
    sequencing = first(extras, SEQUENCING)
    primary = next((each for each in walk(sequencing) if each.name == _PRIMARY), None) if sequencing else None
    if primary is None or dict(primary.attributes).get("satisfiedByMeasure", "").strip() not in ("true", "1"):
        return ""
    measure = first(primary.children, _MEASURE)
    try:
        return str(round(float(measure.text) * 100)) if measure and 0 <= float(measure.text) <= 1 else "100"
    except ValueError:
        return ""


def _between(extras: tuple[Element, ...], edition: Edition) -> tuple[Element, ...]:
    """From one edition of 2004 to another."""
    fourth = edition == "2004-4th"
    changed = (_threshold(each, fourth) if each.name == _THRESHOLD else each for each in extras)
    kept = (each for each in changed if each is not None and (fourth or each.name != _DATA))
    return tuple(each if fourth else _before_4th(each) for each in kept)


def _threshold(each: Element, fourth: bool) -> Element | None:
    attributes = dict(each.attributes)
    if fourth:
        share = each.text.strip()
        named = (("completedByMeasure", "true"), ("minProgressMeasure", share))
        return replace(each, attributes=named, text="") if share and not attributes else each
    if attributes.get("completedByMeasure", "").strip() not in ("true", "1"):
        return each if each.text.strip() and not attributes else None
    return replace(each, attributes=(), text=attributes.get("minProgressMeasure", "1.0"))


def _before_4th(each: Element) -> Element:
    """Without the objectives that the 4th edition added to sequencing."""
    if each.name != SEQUENCING:
        return each
    return replace(each, children=tuple(child for child in each.children if child.name != f"{{{ADLSEQ}}}objectives"))


def _fourth_only(course: Course) -> Iterator[Problem]:
    extras = [each for organization in course.organizations for item in organization.walk() for each in item.extras]
    names = {each.name for extra in extras for each in walk(extra)}
    if names & {_DATA, f"{{{ADLSEQ}}}objectives"}:
        message = "Items share data or more of their objectives, which the 3rd edition does not know; they do not in this export."
        yield Problem("/structure/scorm", "export-shared-data", message, "warning")


def _sequencings(course: Course) -> Iterator[Element]:
    for each in course.organizations:
        extras = (*each.extras, *(extra for item in each.walk() for extra in item.extras))
        yield from (extra for extra in extras if extra.name == SEQUENCING)


def _new(name: str) -> bool:
    return split_name(name)[0] in _OF_2004


def _without(gone: Callable[[Element], bool]) -> Callable[[tuple[Element, ...]], tuple[Element, ...]]:
    return lambda extras: tuple(each for each in extras if not gone(each))
