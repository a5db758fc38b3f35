"""What cmi5 and Tin Can have in common when they are written back: elements that were kept whole, with one address in each."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import replace

from content.exports.imported.addresses import written_href
from content.exports.imported.trees import renamed, split_name, with_items, writable
from content.scorm.model import Course, Element, Item, Resource


def with_kept(
    course: Course, manifest: str, paths: Container[str], space: str, make: Callable[[Item], Element], child: str
) -> Course:
    """The course as its export says it: each item's element, or one that is made for it, in the namespace `space`, its `child`
    the address of what the item opens."""
    resources = {each.identifier: each for each in course.resources}

    def of_item(item: Item) -> Item:
        element = in_namespace(item.extras[0] if item.extras else make(item), space)
        address = _address(item, resources, paths)
        return replace(item, extras=(_addressed(element, f"{{{space}}}{child}", address) if address else element,))

    return replace(
        course,
        manifest=manifest,
        organizations=tuple(with_items(each, of_item) for each in course.organizations),
        extras=tuple(in_namespace(each, space) for each in course.extras),
    )


def in_namespace(element: Element, space: str) -> Element:
    """The element and what in it stands in the same namespace as it, moved."""
    old = split_name(element.name)[0]

    def moved(name: str) -> str:
        own, local = split_name(name)
        return writable(f"{{{space}}}{local}" if own in (old, "") else name)

    return renamed(element, moved)


def _address(item: Item, resources: Mapping[str, Resource], paths: Container[str]) -> str:
    resource = resources.get(item.resource or "")
    return written_href(resource.href, resource.remote, paths) if resource else ""


def _addressed(element: Element, child: str, address: str) -> Element:
    """The first child of that name that says something says the address."""
    children = list(element.children)
    for at, each in enumerate(children):
        if each.name == child and each.text.strip():
            children[at] = replace(each, text=address)
            return replace(element, children=tuple(children))
    return replace(element, children=(*children, Element(child, (), address)))
