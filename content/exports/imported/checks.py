"""What can be seen of an export of an imported package before anybody opens it.

`failed` is a fault of ours. What the package brought along is a `warning` at most: it is what its author should know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from content.errors import ContentError
from content.exports.check import NOT_RUN, PASSED, WARNING, Check, judged
from content.exports.imported.lax import known_part
from content.exports.imported.repair import launch_path
from content.exports.page_checks import inline_faults, page_tags
from content.exports.schemas import schema_errors
from content.exports.xml import etree
from content.scorm.archive.lookup import caseless
from content.scorm.model import Course

MAX_PATH_CHARS: Final = 200
_AWKWARD: Final = re.compile(r'[<>:"\\|?*\x00-\x1f]|[. ](/|$)')
_NC_NAME: Final = re.compile(r"[^\W\d][\w.·-]*")


@dataclass(frozen=True)
class Made:
    """An export but for its passport. `paths` are all of its files, `files` the bytes of ours. `manifest` is the path of the
    format's manifest (None for html), `plain` the same manifest without what was kept of the original; `schemas` and `roots`
    are what it must agree with. `needed`: findings of the import about what the package asks of the network."""

    course: Course
    paths: frozenset[str]
    files: Mapping[str, bytes]
    manifest: str | None = None
    plain: bytes | None = None
    schemas: Mapping[str, bytes] | None = None
    roots: Sequence[tuple[str, str]] = ()
    content: str = ""
    pages: Sequence[str] = ()
    needed: Sequence[str] = ()


def run_checks(made: Made) -> tuple[Check, ...]:
    """All checks, in a fixed order."""
    checks = (_names, _listed, _identifiers, _schema, _launches, _remote, _pages)
    return tuple(check(made) for check in checks)


def _names(made: Made) -> Check:
    seen: dict[str, str] = {}
    twice = [path for path in sorted(made.paths) if seen.setdefault(caseless(path), path) != path]
    if twice:
        return judged("file-names", [f"“{path}” differs from another one in case only" for path in twice], "")
    good = f"{len(made.paths)} names, each once, that every system can hold."
    return awkward(made.paths) or Check("file-names", PASSED, good)


def awkward(paths: Iterable[str]) -> Check | None:
    """A warning where others gave their files names that not every system can hold."""
    odd = [path for path in sorted(paths) if _AWKWARD.search(path) or len(path) > MAX_PATH_CHARS]
    shown = ", ".join(f"“{path}”" for path in odd[:5])
    return Check("file-names", WARNING, f"{len(odd)} names cannot be kept by every system: {shown}.") if odd else None


def _listed(made: Made) -> Check:
    if made.manifest != "imsmanifest.xml":
        return Check("files-listed", PASSED, "The format has no list of files.")
    named = {path for each in made.course.resources for path in each.files}
    faults = [f"“{path}” is named but not there" for path in sorted(named - made.paths)]
    faults += [f"“{path}” is there but not named" for path in sorted(made.paths - named - {made.manifest})]
    return judged("files-listed", faults, f"{len(named)} files are named, and all of them are there.")


def _identifiers(made: Made) -> Check:
    name = "identifiers"
    if made.manifest != "imsmanifest.xml":
        return Check(name, PASSED, "The format has none.")
    course, items = made.course, [item for each in made.course.organizations for item in each.walk()]
    resources = [each.identifier for each in course.resources]
    ids = [
        course.identifier,
        *(each.identifier for each in course.organizations),
        *(item.identifier for item in items),
        *resources,
    ]
    faults = [f"“{each}” stands twice" for each in _twice(ids)]
    faults += [f"“{each}” is no xs:ID" for each in ids if not _NC_NAME.fullmatch(each)]
    pointing = {item.resource for item in items if item.resource} | {
        each for one in course.resources for each in one.dependencies
    }
    faults += [f"“{each}” is not there" for each in sorted(pointing - set(resources))]
    return judged(name, faults, f"{len(ids)} identifiers, each once.")


def _schema(made: Made) -> Check:
    """What we write must agree; what was kept of the original may not."""
    name = "schema"
    if made.manifest is None or not made.roots or not made.schemas:
        return Check(name, NOT_RUN, "There is no schema for this format.")
    files = ", ".join(file for _, file in made.roots)
    if not (faults := _errors(made, made.files[made.manifest])):
        return Check(name, PASSED, f"The manifest agrees with {files}.")
    if ours := _errors(made, made.plain or made.files[made.manifest]):
        return judged(name, ours, "")
    return Check(name, WARNING, f"What was kept of the original does not agree with {files}: {'; '.join(faults)}")


def _errors(made: Made, document: bytes) -> list[str]:
    spaces = {space for space, _ in made.roots}
    try:
        return schema_errors(known_part(document, spaces), made.schemas or {}, made.roots)
    except (etree.LxmlError, ContentError) as error:
        return [str(error)]


def _launches(made: Made) -> Check:
    resources = {each.identifier: each for each in made.course.resources}
    items = {(each.identifier, item.identifier): item for each in made.course.organizations for item in each.walk()}
    missing: list[str] = []
    for launch in made.course.launches:
        item = items.get((launch.organization, launch.item))
        resource = resources.get(item.resource or "") if item else None
        path = launch_path(resource) if resource else ""
        if f"{made.content}{path}" not in made.paths:
            missing.append(f"“{launch.title}” opens “{path}”, which is not there")
    if not missing:
        return Check("launches", PASSED, f"{len(made.course.launches)} items can be opened, and their files are there.")
    more = f", and {len(missing) - 5} more" if len(missing) > 5 else ""
    return Check("launches", WARNING, "; ".join(missing[:5]) + more)


def _remote(made: Made) -> Check:
    remote = sorted({each.href for each in made.course.resources if each.remote})
    found = [f"“{href}” lies on the network" for href in remote] + list(made.needed)
    if not found:
        return Check("no-remote-files", PASSED, "Nothing was found that the package loads from elsewhere.")
    more = f" There are {len(found) - 5} more." if len(found) > 5 else ""
    return Check("no-remote-files", WARNING, " ".join(found[:5]) + more)


def _pages(made: Made) -> Check:
    """Our own pages; those of the package are its author's."""
    name = "no-inline-code"
    if not made.pages:
        return Check(name, NOT_RUN, "No page of ours is in this format, and those of the package are as they came.")
    faults = [fault for page in made.pages for fault in inline_faults(page, made.files[page])]
    for page in made.pages:
        targets = page_tags(made.files[page]).targets
        faults += [f"{page} names “{each}”, which is not there" for each in targets if each not in made.paths]
    return judged(name, faults, "Our page has no script, style or handlers of its own, and all that it names is there.")


def _twice(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({name for name in names if name in seen or seen.add(name)})
