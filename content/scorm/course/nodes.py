"""A parsed document: a tree of nodes that know their line. Before: `xml`. After: whoever knows what the document means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from content.scorm.course.namespaces import Family


@dataclass(slots=True, eq=False)
class Node:
    """`name` in Clark notation, `local` in lower case for those who write it otherwise, `tail`: text after it."""

    name: str
    local: str
    space: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    tail: str = ""
    children: Sequence[Node] = ()

    def get(self, local: str) -> str | None:
        """The attribute, whatever its namespace and case."""
        exact = self.attributes.get(local)
        if exact is not None:
            return exact
        for name, value in self.attributes.items():
            if name.rpartition("}")[2].lower() == local:
                return value
        return None

    def each(self, *locals: str) -> Iterator[Node]:
        return (child for child in self.children if child.local in locals)

    def first(self, local: str) -> Node | None:
        return next(self.each(local), None)

    def words(self) -> str:
        """All text in it, of its children too."""
        if not self.children:
            return self.text
        return "".join((self.text, *(part for child in self.children for part in (child.words(), child.tail))))


@dataclass
class Document:
    """`family`: which SCORM's namespaces are meant where none is said. `spaces`: all namespaces that are used."""

    path: str
    root: Node
    family: Family
    spaces: frozenset[str]

    def place(self, node: Node) -> str:
        return f"{self.path}:{node.line}"
