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

from content.exports.imported.trees import renamed, split_name, with_attributes, with_extras, writable, writable_all
from content.scorm.course.hrefs import split
from content.scorm.course.namespaces import IMSCP_12, IMSCP_2004, is_packaging
from content.scorm.model import Course, Element, Resource

LISTED: Final = "exported-files"
"""The identifier of the resource of what no other one names."""


def repaired(course: Course, manifest: str, paths: Iterable[str], replaced: Mapping[str, str]) -> Course:
    """The course as an export says it whose files are `paths`; `replaced`: for files in whose place
    ours lie, ours."""
    there = set(paths) - {manifest}
    space = IMSCP_12 if course.edition == "1.2" else IMSCP_2004

    def in_edition(name: str) -> str:
        own, local = split_name(name)
        return writable(f"{{{space}}}{local}" if is_packaging(own) else name)

    def packaging(extras: tuple[Element, ...]) -> tuple[Element, ...]:
        return tuple(sorted((renamed(each, in_edition) for each in extras), key=lambda each: not _is(each, "metadata")))

    changed = with_attributes(with_extras(course, packaging), writable_all)
    resources = tuple(_with_files(each, there, replaced) for each in changed.resources if not is_list(each))
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


def _with_files(resource: Resource, there: set[str], replaced: Mapping[str, str]) -> Resource:
    opened = launch_path(resource)
    named = (
        replaced.get(path, path) for path in (*([opened] if opened not in resource.files else []), *resource.files)
    )
    files = tuple(dict.fromkeys(path for path in named if path in there))
    return replace(resource, files=files, extras=tuple(_described(resource.extras, files, replaced)))


def _described(extras: Sequence[Element], files: Sequence[str], replaced: Mapping[str, str]) -> Iterator[Element]:
    """The elements of a resource: those of files once each, in the order of the files, and none of a file that is gone."""
    theirs: dict[str, Element] = {}
    others: list[Element] = []
    for each in extras:
        href = dict(each.attributes).get("href", "")
        if not _is(each, "file"):
            others.append(each)
        elif (path := replaced.get(href, href)) in files:
            theirs.setdefault(path, replace(each, attributes=(("href", path),), text=""))
    first = [each for each in others if _is(each, "metadata")]
    yield from (*first, *(theirs[path] for path in files if path in theirs))
    yield from (each for each in others if not _is(each, "metadata"))


def _is(element: Element, name: str) -> bool:
    space, local = split_name(element.name)
    return local == name and is_packaging(space)
