"""A course as an export plays it, and what formats ask of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from content.canonical import canonical
from content.drafts.languages import direction
from content.errors import Problem
from content.exports.entries import Stored


@dataclass(frozen=True)
class ExportCourse:
    """The course document, the files it names by path, and what its author should know. `packages`: what the players of embedded
    packages are given, by asset."""

    document: Mapping[str, Any]
    media: Mapping[str, Stored]
    findings: tuple[Problem, ...]
    packages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])

    @property
    def package_id(self) -> str:
        return self.document["package_id"]

    @property
    def version(self) -> int:
        return self.document["version"]

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.document["metadata"]

    @property
    def units(self) -> Sequence[Mapping[str, Any]]:
        return self.document["structure"]["units"]

    @property
    def language(self) -> str:
        """The first chosen language: that of titles that can have only one."""
        return self.metadata["language"]

    @property
    def direction(self) -> str:
        return direction(self.language)

    @property
    def mastery(self) -> float:
        return self.document["tracking"]["mastery"]

    @property
    def sequencing(self) -> Mapping[str, Any] | None:
        return self.metadata.get("sequencing")

    @property
    def captions(self) -> Mapping[str, Stored]:
        """The WebVTT files that films and sounds show, by path."""
        return {
            each["path"]: self.media[each["path"]]
            for asset in self.document["assets"].values()
            for each in asset["renditions"]
            if each["role"] == "captions"
        }

    def to_script(self) -> bytes:
        """course.js: a script, since a page opened from a disk may not fetch JSON."""
        return b"globalThis.course = " + canonical(self.document) + b";\n"

    def media_of(self, unit: Mapping[str, Any]) -> list[str]:
        """Paths of the files that a unit's blocks show, sorted."""
        assets = {asset for block in unit["blocks"] for asset in uses(block)} | logo_of(self.metadata)
        shown = {each["path"] for asset in assets for each in self.document["assets"][asset]["renditions"]}
        packages = tuple(f"embed/{asset}/" for asset in assets if asset in self.packages)
        return sorted(shown | ({path for path in self.media if path.startswith(packages)} if packages else set()))

    @property
    def foreign(self) -> frozenset[str]:
        """Paths of files as somebody else made them."""
        return frozenset(path for path in self.media if path.startswith("embed/"))


def captions_script(course: ExportCourse, captions: Mapping[str, bytes]) -> bytes | None:
    """captions.js, path → WebVTT, of the captions that the course shows; None if there are none, or if `captions`, by digest,
    lacks one."""
    shown = course.captions
    if not shown or any(each.digest not in captions for each in shown.values()):
        return None
    texts = {path: captions[each.digest].decode() for path, each in shown.items()}
    return b"globalThis.captions = " + canonical(texts) + b";\n"


def points_of(unit: Mapping[str, Any]) -> float:
    """The points of all quizzes of a unit."""
    return sum(block["points"] for block in unit["blocks"] if block["type"] == "quiz")


def deciding_mastery(document: Mapping[str, Any], unit: Mapping[str, Any] | None = None) -> float | None:
    """The share of points by which a platform decides itself whether a unit (None: the course) is passed or failed; None
    where it is not to decide: only where failing is to be told is below the mark failed, and without points nothing is."""
    tracking = document["tracking"]
    if unit is not None and unit["id"] in tracking.get("units", {}):
        return tracking["units"][unit["id"]]["mastery"]
    tested = [unit] if unit is not None else document["structure"]["units"]
    scored = any(points_of(each) > 0 for each in tested)
    return tracking["mastery"] if tracking["report"] == "passed-failed" and scored else None


def activity(package_id: str, part: str = "") -> str:
    """The IRI of a course, or of a part of it: the same in every version. Activity ids have to be IRIs, and no host's name
    belongs to the author for ever; so it is a UUID (RFC 9562, version 5) made of the package's id."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:content-package:{package_id}#{part}").urn


def uses(block: Mapping[str, Any]) -> Iterator[str]:
    yield from (block[name] for name in ("asset", "poster") if block.get(name))
    yield from (track["asset"] for track in block.get("captions") or ())


def logo_of(metadata: Mapping[str, Any]) -> set[str]:
    logo = metadata["theme"].get("logo")
    return {logo} if logo else set()
