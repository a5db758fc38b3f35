"""A manifest's organizations and their items: the tree as it stands, with texts as they stand.

Before: `resources`, which items refer to. After: `launches`. What has no field of its own in the model (sequencing,
presentation, objectives, completion threshold, metadata, and what nobody knows) is kept as elements.
"""

from __future__ import annotations

import re

from content.scorm.course.files import Files
from content.scorm.course.hrefs import Base
from content.scorm.course.identifiers import Identifiers
from content.scorm.course.keeping import Keeper
from content.scorm.course.metadata import with_locations
from content.scorm.course.namespaces import is_packaging
from content.scorm.course.nodes import Document, Node
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
        self, document: Document, files: Files, identifiers: Identifiers, keeper: Keeper, base: Base, found: Findings
    ) -> None:
        self._document, self._files, self._identifiers = document, files, identifiers
        self._keeper, self._base, self._found = keeper, base, found
        self._names: dict[int, str] = {}
        self._renamed: dict[str, str] = {}
        self._nodes: list[Node] = []
        self._said: dict[str, str] = {}

    def identify(self, manifest: Node) -> None:
        self._nodes = [node for container in manifest.each("organizations") for node in container.each("organization")]
        for organization in self._nodes:
            self._identify_items(organization)
        for organization in self._nodes:
            said = (organization.get("identifier") or "").strip()
            name = self._identifiers.claim(said, "organization", self._document.place(organization))
            self._names[id(organization)] = name
            if said:
                self._said.setdefault(said, name)

    def default(self, manifest: Node) -> str:
        """The identifier of the organization that the manifest calls its default; empty where it names none that is there."""
        said = next((each.get("default") for each in manifest.each("organizations")), None)
        name = self._said.get((said or "").strip(), "")
        if said and said.strip() and not name:
            place = self._document.place(next(manifest.each("organizations")))
            message = f"The default organization “{said.strip()}” is not there; the first that can be opened is played."
            self._found.warn("default-dangling", place, message)
        return name

    def read(self, resources: Resources) -> tuple[Organization, ...]:
        return tuple(self._organization(node, resources) for node in self._nodes)

    def _identify_items(self, node: Node) -> None:
        for child in node.children:
            if child.local == "item" and is_packaging(child.space):
                said = (child.get("identifier") or "").strip()
                name = self._identifiers.claim(said, "item", self._document.place(child))
                self._names[id(child)] = name
                if said and name != said:
                    self._renamed.setdefault(said, name)
                self._identify_items(child)

    def _organization(self, node: Node, resources: Resources) -> Organization:
        items, extras, title = self._below(node, resources, {})
        attributes = {name: value for name, value in node.attributes.items() if name.rpartition("}")[2] not in _OWN}
        return Organization(
            identifier=self._names[id(node)],
            title=title or "",
            items=items,
            structure=(node.get("structure") or "").strip() or "hierarchical",
            attributes=tuple(sorted(attributes.items())),
            extras=extras,
        )

    def _item(self, node: Node, resources: Resources) -> Item:
        place = self._document.place(node)
        texts: dict[str, str] = {}
        items, extras, title = self._below(node, resources, texts)
        name = self._names[id(node)]
        if title is None or not title:
            self._found.warn("title-missing", place, f"The item “{name}” has no title; its identifier stands for it.")
        prerequisites = texts.get("prerequisites", "")
        return Item(
            identifier=name,
            title=title or name,
            resource=self._resource(node, resources, place),
            visible=(node.get("isvisible") or "").strip().lower() not in _HIDDEN,
            parameters=(node.get("parameters") or "").strip(),
            prerequisites=self._following(prerequisites) if self._renamed and prerequisites else prerequisites,
            max_time_allowed=texts.get("max_time_allowed", ""),
            time_limit_action=texts.get("time_limit_action", ""),
            data_from_lms=texts.get("data_from_lms", ""),
            mastery_score=texts.get("mastery_score", ""),
            attributes=others(node, _OF_ITEMS),
            extras=extras,
            children=items,
        )

    def _below(
        self, node: Node, resources: Resources, texts: dict[str, str]
    ) -> tuple[tuple[Item, ...], tuple[Element, ...], str | None]:
        """Items, elements to keep, and the title; `texts` gets what the model has fields for."""
        items: list[Item] = []
        extras: list[Element] = []
        title: str | None = None
        for child in node.children:
            field = _TEXTS.get(child.local)
            if child.local == "item" and is_packaging(child.space):
                items.append(self._item(child, resources))
            elif child.local == "title" and is_packaging(child.space):
                title = title or plain(child.words())
            elif field and node.local == "item" and field not in texts:
                words = child.words()
                texts[field] = words if field == "data_from_lms" and words.strip() else words.strip()
            else:
                kept = self._keeper.keep(child)
                extras.append(with_locations(kept, self._files, self._base, self._document.place(child), self._keeper))
        return tuple(items), tuple(extras), title

    def _resource(self, node: Node, resources: Resources, place: str) -> str | None:
        said = (node.get("identifierref") or "").strip()
        if not said:
            return None
        resource = resources.refer(said)
        if resource is None:
            message = f"The item refers to the resource “{said}”, which is not there; nothing opens with it."
            self._found.warn("identifierref-dangling", place, message)
            return None
        if said not in resources.by_said:
            message = f"The item refers to “{said}”; the resource is written “{resource.identifier}”."
            self._found.warn("identifierref-case", place, message)
        return resource.identifier

    def _following(self, prerequisites: str) -> str:
        """The script with the names that items have got (aicc_script: names between operators)."""
        return re.sub(r"[^\s&|~=<>(){},*\"]+", lambda name: self._renamed.get(name[0], name[0]), prerequisites)
