"""What inner manifests say beside their items and resources, kept where the course has a place for it; else that is told.

Before: `grafting`. After: the extras of items, organizations and the course.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from content.scorm.course.files import Files
from content.scorm.course.keeping import Keeper
from content.scorm.course.metadata import with_locations
from content.scorm.course.nodes import Document, Node
from content.scorm.course.parts import Part
from content.scorm.findings import Findings
from content.scorm.model import Element

_STRUCTURE = frozenset(("metadata", "organizations", "resources", "manifest"))


@dataclass(frozen=True)
class Remains:
    document: Document
    files: Files
    keeper: Keeper
    found: Findings

    def metadata(self, part: Part) -> list[Element]:
        """Of an inner manifest, which is nothing by itself afterwards."""
        return [
            with_locations(self.keeper.keep(each), self.files, part.base, self.document.place(each), self.keeper)
            for each in part.node.each("metadata")
            if each.children
        ]

    def beside(self, extras: tuple[Element, ...], more: Iterable[Element], part: Part) -> tuple[Element, ...]:
        """What stands there, and of the rest what there can be once and is not there. Metadata come first, where the schemas
        want them."""
        made = list(extras)
        lost: dict[str, None] = {}
        for each in more:
            if any(each.name == other.name for other in made):
                if each not in made:
                    lost[each.name.rpartition("}")[2]] = None
            elif each.name.rpartition("}")[2].lower() == "metadata":
                made.insert(0, each)
            else:
                made.append(each)
        if lost:
            message = f"Of the manifest “{part.name}” inside the manifest there was no place for: {', '.join(lost)}."
            self.found.warn("sub-manifest", self.document.place(part.node), message)
        return tuple(made)

    def extras(self, parts: list[Part]) -> tuple[Element, ...]:
        """What else stands in manifests, the outer one first. There is one collection of sequencing, so those of inner
        manifests go into that."""
        kept = [self.keeper.keep(node) for node in parts[0].node.children if node.local not in _STRUCTURE]
        for part in parts[1:]:
            for node in part.node.children:
                if node.local == "sequencingcollection":
                    self._collect(kept, node, part)
                elif node.local not in _STRUCTURE:
                    kept.append(self.keeper.keep(node))
        return tuple(kept)

    def _collect(self, kept: list[Element], node: Node, part: Part) -> None:
        collection = self.keeper.keep(node)
        at = next((n for n, each in enumerate(kept) if each.name == collection.name), None)
        if at is None:
            kept.append(collection)
            return
        there = {_id(each): each for each in kept[at].children}
        added = tuple(each for each in collection.children if not _id(each) or _id(each) not in there)
        if any(_id(each) in there and each != there[_id(each)] for each in collection.children if _id(each)):
            message = (
                f"The manifest “{part.name}” inside the manifest has sequencing with an ID that another has;"
                " the other's counts."
            )
            self.found.warn("sub-manifest", self.document.place(node), message)
        kept[at] = replace(kept[at], children=(*kept[at].children, *added))


def _id(element: Element) -> str:
    return dict(element.attributes).get("ID", "")
