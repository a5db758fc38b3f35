"""What the author of a package is told: whether it is taken, what it is, and what will matter without a network.

It is written inside a sandbox, so whoever reads it takes nothing in it on trust: `parse_report` accepts only what `describe`
could have written, of bounded length, with texts that may be shown. Texts are no markup; a page escapes them.
Before: archive, course, offline, tools. After: `content-service inspect`, the imports' report and its page.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

from content.errors import ContentError
from content.scorm.findings import Finding
from content.scorm.model import Course, Edition, Item
from content.scorm.shown import as_path, is_path, is_shown, shown

MAX_REPORT_BYTES = 16 << 20
MAX_COURSE_BYTES = 64 << 20
"""Of a course that goes from the sandbox to whoever believes it, as JSON."""
MAX_ITEMS = 10_000
"""Items that the tree shows, and launches that are listed; `items` counts all."""
MAX_DEPTH = 50
MAX_HREF = 8192
_MAX_FINDINGS = 10_000
_CODE = re.compile(r"[a-z][a-z0-9-]{0,63}")
_STRICT: dict[str, Any] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True)
class Tool:
    """What made the package. `version` is empty where nothing says it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    version: str = ""


@dataclass(frozen=True)
class Node:
    """An item of the tree: `href` is what it opens, None where it opens nothing."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    identifier: str
    title: str
    href: str | None = None
    items: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Tree:
    """An organization; the `default` one is played."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    identifier: str
    title: str
    default: bool
    items: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Sizes:
    """Of the upload, of all its files unpacked, and how many they are."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    zip_bytes: int
    unpacked_bytes: int
    files: int


@dataclass(frozen=True)
class Report:
    """`items`: how many there are, also where tree and launch are cut. `language`: BCP 47, empty where nothing says.
    `sizes` is None where the upload is no zip. `sandbox`: what it was read in, said by whoever started that."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    accepted: bool
    edition: Edition | None = None
    launch: tuple[str, ...] = ()
    items: int = 0
    warnings: tuple[Finding, ...] = ()
    errors: tuple[Finding, ...] = ()
    title: str = ""
    identifier: str = ""
    language: str = ""
    tool: Tool | None = None
    tree: tuple[Tree, ...] = ()
    sizes: Sizes | None = None
    offline: tuple[Finding, ...] = ()
    sandbox: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON carries it."""
        return asdict(self)

    def in_json(self) -> bytes:
        """The same as bytes. Raises ContentError `report-too-large`."""
        data = json.dumps(self.document(), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if len(data) > MAX_REPORT_BYTES:
            raise ContentError("report-too-large", "So much was found in the package that no report holds it.")
        return data


def refused(*errors: Finding, sizes: Sizes | None = None) -> Report:
    """Of a package that could not even be looked into."""
    return Report(False, errors=errors, sizes=sizes)


def describe(course: Course) -> dict[str, Any]:
    """The members of a report that come from the course, ready to be shown; hrefs stay as they are, to be opened."""
    hrefs = {(each.organization, each.item): each.href for each in course.launches}
    resources = {each.identifier: each.href for each in course.resources}
    left = iter(range(MAX_ITEMS))

    def node(organization: str, item: Item, depth: int) -> Node:
        href = hrefs.get((organization, item.identifier)) or resources.get(item.resource or "", "") or None
        below = tuple(nodes(organization, item.children, depth + 1)) if depth < MAX_DEPTH else ()
        opened = None if href is None else as_path(href, MAX_HREF)
        return Node(shown(item.identifier), shown(item.title), opened, below)

    def nodes(organization: str, items: Iterable[Item], depth: int) -> Iterator[Node]:
        for item in items:
            if next(left, None) is None:
                return
            yield node(organization, item, depth)

    return {
        "edition": course.edition,
        "launch": tuple(as_path(each.href, MAX_HREF) for each in course.launches[:MAX_ITEMS]),
        "items": course.items,
        "title": shown(course.title),
        "identifier": shown(course.identifier),
        "language": shown(course.language, 100),
        "tree": tuple(
            Tree(
                shown(each.identifier),
                shown(each.title),
                each.identifier == course.default,
                tuple(nodes(each.identifier, each.items, 1)),
            )
            for each in course.organizations[:MAX_ITEMS]
        ),
    }


def parse_report(data: bytes | str) -> Report:
    """A report from its JSON, which may be the word of code that was taken over. Raises ContentError `report-unreadable`."""
    if len(data) > MAX_REPORT_BYTES:
        raise _unreadable("it is too large")
    try:
        report = cast("Report", _adapter().validate_json(data))
    except ValueError as error:
        raise _unreadable(str(error).splitlines()[0][:200]) from error
    for why in _wrong(report):
        raise _unreadable(why)
    return report


@functools.cache
def _adapter() -> Any:
    # Imported late: nothing but the reading needs it, and a sandbox starts in half the time without.
    from pydantic import TypeAdapter

    return TypeAdapter(Report)


def _wrong(report: Report) -> Iterator[str]:
    """What `describe` and `inspect_package` would never have written."""
    if report.accepted and (report.errors or report.edition is None or not report.launch):
        yield "it accepts what it gives reasons to refuse"
    if not report.accepted and not report.errors:
        yield "it refuses without a reason"
    found = (*report.warnings, *report.errors, *report.offline)
    if len(found) > _MAX_FINDINGS:
        yield "it has too many findings"
    if not all(_CODE.fullmatch(each.code) and is_shown(each.place) and is_shown(each.message) for each in found):
        yield "a finding is malformed"
    if not all(is_path(href, MAX_HREF) for href in report.launch) or len(report.launch) > MAX_ITEMS:
        yield "a launch is malformed"
    nodes = [node for tree in report.tree for node in _walk(tree.items)]
    if not 0 <= report.items < 1 << 31 or len(nodes) > min(report.items, MAX_ITEMS) or len(report.tree) > MAX_ITEMS:
        yield "its tree is not what it counts"
    if not all(each.href is None or is_path(each.href, MAX_HREF) for each in nodes):
        yield "an item is malformed"
    texts = [report.title, report.identifier, report.language, report.sandbox]
    texts += [text for each in (*report.tree, *nodes) for text in (each.identifier, each.title)]
    if report.tool is not None:
        texts += [report.tool.name, report.tool.version]
    if not all(map(is_shown, texts)):
        yield "a text may not be shown"
    if report.sizes is not None and not all(0 <= each < 1 << 62 for each in asdict(report.sizes).values()):
        yield "a size is impossible"


def _walk(nodes: Iterable[Node]) -> Iterator[Node]:
    for each in nodes:
        yield each
        yield from _walk(each.items)


def _unreadable(why: str) -> ContentError:
    return ContentError("report-unreadable", f"The report of a package is not one: {why}.")
