"""cmi5.xml of a package that came as cmi5: its blocks and AUs as they were kept, with addresses from the root."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Any, Final

from content.exports.cmi5 import MANIFEST, NAMESPACE
from content.exports.imported.elements import add_all, prefixes_for, writable
from content.exports.imported.kept import with_kept
from content.exports.xml import etree, to_bytes
from content.scorm.model import Course, Element, Item

__all__ = ["MANIFEST", "repaired", "write_manifest"]
_FIRST: Final = (f"{{{NAMESPACE}}}course", f"{{{NAMESPACE}}}objectives")


def repaired(course: Course, paths: Container[str]) -> Course:
    """The course as its export says it: what `write_manifest` is given."""
    changed = with_kept(course, MANIFEST, paths, NAMESPACE, _made, "url")
    extras = (
        changed.extras if any(each.name == _FIRST[0] for each in changed.extras) else (_course(course), *changed.extras)
    )
    order = {name: at for at, name in enumerate(_FIRST)}
    return replace(changed, extras=tuple(sorted(extras, key=lambda each: order.get(each.name, len(order)))))


def write_manifest(course: Course, paths: Container[str]) -> bytes:
    """Raises ContentError `export-unwritable` for what no XML can hold."""
    with writable():
        root = etree.Element(f"{{{NAMESPACE}}}courseStructure", nsmap=prefixes_for(course, {None: NAMESPACE}))
        first = tuple(each for each in course.extras if each.name in _FIRST)
        add_all(root, first, paths)
        for organization in course.organizations:
            _add_items(root, organization.items, paths)
        add_all(root, course.extras[len(first) :], paths)
        return to_bytes(root)


def _add_items(parent: Any, items: Iterable[Item], paths: Container[str]) -> None:
    for item in items:
        add_all(parent, item.extras[:1], paths)
        _add_items(parent[-1], item.children, paths)


def _made(item: Item) -> Element:
    kind = "block" if item.children else "au"
    return Element(f"{{{NAMESPACE}}}{kind}", (("id", item.activity),), "", (_texts("title", item.title),))


def _course(course: Course) -> Element:
    title, description = _texts("title", course.title), _texts("description", course.description or course.title)
    return Element(_FIRST[0], (("id", course.identifier),), "", (title, description))


def _texts(name: str, text: str) -> Element:
    return Element(f"{{{NAMESPACE}}}{name}", (), "", (Element(f"{{{NAMESPACE}}}langstring", (), text),))
