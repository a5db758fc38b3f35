"""Walking over what was kept from a manifest, and changing it everywhere at once; values in, new values out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from content.scorm.model import Course, Element, Item, Organization, Resource


def split_name(name: str) -> tuple[str, str]:
    """(namespace, local name) of a name in Clark notation."""
    space, closed, local = name.rpartition("}")
    return (space[1:], local) if closed else ("", name)


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


def with_extras(course: Course, change: Change) -> Course:
    """What was kept of the manifest, its organizations, items and resources, changed where it stands."""

    def of_item(item: Item) -> Item:
        return replace(item, extras=change(item.extras)) if item.extras else item

    def of_organization(each: Organization) -> Organization:
        return replace(with_items(each, of_item), extras=change(each.extras))

    def of_resource(each: Resource) -> Resource:
        return replace(each, extras=change(each.extras)) if each.extras else each

    return replace(
        course,
        metadata=change(course.metadata),
        extras=change(course.extras),
        organizations=tuple(map(of_organization, course.organizations)),
        resources=tuple(map(of_resource, course.resources)),
    )


def first(elements: Sequence[Element], name: str) -> Element | None:
    return next((each for each in elements if each.name == name), None)
