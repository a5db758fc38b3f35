"""What a package says it is, whatever its standard: organizations of items that launch resources made of files.

All that the manifest says is kept, so that nothing is lost between an import and a later export: what this service does not
use itself is kept as elements. Every path is relative to the package's root and names a file as the archive has it.
Before: `content.scorm.course`. After: the report, the manifest of a PlayPackage of kind `scorm`, its exports and its player.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Literal, cast

from content.errors import ContentError

MAX_OBJECTS = 800_000
"""In the JSON of a course: four for each element that a manifest may have. Each is half a kilobyte of memory and more."""
Edition = Literal["1.2", "2004-2nd", "2004-3rd", "2004-4th", "aicc", "cmi5", "tincan"]
ScormType = Literal["sco", "asset"]
_STRICT: dict[str, Any] = {"extra": "forbid", "strict": True}
"""How pydantic is to read each of them. It is imported only by who reads: in a sandbox that is a third of a second."""


@dataclass(frozen=True)
class Element:
    """An XML element as it stood: names in Clark notation (`{namespace}local`), attributes sorted, no mixed content."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    text: str = ""
    children: tuple[Element, ...] = ()


@dataclass(frozen=True)
class Resource:
    """`href`: what to open, as `path?query#fragment` with every xml:base composed in; empty where nothing is to be opened.
    `files`: paths. A `remote` href is an address on the network, which no device without one can open. `attributes`: what else stood at the element (Clark names), as persistState."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    identifier: str
    type: str = "webcontent"
    scorm_type: ScormType = "asset"
    href: str = ""
    remote: bool = False
    files: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    extras: tuple[Element, ...] = ()


@dataclass(frozen=True)
class Item:
    """One activity. `resource` is an identifier of a resource that exists. Texts of 1.2's and 2004's elements as they stood;
    empty where absent. `activity`: the IRI of an AU (cmi5) or activity (tincan). `attributes`: what else stood at the element. `extras`: sequencing, presentation,
    metadata, completion threshold and whatever else stood there."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    identifier: str
    title: str
    resource: str | None = None
    visible: bool = True
    parameters: str = ""
    prerequisites: str = ""
    max_time_allowed: str = ""
    time_limit_action: str = ""
    data_from_lms: str = ""
    mastery_score: str = ""
    activity: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    extras: tuple[Element, ...] = ()
    children: tuple[Item, ...] = ()

    def walk(self) -> Iterator[Item]:
        """It and all below it, in the order of the document."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Organization:
    """`attributes`: what else stood at the element (Clark names), as `objectivesGlobalToSystem`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    identifier: str
    title: str
    items: tuple[Item, ...] = ()
    structure: str = "hierarchical"
    attributes: tuple[tuple[str, str], ...] = ()
    extras: tuple[Element, ...] = ()

    def walk(self) -> Iterator[Item]:
        for item in self.items:
            yield from item.walk()


@dataclass(frozen=True)
class Launch:
    """An item that can be opened, and with which `path?query#fragment`: its resource's and its own parameters composed
    (SCORM 2004 CAM 3.4.1.4)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    organization: str
    item: str
    title: str
    href: str


@dataclass(frozen=True)
class Course:
    """A package, understood. `default`: the identifier of the organization that is played. `language`: BCP 47, or empty where
    nothing says. `launches`: of the default organization, in its order; at least one. What is not in the package is none of them,
    unless nothing is. `metadata` and `extras` are of the
    manifest itself (LOM; the sequencing collection). `manifest`: the path of the document all this was read from."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    edition: Edition
    identifier: str
    title: str
    manifest: str
    organizations: tuple[Organization, ...]
    default: str
    resources: tuple[Resource, ...]
    launches: tuple[Launch, ...]
    version: str = ""
    language: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    metadata: tuple[Element, ...] = ()
    extras: tuple[Element, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON carries it."""
        return _plain(self)

    @property
    def items(self) -> int:
        """How many items all organizations have."""
        return sum(1 for organization in self.organizations for _ in organization.walk())


def parse_course(data: bytes | str) -> Course:
    """A course from its JSON. Raises pydantic's ValidationError, which a caller who does not trust the bytes translates, and
    ContentError `course-unreadable` for more objects than any manifest gives."""
    if data.count("{" if isinstance(data, str) else b"{") > MAX_OBJECTS:  # type: ignore[arg-type]
        raise ContentError("course-unreadable", f"The course has more than {MAX_OBJECTS} objects.")
    return _adapter().validate_json(data)


def course_from(document: dict[str, Any]) -> Course:
    """A course from what `Course.document` gave. Raises pydantic's ValidationError."""
    return _adapter().validate_python(document, strict=False)


@functools.cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Course)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return [_plain(each) for each in cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else value
