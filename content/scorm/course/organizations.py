"""A manifest's organizations and their items: the tree as it stands, with texts as they stand.

Before: `grafting`, which says what stands below items of other manifests; `resources`, which items refer to. After: `launches`. What has no field of its own in the model (sequencing,
presentation, objectives, completion threshold, metadata, and what nobody knows) is kept as elements.
"""

from __future__ import annotations

import re

from content.scorm.course.files import Files
from content.scorm.course.grafting import Graft, Placed, Plan, defaults
from content.scorm.course.identifiers import Identifiers
from content.scorm.course.keeping import Keeper
from content.scorm.course.metadata import with_locations
from content.scorm.course.namespaces import is_packaging
from content.scorm.course.nodes import Document, Node
from content.scorm.course.parts import Part, Parts
from content.scorm.course.remains import Remains
from content.scorm.course.resources import Resources, others
from content.scorm.course.words import plain
from content.scorm.findings import Findings
from content.scorm.model import Element, Item, Organization

_TEXTS = {
    "prerequisites": "prerequisites",
    "maxtimeallowed": "max_time_allowed",
    "timelimitaction": "time_limit_action",
    "datafromlms": "data_from_lms",
    "masteryscore": "mastery_score",
}
_HIDDEN = frozenset(("false", "0", "no"))
_OF_ITEMS = frozenset(("identifier", "identifierref", "isvisible", "parameters"))
_OWN = frozenset(("identifier", "structure"))


