"""imsmanifest.xml of an imported package, written anew from its course: SCORM 1.2, and 2004 in its 3rd and 4th edition.

One writer, since editions differ in names only: namespaces, `schemaversion`, the words for what an item asks of a platform.
What was kept of the original stands where it stood, in its own namespaces. Addresses are relative to the root; no xml:base is
left. Before: `repair`. After: `checks`, the zip.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final

from content.exports import scorm12, scorm2004
from content.exports.imported.addresses import address, written_href
from content.exports.imported.elements import add_all, prefixes_for, writable
from content.exports.imported.trees import Attributes, split_name, walk
from content.exports.scorm import Edition
from content.exports.xml import XML_LANG, XSI, add, etree, schema_locations, to_bytes
from content.scorm.course.namespaces import ADLCP_12, is_packaging
from content.scorm.model import Course, Element, Item, Organization, Resource

EDITIONS: Final = {
    "1.2": scorm12.EDITION,
    "2004-3rd": scorm2004.EDITIONS["scorm2004-3rd"],
    "2004-4th": scorm2004.EDITIONS["scorm2004-4th"],
}
SCHEMAS: Final = {"1.2": scorm12.SCHEMAS, "2004-3rd": scorm2004.SCHEMAS, "2004-4th": scorm2004.SCHEMAS}
"""What a manifest of the edition must agree with: (namespace, control document)."""
_HIERARCHICAL: Final = "hierarchical"


def write_manifest(course: Course, paths: Container[str]) -> bytes:
    """The manifest of a course of one of `EDITIONS` whose export has these files. Raises ContentError `export-unwritable` for
    what no XML can hold; no import gives such a course."""
    with writable():
        return to_bytes(_Writer(course, paths).root())


class _Writer:
    def __init__(self, course: Course, paths: Container[str]) -> None:
        self._course, self._paths = course, paths
        self._edition: Edition = EDITIONS[course.edition]
        self._old = course.edition == "1.2"

    def root(self) -> Any:
        course, edition = self._course, self._edition
        schemas = SCHEMAS[course.edition]
        own: dict[str | None, str] = {None: edition.namespace, "adlcp": edition.adlcp, "xsi": XSI}
        texts = any(_of_12(item) for each in course.organizations for item in each.walk()) and not self._old
        own |= {"adlcp12": ADLCP_12} if texts else {}
        root = etree.Element(
            f"{{{edition.namespace}}}manifest",
            {"identifier": course.identifier} | ({"version": course.version} if course.version else {}),
            nsmap=prefixes_for(course, own),
        )
        root.set(f"{{{XSI}}}schemaLocation", schema_locations(schemas))
        if course.language and not _tells_language(course.metadata):
            root.set(XML_LANG, course.language)
        metadata = add(root, "metadata")
        add(metadata, "schema", "ADL SCORM")
        add(metadata, "schemaversion", edition.schema_version)
        self._extras(metadata, course.metadata)
        organizations = add(root, "organizations", default=course.default)
        for each in course.organizations:
            self._organization(organizations, each)
        resources = add(root, "resources")
        for each in course.resources:
            self._resource(resources, each)
        self._extras(root, course.extras)
        return root

    def _organization(self, parent: Any, each: Organization) -> None:
        structure = {} if each.structure == _HIERARCHICAL else {"structure": each.structure}
        node = add(parent, "organization", identifier=each.identifier, **structure)
        _set(node, each.attributes)
        if each.title:
            add(node, "title", each.title)
        for item in each.items:
            self._item(node, item)
        self._extras(node, each.extras)

    def _item(self, parent: Any, item: Item) -> None:
        given = {"identifierref": item.resource, "parameters": item.parameters}
        attributes = {name: value for name, value in given.items() if value}
        hidden = {} if item.visible else {"isvisible": "false"}
        node = add(parent, "item", identifier=item.identifier, **attributes, **hidden)
        _set(node, item.attributes)
        add(node, "title", item.title)
        for child in item.children:
            self._item(node, child)
        metadata, others = _metadata_first(item.extras)
        self._extras(node, metadata)
        self._texts(node, item)
        self._extras(node, others)

    def _texts(self, node: Any, item: Item) -> None:
        """In the order of SCORM 1.2's own document. What only 1.2 has stays in its namespace."""
        adlcp = self._edition.adlcp
        limit, data = ("timelimitaction", "datafromlms") if self._old else ("timeLimitAction", "dataFromLMS")
        if item.prerequisites:
            add(node, f"{{{ADLCP_12}}}prerequisites", item.prerequisites, type="aicc_script")
        if item.max_time_allowed:
            add(node, f"{{{ADLCP_12}}}maxtimeallowed", item.max_time_allowed)
        if item.time_limit_action:
            add(node, f"{{{adlcp}}}{limit}", item.time_limit_action)
        if item.data_from_lms:
            add(node, f"{{{adlcp}}}{data}", item.data_from_lms)
        if item.mastery_score:
            add(node, f"{{{ADLCP_12}}}masteryscore", item.mastery_score)

    def _resource(self, parent: Any, each: Resource) -> None:
        attributes = {"identifier": each.identifier, "type": each.type}
        if each.href:
            attributes["href"] = written_href(each.href, each.remote, self._paths)
        node = add(parent, "resource", **attributes)
        node.set(f"{{{self._edition.adlcp}}}{self._edition.scorm_type}", each.scorm_type)
        _set(node, each.attributes)
        metadata, others = _metadata_first(each.extras)
        self._extras(node, metadata)
        described = {dict(extra.attributes).get("href"): extra for extra in others if _is_packaging(extra, "file")}
        for path in each.files:
            child = add(node, "file", href=address(path, self._paths))
            if path in described:
                self._extras(child, described[path].children)
        for name in each.dependencies:
            add(node, "dependency", identifierref=name)
        self._extras(node, tuple(extra for extra in others if not _is_packaging(extra, "file")))

    def _extras(self, parent: Any, extras: tuple[Element, ...]) -> None:
        add_all(parent, extras, self._paths)


def _set(node: Any, attributes: Attributes) -> None:
    """What else stood there; what is said already stays as it is said."""
    for name, value in attributes:
        if node.get(name) is None:
            node.set(name, value)


def _metadata_first(extras: tuple[Element, ...]) -> tuple[tuple[Element, ...], tuple[Element, ...]]:
    """Metadata, which the schemas want before what belongs to a platform, and the rest."""
    own = tuple(each for each in extras if _is_packaging(each, "metadata"))
    return own, tuple(each for each in extras if not _is_packaging(each, "metadata"))


def _is_packaging(element: Element, name: str) -> bool:
    space, local = split_name(element.name)
    return local == name and is_packaging(space)


def _tells_language(metadata: tuple[Element, ...]) -> bool:
    """Whether the description says a language, so that the manifest need not."""
    each = [element for one in metadata for element in walk(one)]
    names = {split_name(element.name)[1] for element in each}
    return "language" in names or any(
        split_name(name)[1] in ("lang", "language") for one in each for name, _ in one.attributes
    )


def _of_12(item: Item) -> bool:
    return bool(item.prerequisites or item.max_time_allowed or item.mastery_score)
