"""A manifest's resources: what can be opened, with which files.

xml:base of manifests, resources and resource are composed into every path and so are gone afterwards; resources of manifests
inside the manifest are resources as the others. A `<file>` that carries metadata is also kept whole in `extras` (its href then is the path), since the model's files are paths alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from content.scorm.course.files import Files, Reference
from content.scorm.course.hrefs import Base
from content.scorm.course.identifiers import Identifiers
from content.scorm.course.keeping import Keeper
from content.scorm.course.namespaces import is_packaging
from content.scorm.course.nodes import Document, Node
from content.scorm.course.openings import Openings
from content.scorm.course.parts import BASE, Part, Parts
from content.scorm.findings import Findings
from content.scorm.model import Element, Resource, ScormType

_OF_RESOURCES = frozenset(("identifier", "type", "href", "scormtype", BASE))
_STRUCTURE = frozenset(("file", "dependency"))


@dataclass
class Resources:
    """`names`: what the resource of an element is called."""

    openings: Openings
    names: dict[Node, str] = field(default_factory=dict[Node, str])


class ResourceReader:
    def __init__(
        self, document: Document, files: Files, identifiers: Identifiers, keeper: Keeper, found: Findings
    ) -> None:
        self._document, self._files, self._identifiers = document, files, identifiers
        self._keeper, self._found = keeper, found
        self._read = Resources(Openings(files))

    def read(self, parts: Parts) -> Resources:
        self._parts = parts
        for _, _, node in parts.resources:  # all names first: dependencies point forward
            self._read.names[node] = self._identifiers.claim(
                node.get("identifier"), "resource", self._document.place(node)
            )
        for part, under, node in parts.resources:
            self._add(part, node, self._files.base(under, node.attributes.get(BASE), self._document.place(node)))
        return self._read

    def _add(self, part: Part, node: Node, base: Base) -> None:
        name = self._read.names[node]
        place = self._document.place(node)
        launch = self._read.openings.target(name, base, (node.get("href") or "").strip(), place)
        listed, extras = self._listed(node, base, launch)
        resource = Resource(
            identifier=name,
            type=(node.get("type") or "").strip() or "webcontent",
            scorm_type=self._scorm_type(node, place),
            href=launch.href if launch else "",
            remote=launch is not None and launch.kind == "remote",
            files=listed,
            dependencies=self._dependencies(part, node),
            attributes=others(node, _OF_RESOURCES),
            extras=extras,
        )
        self._read.openings.add(resource)

    def _listed(self, node: Node, base: Base, launch: Reference | None) -> tuple[tuple[str, ...], tuple[Element, ...]]:
        paths: dict[str, None] = {}
        extras: list[Element] = []
        for child in node.children:
            if child.local == "file" and is_packaging(child.space):
                found = self._file(child, base, launch)
                paths.update(dict.fromkeys(found))
                if child.children and len(found) == 1:
                    whole = self._keeper.keep(child)
                    extras.append(self._keeper.made(whole.name, {"href": found[0]}, whole.text, whole.children))
            elif not (child.local in _STRUCTURE and is_packaging(child.space)):
                extras.append(self._keeper.keep(child))
        unlisted = (launch.path,) if launch is not None and launch.exists and launch.path not in paths else ()
        return (*unlisted, *paths), tuple(extras)

    def _file(self, node: Node, base: Base, launch: Reference | None) -> tuple[str, ...]:
        said = (node.get("href") or "").strip()
        place = self._document.place(node)
        if not said:
            self._found.warn("file-missing", place, "A <file> has no href; it was left out.")
            return ()
        target = self._files.resolve(base, said, place)
        if target.exists:
            return (target.path,)
        if target.kind != "local":
            message = f"“{said}” is listed as a file but is an address outside of the package; it was left out."
            self._found.warn("href-remote" if target.kind == "remote" else "href-scheme", place, message)
        elif inside := self._files.folder(target.path):
            message = f"“{said}” is a folder, not a file; its {len(inside)} files were taken as listed."
            self._found.warn("file-is-folder", place, message)
            return tuple(inside)
        elif launch is None or launch.path != target.path:  # of the launch file it is told once, where it is launched
            self._found.warn("file-missing", place, f"“{target.path or said}” is listed but not in the package.")
        return ()

    def _dependencies(self, part: Part, node: Node) -> tuple[str, ...]:
        kept: dict[str, None] = {}
        for child in node.each("dependency"):
            said = (child.get("identifierref") or "").strip()
            needed = self._parts.resource(part, said)
            if needed is None:
                message = f"A resource depends on “{said}”, which is no resource of this manifest; that was left out."
                self._found.warn("dependency-dangling", self._document.place(child), message)
            else:
                kept[self._read.names[needed]] = None
        return tuple(kept)

    def _scorm_type(self, node: Node, place: str) -> ScormType:
        said = node.get("scormtype")
        type_: Literal["sco", "asset", ""] = ""
        match (said or "").strip().lower():
            case "sco":
                type_ = "sco"
            case "asset":
                type_ = "asset"
            case _:
                pass
        if said is not None and not type_:
            message = f"The scormtype “{said}” is neither sco nor asset; it was read as asset."
            self._found.warn("scormtype-unknown", place, message)
        elif said is None and node.get("href"):
            message = "The resource has no scormtype, so nothing says that it reports progress; it was read as asset."
            self._found.warn("scormtype-missing", place, message)
        return type_ or "asset"


def others(node: Node, known: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Attributes that the model has no field for (as persistState, which SCORM gave up), as they stand."""
    kept = {
        name: value
        for name, value in node.attributes.items()
        if name not in known and name.rpartition("}")[2].lower() not in known
    }
    return tuple(sorted(kept.items()))
