"""Walking over what was kept from a manifest, and changing it everywhere at once; values in, new values out.

Names are in Clark notation. Strangers use namespaces that are no URIs and local names that are no names; `writable` is the
nearest that XML with namespaces has.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeVar
from urllib.parse import quote

from content.exports.xml import etree
from content.scorm.course.identifiers import valid_id
from content.scorm.model import Course, Element, Item, Organization, Resource

_IN_URIS: Final = ":/?#[]@!$&'()*+,;=%-._~"
Attributes = tuple[tuple[str, str], ...]
_RESERVED: Final = "http://www.w3.org/2000/xmlns/"


def split_name(name: str) -> tuple[str, str]:
    """(namespace, local name) of a name in Clark notation."""
    space, closed, local = name.rpartition("}")
    return (space[1:], local) if closed else ("", name)


@functools.lru_cache(maxsize=4096)
def writable(name: str) -> str:
    """The name as it can be written; most stay as they are."""
    space, local = split_name(name)
    space, local = _space(space), valid_id(local)
    return f"{{{space}}}{local}" if space else local


def _space(space: str) -> str:
    if not space or _is_space(space):
        return space
    escaped = quote(space, safe=_IN_URIS)
    return escaped if _is_space(escaped) else f"urn:namespace:{hashlib.sha256(space.encode()).hexdigest()[:16]}"


def _is_space(space: str) -> bool:
    if space == _RESERVED:
        return False
    try:
        etree.Element("x", nsmap={"x": space})
    except ValueError:
        return False
    return True


def writable_all(attributes: Attributes) -> Attributes:
    return tuple(sorted({writable(name): value for name, value in attributes}.items()))


def renamed(element: Element, change: Callable[[str], str]) -> Element:
    """The element with the names of elements in it changed, and those of attributes so that they can be written."""
    children = tuple(renamed(each, change) for each in element.children)
    changed = Element(change(element.name), writable_all(element.attributes), element.text, children)
    return element if changed == element else changed


def walk(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from walk(child)


Change = Callable[[tuple[Element, ...]], tuple[Element, ...]]


def with_items(organization: Organization, change: Callable[[Item], Item]) -> Organization:
    """Every item changed, the inner ones first."""

    def deep(item: Item) -> Item:
        return change(replace(item, children=tuple(map(deep, item.children))))

    return replace(organization, items=tuple(map(deep, organization.items)))


Part = TypeVar("Part", Item, Organization, Resource)


class PartChange(Protocol):
    def __call__(self, part: Part, /) -> Part: ...


def with_parts(course: Course, change: PartChange) -> Course:
    """Every organization, item and resource changed, the inner ones first."""
    return replace(
        course,
        organizations=tuple(change(with_items(each, change)) for each in course.organizations),
        resources=tuple(map(change, course.resources)),
    )


def with_extras(course: Course, change: Change) -> Course:
    """What was kept of the manifest, its organizations, items and resources, changed where it stands."""

    def of(part: Part) -> Part:
        return replace(part, extras=change(part.extras)) if part.extras else part

    changed = with_parts(course, of)
    return replace(changed, metadata=change(course.metadata), extras=change(course.extras))


def with_attributes(course: Course, change: Callable[[Attributes], Attributes]) -> Course:
    """What else stood at organizations, items and resources, changed where it stands."""

    def of(part: Part) -> Part:
        return replace(part, attributes=change(part.attributes)) if part.attributes else part

    return with_parts(course, of)


def first(elements: Sequence[Element], name: str) -> Element | None:
    return next((each for each in elements if each.name == name), None)
