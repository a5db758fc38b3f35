"""What the manifests of all SCORM editions have in common: organization, items, resources.

One organization. In packaging “course” one item and one SCO; in packaging “unit” an item and a SCO for each unit, and what
they share in a resource of its own. Every file of the zip is listed but the manifest itself: learners' files with the SCO
that shows them, what only people read (passport, licences, control documents) in the resource `files`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from content.exports.export_course import ExportCourse
from content.exports.imported.addresses import address
from content.exports.pages import COURSE, SCRIPT, STYLE, Page
from content.exports.xml import add, identifier, in_language, text

MANIFEST = "imsmanifest.xml"
SHARED, FILES = "shared", "files"
_PLAYER = (COURSE, SCRIPT, STYLE)


@dataclass(frozen=True)
class Edition:
    """How an edition writes what all have: namespaces, the attribute of a resource, how long a title may be."""

    name: str
    schema_version: str
    namespace: str
    adlcp: str
    scorm_type: str
    title_chars: int | None


@dataclass(frozen=True)
class Package:
    """What a manifest is made of: `paths` are all files of the zip but the manifest."""

    course: ExportCourse
    pages: Sequence[Page]
    paths: Sequence[str]


def unit_number(course: ExportCourse, unit: str) -> int:
    """The place of a unit, from 1; raises ValueError for a unit that is not there."""
    return [each["id"] for each in course.units].index(unit) + 1


def item_identifier(page: Page, course: ExportCourse) -> str:
    """Short, since prerequisites name many of them: `course`, or U1, U2 and so on."""
    return "course" if page.unit is None else f"U{unit_number(course, page.unit['id'])}"


def add_organization(root: Any, edition: Edition, package: Package) -> tuple[Any, list[Any]]:
    """The organization with a title and its items, and the items in the order of the pages."""
    course = package.course
    organizations = add(root, "organizations", default="org")
    organization = add(organizations, "organization", identifier="org")
    course_title = in_language(course.metadata["title"], course.language)
    add(organization, "title", text(course_title, edition.title_chars))
    items: list[Any] = []
    for page in package.pages:
        name = item_identifier(page, course)
        item = add(organization, "item", identifier=name, identifierref=f"{name}-sco")
        add(item, "title", text(page.title, edition.title_chars))
        items.append(item)
    return organization, items


def add_resources(root: Any, edition: Edition, package: Package) -> None:
    """One SCO for each page, what several of them share, and what no page needs."""
    resources = add(root, "resources")
    by_unit = package.pages[0].unit is not None
    shown: set[str] = set()
    for page in package.pages:
        own = [page.path, *_shown(package.course, page)] + ([] if by_unit else [*_PLAYER])
        shown |= set(own)
        name = f"{item_identifier(page, package.course)}-sco"
        sco = _resource(resources, edition, name, "sco", own, href=page.path)
        if by_unit:
            add(sco, "dependency", identifierref=SHARED)
    if by_unit:
        _resource(resources, edition, SHARED, "asset", _PLAYER)
        shown |= set(_PLAYER)
    _resource(resources, edition, FILES, "asset", sorted(set(package.paths) - shown))


def manifest_identifier(course: ExportCourse) -> str:
    return identifier("package-", course.package_id)


def _shown(course: ExportCourse, page: Page) -> list[str]:
    if page.unit is not None:
        return course.media_of(page.unit)
    return sorted(course.media)


def _resource(resources: Any, edition: Edition, name: str, kind: str, paths: Sequence[str], **attributes: str) -> Any:
    typed: Mapping[str, str] = {f"{{{edition.adlcp}}}{edition.scorm_type}": kind}
    resource = add(resources, "resource", identifier=name, type="webcontent", **attributes, **typed)
    for path in paths:
        add(resource, "file", href=address(path, paths))
    return resource
