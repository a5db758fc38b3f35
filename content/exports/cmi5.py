"""cmi5: cmi5.xml, with one assignable unit (AU) or one for each unit of the course.

    report                moveOn               masteryScore
    passed-incomplete     Passed               yes
    passed-failed         Passed               yes
    completed-incomplete  Completed            no
    completed-failed      CompletedAndPassed   yes

Where there are no points to be had nothing can be passed: Completed, without a score. A test of the course's own order is
always Passed with its mark. Ids are IRIs made of the package's and the unit's id and stay the same in every version, so
that a learner's record goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from content.errors import Problem
from content.exports.export_course import activity, points_of
from content.exports.scorm import Package
from content.exports.xml import add, etree, text, to_bytes

MANIFEST = "cmi5.xml"
NAMESPACE = "https://w3id.org/xapi/profiles/cmi5/v1/CourseStructure.xsd"
MOVE_ON = {
    "passed-incomplete": "Passed",
    "passed-failed": "Passed",
    "completed-incomplete": "Completed",
    "completed-failed": "CompletedAndPassed",
}


def write_manifest(package: Package) -> tuple[bytes, list[Problem]]:
    """The course structure, and a finding if the course asks for an order, which cmi5 does not know."""
    course = package.course
    root = etree.Element(f"{{{NAMESPACE}}}courseStructure", nsmap={None: NAMESPACE})
    described = add(root, "course", id=activity(course.package_id))
    _texts(add(described, "title"), course.metadata["title"])
    _texts(add(described, "description"), course.metadata["description"])
    for page in package.pages:
        unit = page.unit
        attributes = {"id": au_activity(package, unit), "moveOn": "Completed"}
        if mark := _mark(course.document, unit):
            move_on, mastery = mark
            attributes |= {"moveOn": move_on, "masteryScore": f"{mastery:.4f}"}
        au = add(root, "au", **attributes, launchMethod="AnyWindow")
        _texts(add(au, "title"), course.metadata["title"] if unit is None else unit["title"])
        _texts(add(au, "description"), course.metadata["description"] if unit is None else unit["title"])
        add(au, "url", page.path)
    findings: list[Problem] = []
    if course.sequencing and package.pages[0].unit is not None:
        message = (
            "cmi5 knows no order of units: a platform shows them one after the other, and each can be opened at once."
        )
        findings.append(Problem("/metadata/sequencing", "export-sequencing", message, "warning"))
    return to_bytes(root), findings


def au_activity(package: Package, unit: Mapping[str, Any] | None) -> str:
    """The id of an AU, which must differ from the course's."""
    return activity(package.course.package_id, "au" if unit is None else f"au/{unit['id']}")


def _mark(document: Mapping[str, Any], unit: Mapping[str, Any] | None) -> tuple[str, float] | None:
    """moveOn and masteryScore where points count."""
    tracking = document["tracking"]
    own = tracking.get("units", {}).get(unit["id"]) if unit is not None else None
    if own:
        return "Passed", own["mastery"]
    tested = [unit] if unit is not None else document["structure"]["units"]
    move_on = MOVE_ON[tracking["report"]]
    if move_on == "Completed" or not any(points_of(each) > 0 for each in tested):
        return None
    return move_on, tracking["mastery"]


def _texts(parent: Any, texts: Mapping[str, str]) -> None:
    for tag, value in texts.items():
        add(parent, "langstring", text(value), lang=tag)
