"""xAPI: tincan.xml, which names the activity and the page that a platform launches.

The page finds endpoint, auth, actor and registration in its query. The course is one activity; its units are not launched
by themselves.
"""

from __future__ import annotations

from content.errors import Problem
from content.exports.scorm import Package
from content.exports.xml import add, etree, text, to_bytes

MANIFEST = "tincan.xml"
NAMESPACE = "http://projecttincan.com/tincan.xsd"
COURSE_TYPE = "http://adlnet.gov/expapi/activities/course"


def write_manifest(package: Package) -> tuple[bytes, list[Problem]]:
    """The activity with its texts in every chosen language."""
    course = package.course
    root = etree.Element(f"{{{NAMESPACE}}}tincan", nsmap={None: NAMESPACE})
    listed = add(add(root, "activities"), "activity", id=course.document["tracking"]["activity"], type=COURSE_TYPE)
    for tag, title in course.metadata["title"].items():
        add(listed, "name", text(title), lang=tag)
    for tag, description in course.metadata["description"].items():
        add(listed, "description", text(description), lang=tag)
    add(listed, "launch", package.pages[0].path, lang=course.language)
    return to_bytes(root), []
