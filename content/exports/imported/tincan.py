"""tincan.xml of a package that came with one: its activities as they were kept, with addresses from the root."""

from __future__ import annotations

from collections.abc import Container

from content.exports.imported.elements import add_all, prefixes_for, writable
from content.exports.imported.kept import with_kept
from content.exports.tincan import COURSE_TYPE, MANIFEST, NAMESPACE
from content.exports.xml import add, etree, to_bytes
from content.scorm.model import Course, Element, Item

__all__ = ["MANIFEST", "repaired", "write_manifest"]


def repaired(course: Course, paths: Container[str]) -> Course:
    """The course as its export says it: what `write_manifest` is given."""
    return with_kept(course, MANIFEST, paths, NAMESPACE, _made, "launch")


def write_manifest(course: Course, paths: Container[str]) -> bytes:
    """What is launched first. Raises ContentError `export-unwritable` for what no XML can hold."""
    with writable():
        root = etree.Element(f"{{{NAMESPACE}}}tincan", nsmap=prefixes_for(course, {None: NAMESPACE}))
        activities = add(root, "activities")
        for organization in course.organizations:
            for item in organization.walk():
                add_all(activities, item.extras[:1], paths)
        add_all(activities, course.extras, paths)
        return to_bytes(root)


def _made(item: Item) -> Element:
    name = Element(f"{{{NAMESPACE}}}name", (), item.title)
    return Element(f"{{{NAMESPACE}}}activity", (("id", item.activity), ("type", COURSE_TYPE)), "", (name,))
