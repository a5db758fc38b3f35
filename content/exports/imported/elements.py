"""Elements that were kept from a manifest, written back: with the prefixes that their namespaces usually have.

Before: `content.scorm.model.Element`. After: the manifests of this package.
"""

from __future__ import annotations

import re
from collections.abc import Container, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from content.errors import ContentError
from content.exports.imported.addresses import address
from content.exports.imported.trees import split_name, walk
from content.exports.xml import XSI, etree
from content.scorm.course.namespaces import ADLCP_12, ADLCP_2004, ADLNAV, ADLSEQ, AICC, IMSMD, IMSSS, LOM
from content.scorm.model import Course, Element

XML: Final = "http://www.w3.org/XML/1998/namespace"
PREFIXES: Final = {
    ADLCP_2004: "adlcp",
    ADLSEQ: "adlseq",
    ADLNAV: "adlnav",
    IMSSS: "imsss",
    LOM: "lom",
    IMSMD: "imsmd",
    AICC: "aicc",
    XSI: "xsi",
}
_UNDECLARED: Final = re.compile(r"urn:undeclared-prefix:([A-Za-z][A-Za-z0-9-]*)")


def extras_of(course: Course) -> Iterator[Element]:
    """Every element that was kept from anywhere in the manifest, the outermost ones."""
    yield from (*course.metadata, *course.extras)
    for organization in course.organizations:
        yield from organization.extras
        for item in organization.walk():
            yield from item.extras
    for resource in course.resources:
        yield from resource.extras


def prefixes_for(course: Course, own: dict[str | None, str]) -> dict[str | None, str]:
    """Prefix → namespace for all that the course uses; `own` are those of the document itself, which come first."""
    used = {split_name(name)[0] for element in extras_of(course) for name in _names(element)}
    items = [item for each in course.organizations for item in each.walk()]
    used |= {
        split_name(name)[0]
        for each in (*course.organizations, *items, *course.resources)
        for name, _ in each.attributes
    }
    found = dict(own)
    for number, space in enumerate(sorted(used - set(own.values()) - {"", XML}), start=1):
        undeclared = _UNDECLARED.fullmatch(space)
        prefix = PREFIXES.get(space) or ("adlcp12" if space == ADLCP_12 else None) or (undeclared and undeclared[1])
        found[prefix if prefix and prefix not in found else f"x{number}"] = space
    return found


def add_all(parent: Any, elements: Iterable[Element], paths: Container[str]) -> None:
    """Below `parent`, in their order. A `location` that names a file of the package is its address."""
    for element in elements:
        child = etree.SubElement(parent, element.name)
        for name, value in element.attributes:
            child.set(name, value)
        is_path = split_name(element.name)[1] == "location" and element.text in paths
        child.text = (address(element.text, paths) if is_path else element.text) or None
        add_all(child, element.children, paths)


@contextmanager
def writable() -> Generator[None]:
    """Gives a name to what no XML can hold. No import gives such elements."""
    try:
        yield
    except ValueError as error:  # lxml's word for names and letters that XML does not have
        message = f"The package's own manifest cannot be written: {error}"
        raise ContentError("export-unwritable", message, "Import the package again.") from error


def _names(element: Element) -> Iterator[str]:
    for each in walk(element):
        yield each.name
        yield from (name for name, _ in each.attributes)
