"""tincan.xml as a course: each activity that can be launched is an item; the others describe what statements are about.

An activity is kept whole, in its item's extras or the course's.
"""

from __future__ import annotations

from content.scorm.archive import Archive
from content.scorm.course.files import Files
from content.scorm.course.hrefs import Base
from content.scorm.course.keeping import Keeper
from content.scorm.course.launches import choose
from content.scorm.course.nodes import Document, Node
from content.scorm.course.openings import Openings
from content.scorm.course.words import MAX_DESCRIPTION, language_tag, plain
from content.scorm.course.xml import parse
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.model import Course, Item, Organization


def read_tincan(archive: Archive, path: str, limits: ImportLimits, found: Findings) -> Course:
    """`path`: of tincan.xml. Raises PackageRefused."""
    document = parse(archive.read(path, limits.manifest_bytes), path, limits, found)
    root = document.root
    if root.local != "tincan":
        found.error(
            "not-a-manifest", document.place(root), f"{path} is no Tin Can description. Export the course again."
        )
        raise found.refuse()
    found.edition = "tincan"
    activities = [node for container in root.each("activities") for node in container.each("activity")]
    launched = [node for node in activities if _launch(node)]
    files, keeper = Files(archive, path, found), Keeper(document.family)
    items: list[Item] = []
    openings = Openings(files)
    folder = path[: path.rfind("/") + 1]
    for n, node in enumerate(launched, 1):
        openings.add_page(f"resource-{n}", Base(folder, folder), _launch(node), document.place(node))
        items.append(_item(document, node, n, keeper, found))
    main = launched[0] if launched else None
    title, language = _text(main, "name")
    organization = Organization("course", title or (items[0].title if items else ""), tuple(items))
    _, launches = choose((organization,), organization.identifier, openings, path, found)
    files.tell_unlisted()
    return Course(
        edition="tincan",
        identifier=items[0].activity or "course",
        title=organization.title,
        manifest=path,
        organizations=(organization,),
        default=organization.identifier,
        resources=tuple(openings.resources.values()),
        launches=launches,
        language=language,
        description=_text(main, "description", MAX_DESCRIPTION)[0],
        extras=tuple(keeper.keep(node) for node in activities if not _launch(node)),
    )


def _item(document: Document, node: Node, n: int, keeper: Keeper, found: Findings) -> Item:
    activity, place = (node.get("id") or "").strip(), document.place(node)
    title = _text(node, "name")[0]
    if not activity:
        found.warn("identifier-missing", place, "The activity has no id.")
    if not title:
        found.warn("title-missing", place, "The activity has no name; its id stands for it.")
    name = f"activity-{n}"
    title = title or plain(activity) or name
    return Item(name, title, f"resource-{n}", activity=activity, extras=(keeper.keep(node),))


def _launch(node: Node) -> str:
    return next((said for each in node.each("launch") if (said := each.words().strip())), "")


def _text(node: Node | None, name: str, most: int = 1000) -> tuple[str, str]:
    texts = [(plain(each.words(), most), language_tag(each.get("lang"))) for each in node.each(name)] if node else []
    return next((each for each in texts if each[0]), ("", ""))
