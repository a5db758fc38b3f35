"""What metadata say of a course: LOM as SCORM 1.2 (imsmd) and SCORM 2004 (IEEE) write it, inline or in files of the package.

Elements stay in the model as they stood; a `location` that names a file of the package names it by its path afterwards, since
the bases it was relative to are gone. Only title, language, description and keywords are read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from content.scorm.course.files import Files
from content.scorm.course.hrefs import Base
from content.scorm.course.keeping import Keeper
from content.scorm.course.namespaces import XML
from content.scorm.course.nodes import Document, Node
from content.scorm.course.words import MAX_DESCRIPTION, language_tag, plain
from content.scorm.course.xml import parse
from content.scorm.findings import Findings, PackageRefused
from content.scorm.limits import ImportLimits
from content.scorm.model import Element

MAX_KEYWORDS = 100
MAX_DOCUMENTS = 20
_ROOTS = ("lom", "record")
_HEAD = frozenset(("schema", "schemaversion"))


@dataclass(frozen=True)
class Metadata:
    title: str = ""
    language: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    elements: tuple[Element, ...] = ()


@dataclass
class MetadataReader:
    files: Files
    keeper: Keeper
    limits: ImportLimits
    found: Findings

    def read(self, manifest: Document, base: Base) -> Metadata:
        """Of the manifest itself."""
        nodes = [child for metadata in manifest.root.each("metadata") for child in metadata.children]
        kept = tuple(
            with_locations(self.keeper.keep(node), self.files, base, manifest.place(node), self.keeper)
            for node in nodes
            if node.local not in _HEAD
        )
        records = [lom for node in nodes for lom in _records(node)]
        for node in [node for node in nodes if node.local == "location"][:MAX_DOCUMENTS]:
            records.extend(self._elsewhere(node, manifest, base))
        return _general(records, kept)

    def _elsewhere(self, location: Node, manifest: Document, base: Base) -> Iterator[Node]:
        """Metadata in a file of their own; whatever is wrong with it never stops the course."""
        said, place = location.words().strip(), manifest.place(location)
        if not said:
            return
        target = self.files.resolve(base, said, place)
        if not target.exists:
            message = f"The metadata are said to be in “{said}”, which is not in the package."
            self.found.warn("metadata-missing", place, message)
            return
        of_their_own = Findings(1)
        try:
            data = self.files.archive.read(target.path, self.limits.manifest_bytes)
            yield from _records(parse(data, target.path, self.limits, of_their_own).root)
        except PackageRefused as error:
            message = f"The metadata in “{target.path}” were left out: {error.message}"
            self.found.warn("metadata-unreadable", target.path, message)


def with_locations(element: Element, files: Files, base: Base, place: str, keeper: Keeper) -> Element:
    """Metadata whose `location` says a file of the package by its path; anything else as it is."""
    local = element.name.rpartition("}")[2].lower()
    if local == "location" and element.text.strip() and not element.children:
        target = files.resolve(base, element.text.strip(), place)
        return keeper.made(element.name, dict(element.attributes), target.path) if target.exists else element
    if local != "metadata":
        return element
    children = tuple(with_locations(child, files, base, place, keeper) for child in element.children)
    return keeper.made(element.name, dict(element.attributes), element.text, children)


def _records(node: Node) -> Iterator[Node]:
    if node.local in _ROOTS:
        yield node
    elif node.local in ("metadata", "manifest"):
        for child in node.children:
            yield from _records(child)


def _general(records: list[Node], elements: tuple[Element, ...]) -> Metadata:
    """The first that says something counts."""
    general = [each for record in records for each in record.each("general")]
    language = next(filter(None, (language_tag(each.text) for one in general for each in one.each("language"))), "")
    titles = [_choose(node, language) for one in general for node in one.each("title")]
    title, written_in = next((each for each in titles if each[0]), ("", ""))
    descriptions = [_choose(node, language)[0] for one in general for node in one.each("description")]
    keywords = (plain(text) for one in general for node in one.each("keyword") for text, _ in _strings(node))
    return Metadata(
        title=plain(title),
        language=language or written_in,
        description=plain(next(filter(None, descriptions), ""), MAX_DESCRIPTION),
        keywords=tuple(dict.fromkeys(filter(None, keywords)))[:MAX_KEYWORDS],
        elements=elements,
    )


def _choose(node: Node, language: str) -> tuple[str, str]:
    """The text in that language, else the first, and its language."""
    strings = _strings(node)
    primary = language.partition("-")[0]
    best = [each for each in strings if each[1] == language] or [
        each for each in strings if primary and each[1].partition("-")[0] == primary
    ]
    return (best or strings or [("", "")])[0]


def _strings(node: Node) -> list[tuple[str, str]]:
    """1.2: langstring with xml:lang; 2004: string with language; others: the text itself."""
    strings = [
        (each.words(), language_tag(each.attributes.get(f"{{{XML}}}lang") or each.get("language") or each.get("lang")))
        for each in node.each("langstring", "string")
    ]
    if not node.children:
        strings = [(node.text, "")]
    return [(text, language) for text, language in strings if text.strip()]