class OrganizationReader:
    """First `identify`, so that items get their names before everything else; then `read`, once resources are known."""

    def __init__(
        self,
        document: Document,
        files: Files,
        identifiers: Identifiers,
        keeper: Keeper,
        parts: Parts,
        plan: Plan,
        found: Findings,
    ) -> None:
        self._document, self._files, self._identifiers = document, files, identifiers
        self._keeper, self._parts, self._plan, self._found = keeper, parts, plan, found
        self._remains = Remains(document, files, keeper, found)
        self._names: dict[Node, str] = {}
        self._renamed: dict[Part, dict[str, str]] = {}
        self._said: dict[str, str] = {}

    def identify(self) -> None:
        waiting = list(self._plan.organizations)
        for part, node in waiting:  # which grows: what is grafted gets its names after all that were there
            self._identify_items(part, node, waiting)
        for _, organization in self._plan.organizations:
            said = (organization.get("identifier") or "").strip()
            name = self._identifiers.claim(said, "organization", self._document.place(organization))
            self._names[organization] = name
            if said:
                self._said.setdefault(said, name)

    def default(self) -> str:
        """The identifier of the organization that the manifest calls its default; empty where it names none that is there."""
        manifest = self._parts.outer.node
        said = next((each.get("default") for each in manifest.each("organizations")), None)
        name = self._said.get((said or "").strip(), "")
        if said and said.strip() and not name:
            place = self._document.place(next(manifest.each("organizations")))
            message = f"The default organization “{said.strip()}” is not there; the first that can be opened is played."
            self._found.warn("default-dangling", place, message)
        if not name and self._plan.organizations and not self._parts.outer.organizations:
            name = self._names.get(defaults(self._plan.organizations[0][0])[0][1], "")
        return name

    def read(self, resources: Resources) -> tuple[Organization, ...]:
        return tuple(self._organization(part, node, resources) for part, node in self._plan.organizations)

    def _identify_items(self, part: Part, node: Node, waiting: list[Placed]) -> None:
        for child in node.children:
            if child.local == "item" and is_packaging(child.space):
                said = (child.get("identifier") or "").strip()
                name = self._identifiers.claim(said, "item", self._document.place(child))
                self._names[child] = name
                if said:
                    self._renamed.setdefault(part, {}).setdefault(said, name)
                if child in self._plan.grafts:
                    waiting.extend(self._plan.grafts[child].organizations)
                self._identify_items(part, child, waiting)

    def _organization(self, part: Part, node: Node, resources: Resources) -> Organization:
        items, extras, title = self._below(part, node, resources, {})
        if part is not self._parts.outer:
            extras = self._remains.beside(extras, self._remains.metadata(part), part)
        attributes = {name: value for name, value in node.attributes.items() if name.rpartition("}")[2] not in _OWN}
        return Organization(
            identifier=self._names[node],
            title=title or "",
            items=items,
            structure=(node.get("structure") or "").strip() or "hierarchical",
            attributes=tuple(sorted(attributes.items())),
            extras=extras,
        )

    def _item(self, part: Part, node: Node, resources: Resources) -> Item:
        place = self._document.place(node)
        texts: dict[str, str] = {}
        items, extras, title = self._below(part, node, resources, texts)
        graft = self._plan.grafts.get(node)
        if graft:
            more, extras, other = self._grafted(graft, extras, resources)
            items, title = (*items, *more), title or other
        name = self._names[node]
        if title is None or not title:
            self._found.warn("title-missing", place, f"The item “{name}” has no title; its identifier stands for it.")
        prerequisites = texts.get("prerequisites", "")
        return Item(
            identifier=name,
            title=title or name,
            resource=None if graft else self._resource(part, node, resources, place),
            visible=(node.get("isvisible") or "").strip().lower() not in _HIDDEN,
            parameters=(node.get("parameters") or "").strip(),
            prerequisites=self._following(part, prerequisites) if prerequisites else "",
            max_time_allowed=texts.get("max_time_allowed", ""),
            time_limit_action=texts.get("time_limit_action", ""),
            data_from_lms=texts.get("data_from_lms", ""),
            mastery_score=texts.get("mastery_score", ""),
            attributes=others(node, _OF_ITEMS),
            extras=extras,
            children=items,
        )

    def _below(
        self, part: Part, node: Node, resources: Resources, texts: dict[str, str]
    ) -> tuple[tuple[Item, ...], tuple[Element, ...], str | None]:
        """Items, elements to keep, and the title; `texts` gets what the model has fields for."""
        items: list[Item] = []
        extras: list[Element] = []
        title: str | None = None
        for child in node.children:
            field = _TEXTS.get(child.local)
            if child.local == "item" and is_packaging(child.space):
                items.append(self._item(part, child, resources))
            elif child.local == "title" and is_packaging(child.space):
                title = title or plain(child.words())
            elif field and node.local == "item" and field not in texts:
                words = child.words()
                texts[field] = words if field == "data_from_lms" and words.strip() else words.strip()
            else:
                kept = self._keeper.keep(child)
                extras.append(with_locations(kept, self._files, part.base, self._document.place(child), self._keeper))
        return tuple(items), tuple(extras), title

    def _grafted(
        self, graft: Graft, extras: tuple[Element, ...], resources: Resources
    ) -> tuple[tuple[Item, ...], tuple[Element, ...], str | None]:
        """What an item gets from the manifest that it refers to: items, with what it has already all that it keeps, and the
        title that it may need."""
        below = [(part, self._below(part, node, resources, {})) for part, node in graft.organizations]
        for part in dict.fromkeys((graft.part, *(part for part, _ in below))):
            extras = self._remains.beside(extras, self._remains.metadata(part), part)
        for part, (_, more, _) in below:
            extras = self._remains.beside(extras, more, part)
        return tuple(item for _, (items, _, _) in below for item in items), extras, below[0][1][2]

    def _resource(self, part: Part, node: Node, resources: Resources, place: str) -> str | None:
        said = (node.get("identifierref") or "").strip()
        if not said:
            return None
        target = self._parts.refer(part, said)
        if isinstance(target, Part):
            return None  # told where it was not grafted
        if target is None:
            message = f"The item refers to the resource “{said}”, which is not there; nothing opens with it."
            self._found.warn("identifierref-dangling", place, message)
            return None
        written = (target.get("identifier") or "").strip()
        if said != written:
            message = f"The item refers to “{said}”; the resource is written “{written}”."
            self._found.warn("identifierref-case", place, message)
        return resources.names[target]

    def _following(self, part: Part, prerequisites: str) -> str:
        """The script with the names that items have got (aicc_script: names between operators)."""
        names = self._renamed.get(part, {})
        return re.sub(r"[^\s&|~=<>(){},*\"]+", lambda name: names.get(name[0], name[0]), prerequisites)
