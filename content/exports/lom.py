"""The course described for a catalogue: IEEE LOM in SCORM 2004, its forerunner IMS metadata 1.2.1 in SCORM 1.2.

Both tell title, languages, description and rights; they differ in names and order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from content.exports.export_course import ExportCourse
from content.exports.xml import XML_LANG, add, etree, text, to_bytes

LOM = "http://ltsc.ieee.org/xsd/LOM"
IMSMD = "http://www.imsglobal.org/xsd/imsmd_rootv1p2p1"
MAX_TITLE_CHARS, MAX_DESCRIPTION_CHARS = 1000, 2000  # smallest permitted maxima of IEEE 1484.12.1


def write_lom(course: ExportCourse) -> bytes:
    """A document of its own, beside a SCORM 2004 manifest."""
    root = etree.Element(f"{{{LOM}}}lom", nsmap={None: LOM})
    general = add(root, "general")
    _strings(add(general, "title"), course.metadata["title"], MAX_TITLE_CHARS)
    for each in course.metadata["languages"]:
        add(general, "language", each["tag"])
    _strings(add(general, "description"), course.metadata["description"], MAX_DESCRIPTION_CHARS)
    rights = add(root, "rights")
    add(add(rights, "description"), "string", text(course.metadata["license"]), language="x-none")
    return to_bytes(root)


def add_imsmd(parent: Any, course: ExportCourse) -> None:
    """`imsmd:lom` as a child of a SCORM 1.2 manifest's metadata."""
    root = etree.SubElement(parent, f"{{{IMSMD}}}lom", nsmap={"imsmd": IMSMD})
    general = add(root, "general")
    _langstrings(add(general, "title"), course.metadata["title"], MAX_TITLE_CHARS)
    for each in course.metadata["languages"]:
        add(general, "language", each["tag"])
    _langstrings(add(general, "description"), course.metadata["description"], MAX_DESCRIPTION_CHARS)
    rights = add(root, "rights")
    _langstrings(add(rights, "description"), {"x-none": course.metadata["license"]}, MAX_TITLE_CHARS)


def _strings(parent: Any, texts: Mapping[str, str], limit: int) -> None:
    for tag, value in texts.items():
        add(parent, "string", text(value, limit), language=tag)


def _langstrings(parent: Any, texts: Mapping[str, str], limit: int) -> None:
    for tag, value in texts.items():
        add(parent, "langstring", text(value, limit), **{XML_LANG: tag})
