"""cmi5.xml, a course structure, as a course: blocks and AUs in their order.

An AU's `url` is its href, `launchParameters` is what it gets as launch data. The whole AU (without its url's composition) is
kept in its item's extras, and so is a block without what is in it, so moveOn, launchMethod, entitlement key, objectives and
texts in other languages are there for an export. Objectives of the course and its own texts are the course's extras.
"""

from __future__ import annotations

from content.scorm.archive import Archive
from content.scorm.course.files import Files
from content.scorm.course.hrefs import Base
from content.scorm.course.identifiers import Identifiers
from content.scorm.course.keeping import Keeper
from content.scorm.course.launches import choose
from content.scorm.course.nodes import Document, Node
from content.scorm.course.openings import Openings
from content.scorm.course.words import MAX_DESCRIPTION, language_tag, plain
from content.scorm.course.xml import parse
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.model import Course, Item, Organization

_PARTS = frozenset(("au", "block"))


def read_cmi5(archive: Archive, path: str, limits: ImportLimits, found: Findings) -> Course:
    """`path`: of the course structure. Raises PackageRefused."""
    document = parse(archive.read(path, limits.manifest_bytes), path, limits, found)
    root = document.root
    course = root.first("course")
    if root.local != "coursestructure":
        found.error(
            "not-a-manifest", document.place(root), f"{path} is no cmi5 course structure. Export the course again."
        )
        raise found.refuse()
    found.edition = "cmi5"
    reader = _Reader(document, Files(archive, path, found), found)
    title, language = _text(course, "title")
    identifier = plain((course.get("id") if course else "") or "")
    if not identifier:
        found.warn("identifier-missing", document.place(course or root), "The course has no id.")
    items = reader.items(root)
    organization = Organization(
        reader.identifiers.claim("course", "course", path), title or identifier or "cmi5", items
    )
    if not title:
        found.warn("title-missing", document.place(course or root), "The course has no title; its id stands for it.")
    _, launches = choose((organization,), organization.identifier, reader.openings, path, found)
    reader.files.tell_unlisted()
    return Course(
        edition="cmi5",
        identifier=identifier or "course",
        title=organization.title,
        manifest=path,
        organizations=(organization,),
        default=organization.identifier,
        resources=tuple(reader.openings.resources.values()),
        launches=launches,
        language=language,
        description=_text(course, "description", MAX_DESCRIPTION)[0],
        extras=tuple(reader.keeper.keep(node) for node in root.children if node.local not in _PARTS),
    )


class _Reader:
    def __init__(self, document: Document, files: Files, found: Findings) -> None:
        self.document, self.files, self._found = document, files, found
        self.keeper, self.identifiers = Keeper(document.family), Identifiers(found)
        self.openings = Openings(files)
        self._folder = document.path[: document.path.rfind("/") + 1]
        self._blocks = 0

    def items(self, node: Node) -> tuple[Item, ...]:
        return tuple(self._item(child) for child in node.children if child.local in _PARTS)

    def _item(self, node: Node) -> Item:
        place = self.document.place(node)
        is_au = node.local == "au"
        activity = (node.get("id") or "").strip()
        resource = self._resource(node, place) if is_au else None
        self._blocks += not is_au
        name = f"au-{len(self.openings.resources)}" if is_au else f"block-{self._blocks}"
        title = _text(node, "title")[0]
        if not activity:
            self._found.warn("identifier-missing", place, f"This {node.local} has no id.")
        if not title:
            self._found.warn("title-missing", place, f"This {node.local} has no title; its id stands for it.")
        parameters = node.first("launchparameters")
        return Item(
            identifier=self.identifiers.claim(name, node.local, place),
            title=title or plain(activity) or name,
            resource=resource,
            data_from_lms=parameters.words() if parameters and is_au else "",
            mastery_score=(node.get("masteryscore") or "").strip() if is_au else "",
            activity=activity,
            extras=(self.keeper.keep(node, without=_PARTS),),
            children=() if is_au else self.items(node),
        )

    def _resource(self, node: Node, place: str) -> str:
        name = self.identifiers.claim(f"resource-{len(self.openings.resources) + 1}", "resource", place)
        url = node.first("url")
        said = url.words().strip() if url else ""
        self.openings.add_page(name, Base(self._folder, self._folder), said, place)
        return name


def _text(node: Node | None, name: str, most: int = 1000) -> tuple[str, str]:
    """The first langstring that says something, and its language."""
    holder = node.first(name) if node else None
    if holder is None:
        return "", ""
    strings = [(plain(each.words(), most), language_tag(each.get("lang"))) for each in holder.each("langstring")]
    return next((each for each in strings if each[0]), (plain(holder.words(), most), ""))
