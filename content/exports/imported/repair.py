"""What an export's manifest says that the package's own did not, so that it is right: of an export, read again, this comes.

    manifest        `imsmanifest.xml` (`cmi5.xml`, `tincan.xml`) at the root
    files           resources name what is there, and what they open first; what no resource names stands in one of its own
    packaging       elements of IMS Content Packaging stand in the namespace of the edition
    order           metadata, then files that have some of their own, stand before what else was kept, where the schemas want them

Nothing else is changed: identifiers, titles, items, hrefs, parameters, sequencing and descriptions stay. A repaired course
stays as it is. Before: `editions`. After: the manifest is written from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from content.exports.imported.trees import split_name, with_extras
from content.scorm.course.hrefs import split
from content.scorm.course.namespaces import IMSCP_12, IMSCP_2004, is_packaging
from content.scorm.model import Course, Element, Resource

LISTED: Final = "exported-files"
"""The identifier of the resource of what no other one names."""


def repaired(course: Course, manifest: str, paths: Iterable[str], renamed: Mapping[str, str]) -> Course:
    """The course as an export says it whose files are `paths`; `renamed`: files of the package that lie there under another
    name."""
    there = set(paths) - {manifest}
    space = IMSCP_12 if course.edition == "1.2" else IMSCP_2004

    def packaging(extras: tuple[Element, ...]) -> tuple[Element, ...]:
        moved = [_in_space(each, space) for each in extras]
        return tuple(sorted(moved, key=lambda each: not _is(each, "metadata")))

    changed = with_extras(course, packaging)
    resources = tuple(_with_files(each, there, renamed) for each in changed.resources if not is_list(each))
    named = {path for each in resources for path in each.files}
    rest = tuple(sorted(there - named))
    listed = (Resource(LISTED, files=rest),) if rest else ()
    return replace(changed, manifest=manifest, resources=(*resources, *listed))


def is_list(resource: Resource) -> bool:
    """Whether an earlier export added it."""
    return resource.identifier == LISTED and not resource.href


def launch_path(resource: Resource) -> str:
    """The file that a resource opens, which may be missing; empty where it opens none of the package."""
    return "" if resource.remote or not resource.href else split(resource.href)[0]


def _with_files(resource: Resource, there: set[str], renamed: Mapping[str, str]) -> Resource:
    opened = launch_path(resource)
    named = (renamed.get(path, path) for path in (*([opened] if opened not in resource.files else []), *resource.files))
    files = tuple(dict.fromkeys(path for path in named if path in there))
    return replace(resource, files=files, extras=tuple(_described(resource.extras, files, renamed)))


def _described(extras: Sequence[Element], files: Sequence[str], renamed: Mapping[str, str]) -> Iterator[Element]:
    """The elements of a resource: those of files once each, in the order of the files, and none of a file that is gone."""
    theirs: dict[str, Element] = {}
    others: list[Element] = []
    for each in extras:
        href = dict(each.attributes).get("href", "")
        if not _is(each, "file"):
            others.append(each)
        elif (path := renamed.get(href, href)) in files:
            theirs.setdefault(path, replace(each, attributes=(("href", path),), text=""))
    first = [each for each in others if _is(each, "metadata")]
    yield from (*first, *(theirs[path] for path in files if path in theirs))
    yield from (each for each in others if not _is(each, "metadata"))


def _is(element: Element, name: str) -> bool:
    space, local = split_name(element.name)
    return local == name and is_packaging(space)


def _in_space(element: Element, space: str) -> Element:
    own, local = split_name(element.name)
    name = f"{{{space}}}{local}" if is_packaging(own) else element.name
    children = tuple(_in_space(child, space) for child in element.children)
    return (
        element
        if name == element.name and children == element.children
        else replace(element, name=name, children=children)
    )
