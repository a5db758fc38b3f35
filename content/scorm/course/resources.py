"""A manifest's resources: what can be opened, with which files.

xml:base of manifest, resources and resource are composed into every path and so are gone afterwards. A `<file>` that carries
metadata is also kept whole in `extras` (its href then is the path), since the model's files are paths alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from content.scorm.course.files import Files, Reference
from content.scorm.course.hrefs import Base
from content.scorm.course.identifiers import Identifiers
from content.scorm.course.keeping import Keeper
from content.scorm.course.namespaces import XML, is_packaging
from content.scorm.course.nodes import Document, Node
from content.scorm.course.openings import Openings
from content.scorm.findings import Findings
from content.scorm.model import Element, Resource, ScormType

BASE = f"{{{XML}}}base"
_OF_RESOURCES = frozenset(("identifier", "type", "href", "scormtype", BASE))
_STRUCTURE = frozenset(("file", "dependency"))


@dataclass
class Resources:
    """`by_said`: a resource by the identifier that the manifest wrote; of two with one name, the first."""

    openings: Openings
    by_said: dict[str, Resource] = field(default_factory=dict[str, Resource])

    def refer(self, said: str) -> Resource | None:
        """By identifier; where none is exactly so, by the only one that differs in case."""
        exact = self.by_said.get(said)
        if exact is not None or not said:
            return exact
        if not self._by_case:
            for name, each in self.by_said.items():
                self._by_case.setdefault(name.lower(), []).append(each)
        alike = self._by_case.get(said.lower(), [])
        return alike[0] if len(alike) == 1 else None

    def __post_init__(self) -> None:
        self._by_case: dict[str, list[Resource]] = {}


class ResourceReader:
    def __init__(
        self, document: Document, files: Files, identifiers: Identifiers, keeper: Keeper, found: Findings
    ) -> None:
        self._document, self._files, self._identifiers = document, files, identifiers
        self._keeper, self._found = keeper, found
        self._read = Resources(Openings(files))

    def read(self, manifest: Node, base: Base) -> Resources:
        nodes = [
            (node, self._files.base(base, container.attributes.get(BASE), self._document.place(container)))
            for container in manifest.each("resources")
            for node in container.each("resource")
        ]
        self._identify([node for node, _ in nodes])
        for node, under in nodes:
            self._add(node, self._files.base(under, node.attributes.get(BASE), self._document.place(node)))
        return self._read

    def _identify(self, nodes: list[Node]) -> None:
        """All names first: dependencies point forward."""
        self._names: dict[str, str] = {}
        self._own: list[str] = []
        for node in nodes:
            said = (node.get("identifier") or "").strip()
            name = self._identifiers.claim(said, "resource", self._document.place(node))
            self._own.append(name)
            if said:
                self._names.setdefault(said, name)

    def _add(self, node: Node, base: Base) -> None:
        name = self._own[len(self._read.openings.resources)]
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
            dependencies=self._dependencies(node),
            attributes=others(node, _OF_RESOURCES),
            extras=extras,
        )
        self._read.openings.add(resource)
        said = (node.get("identifier") or "").strip()
        if said:
            self._read.by_said.setdefault(said, resource)

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

    def _dependencies(self, node: Node) -> tuple[str, ...]:
        kept: dict[str, None] = {}
        for child in node.each("dependency"):
            said = (child.get("identifierref") or "").strip()
            name = self._names.get(said)
            if name is None:
                message = f"A resource depends on “{said}”, which is no resource of this manifest; that was left out."
                self._found.warn("dependency-dangling", self._document.place(child), message)
            else:
                kept[name] = None
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
