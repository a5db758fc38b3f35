"""The manifests of one document: the outer one and those that stand inside it (IMS Content Packaging's sub-manifests).

Each is a part with a base and a scope of its own. What a part names is looked for in itself, then in the parts inside it, then
anywhere in the document: tools that join packages leave identifiers as they were, so two parts may use the same ones.
Before: `xml`. After: `grafting`, which says whose items are played, `resources`, `organizations`.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from content.scorm.course.files import Files
from content.scorm.course.hrefs import Base
from content.scorm.course.namespaces import XML
from content.scorm.course.nodes import Document, Node

BASE = f"{{{XML}}}base"


@dataclass(eq=False)
class Part:
    """`base`: with its own xml:base. `order`: among all parts as they stand in the document; those from there to `end` stand
    inside it."""

    node: Node
    base: Base
    order: int
    end: int = 0
    inside: list[Part] = field(default_factory=list["Part"])

    @property
    def said(self) -> str:
        return (self.node.get("identifier") or "").strip()

    @property
    def name(self) -> str:
        """For who reads what is told."""
        return self.said or f"line {self.node.line}"

    @property
    def organizations(self) -> list[Node]:
        return [node for container in self.node.each("organizations") for node in container.each("organization")]


class Parts:
    """`all`: the outer one first. `resources`: each with its part and the base of the element that holds it."""

    def __init__(self, document: Document, files: Files, base: Base) -> None:
        self._document, self._files = document, files
        self.all: list[Part] = []
        self.resources: list[tuple[Part, Base, Node]] = []
        self._manifests: dict[str, list[int]] = {}
        self._said: dict[str, list[tuple[int, Node]]] = {}
        self._by_case: dict[str, set[str]] | None = None
        self.outer = self._read(document.root, base)

    def _read(self, node: Node, above: Base) -> Part:
        base = self._files.base(above, node.attributes.get(BASE), self._document.place(node))
        part = Part(node, base, len(self.all))
        self.all.append(part)
        if part.order and part.said:
            self._manifests.setdefault(part.said, []).append(part.order)
        for container in node.each("resources"):
            below = self._files.base(base, container.attributes.get(BASE), self._document.place(container))
            for each in container.each("resource"):
                self.resources.append((part, below, each))
                if said := (each.get("identifier") or "").strip():
                    self._said.setdefault(said, []).append((part.order, each))
        part.inside = [self._read(each, base) for each in node.each("manifest")]
        part.end = len(self.all)
        return part

    def refer(self, part: Part, said: str) -> Node | Part | None:
        """What an item of that part refers to: a resource, or a manifest inside the part."""
        named = self._said.get(said, ())
        at = bisect_left(named, part.order, key=lambda each: each[0])
        near = named[at] if at < len(named) and named[at][0] < part.end else None
        if near and near[0] == part.order:
            return near[1]
        manifests = self._manifests.get(said, ())
        at = bisect_left(manifests, part.order + 1)
        if at < len(manifests) and manifests[at] < part.end:
            return self.all[manifests[at]]
        if named:
            return (near or named[0])[1]
        alike = self._alike(said)
        return self.refer(part, alike) if alike else None

    def resource(self, part: Part, said: str) -> Node | None:
        """What a resource of that part depends on."""
        found = self.refer(part, said) if said in self._said else None
        return found if isinstance(found, Node) else None

    def _alike(self, said: str) -> str:
        """The only name of a resource that differs in case."""
        if self._by_case is None:
            self._by_case = {}
            for name in self._said:
                self._by_case.setdefault(name.lower(), set()).add(name)
        alike = self._by_case.get(said.lower(), set())
        return next(iter(alike)) if len(alike) == 1 and said not in alike else ""
