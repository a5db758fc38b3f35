"""Whose items are played where manifests stand inside the manifest.

An item that refers to an inner manifest gets its items below itself, once: who refers to the same one again gets nothing, so
that nothing grows beyond the document. Where the outer manifest opens nothing of its own, the organizations of the inner ones
stand beside its own. Inner manifests that nobody refers to are not played.
Before: `parts`. After: `organizations`, to which this is a plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from content.scorm.course.namespaces import is_packaging
from content.scorm.course.nodes import Document, Node
from content.scorm.course.parts import Part, Parts
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits

Placed = tuple[Part, Node]
"""An organization and whose it is."""
_ITEM = 4
"""How deep an item stands that is in no other item."""


@dataclass(frozen=True)
class Graft:
    """What comes below an item: the items of these organizations. `part`: what it refers to."""

    part: Part
    organizations: tuple[Placed, ...]


@dataclass
class Plan:
    """`organizations`: of the course. `grafts`: by item. `used`: the parts that are played."""

    organizations: list[Placed]
    grafts: dict[Node, Graft] = field(default_factory=dict[Node, Graft])
    used: set[Part] = field(default_factory=set[Part])
    opens: bool = False


def plan(parts: Parts, document: Document, limits: ImportLimits, found: Findings) -> Plan:
    outer = parts.outer
    made = Plan([(outer, node) for node in outer.organizations], used={outer})
    if len(parts.all) == 1:
        return made
    grafter = _Grafter(parts, document, limits.xml_depth, found, made)
    for placed in list(made.organizations):
        grafter.below(*placed, _ITEM)
    if not made.opens:
        joined = [each for inner in outer.inside for each in every(inner) if each[0] not in made.used]
        for placed in joined:
            grafter.join(*placed)
        for placed in joined:
            grafter.below(*placed, _ITEM)
    for part in parts.all:
        if part not in made.used and part.organizations:
            message = (
                f"No item refers to the manifest “{part.name}” inside the manifest, so its items are not played;"
                " its resources were kept."
            )
            found.warn("sub-manifest", document.place(part.node), message)
        elif part not in made.used:
            message = (
                f"The resources of the manifest “{part.name}” inside the manifest were taken as the package's own."
            )
            found.warn("sub-manifest", document.place(part.node), message)
    return made


def every(part: Part) -> list[Placed]:
    """The organizations of a part; of one that has none, those of the parts inside it."""
    own = [(part, node) for node in part.organizations]
    return own or [each for inner in part.inside for each in every(inner)]


def defaults(part: Part) -> list[Placed]:
    """As `every`, but of each part the one that it calls its default, else its first."""
    own = part.organizations
    if not own:
        return [each for inner in part.inside for each in defaults(inner)]
    said = next((each.get("default") for each in part.node.each("organizations")), None)
    called = [node for node in own if (node.get("identifier") or "").strip() == (said or "").strip()]
    return [(part, (called or own)[0])]


class _Grafter:
    def __init__(self, parts: Parts, document: Document, most: int, found: Findings, made: Plan) -> None:
        self._parts, self._document, self._most = parts, document, most
        self._found, self._made = found, made
        self._taken: set[Node] = set()

    def below(self, part: Part, node: Node, depth: int) -> None:
        """All items below that one, which stand `depth` deep."""
        for item in node.children:
            if item.local == "item" and is_packaging(item.space):
                said = (item.get("identifierref") or "").strip()
                target = self._parts.refer(part, said) if said else None
                if isinstance(target, Part):
                    self._graft(item, target, depth)
                elif target is not None and (target.get("href") or "").strip():
                    self._made.opens = True
                self.below(part, item, depth + 1)

    def join(self, part: Part, node: Node) -> None:
        self._made.organizations.append((part, node))
        self._taken.add(node)
        if part not in self._made.used:
            self._made.used.add(part)
            message = (
                "The manifest has no organization that opens anything; those of the manifest"
                f" “{part.name}” inside it were taken."
            )
            self._found.warn("sub-manifest", self._document.place(part.node), message)

    def _graft(self, item: Node, target: Part, depth: int) -> None:
        place = self._document.place(item)
        others = len(target.organizations) - 1
        organizations = tuple(each for each in defaults(target) if each[1] not in self._taken)
        self._taken.update(node for _, node in organizations)
        if not organizations:
            message = (
                f"The item refers to the manifest “{target.name}” inside the manifest, which has no items or stands"
                " below another item already; nothing was put below this one."
            )
            self._found.warn("sub-manifest", place, message)
            return
        if depth + max(_height(node) for node in (target.node, *(node for _, node in organizations))) > self._most:
            message = f"The items of the manifest “{target.name}” would be nested too deep here; they were left out."
            self._made.used.add(target)
            self._found.warn("sub-manifest", place, message)
            return
        self._made.used.update((target, *(part for part, _ in organizations)))
        self._made.grafts[item] = Graft(target, organizations)
        message = (
            f"The item refers to the manifest “{target.name}” inside the manifest; its items were put below the item."
        ) + (
            f" Its {others} other {'organization was' if others == 1 else 'organizations were'} left out."
            if others > 0
            else ""
        )
        self._found.warn("sub-manifest", place, message)
        for part, node in organizations:
            self.below(part, node, depth + 1)


def _height(node: Node) -> int:
    """How many levels of elements stand below it; of a manifest, those of its metadata."""
    children = node.each("metadata") if node.local == "manifest" else node.children
    return max((1 + _height(child) for child in children), default=0)
