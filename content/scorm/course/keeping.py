"""Parts of documents as elements of the model, which is how everything is kept that has no field of its own."""

from __future__ import annotations

from content.scorm.course import namespaces
from content.scorm.course.nodes import Node
from content.scorm.model import Element


class Keeper:
    """Nodes as elements of the model. What is alike is kept once: thousands of items carry the same few rules."""

    def __init__(self, family: namespaces.Family) -> None:
        self._family: namespaces.Family = family
        self._kept: dict[tuple[object, ...], Element] = {}

    def keep(self, node: Node, space: str | None = None, without: frozenset[str] = frozenset()) -> Element:
        """The element whole, but for children whose local names are in `without`. One that stands in no namespace, or in
        packaging's though it is not packaging's, comes home; `space` is what its parent came home to."""
        name = node.name
        if namespaces.is_packaging(node.space):
            space = space or namespaces.home(node.local, self._family) or None
            name = f"{{{space}}}{name.rpartition('}')[2]}" if space else name
        else:
            space = None
        children = tuple(self.keep(child, space) for child in node.children if child.local not in without)
        return self.made(name, node.attributes, _text(node), children)

    def made(
        self, name: str, attributes: dict[str, str], text: str = "", children: tuple[Element, ...] = ()
    ) -> Element:
        pairs = tuple(sorted(attributes.items())) if attributes else ()
        key = (name, pairs, text, *map(id, children))  # children are kept too, so their ids stay theirs
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = Element(name, pairs, text, children)
        return kept


def _text(node: Node) -> str:
    if not node.children:
        return node.text if node.text.strip() else ""
    parts = (node.text.strip(), *(child.tail.strip() for child in node.children))
    return " ".join(part for part in parts if part)
