"""An imported package in a course: pinned to one version, its files an asset of the course, its tree in the block.

Before: a manifest of kind `scorm`, chosen by `tasks.embeds`. After: `content.packages.build` puts it into the course's own; every
bundle that has the unit has all of its files, and every export the whole site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from content.errors import ContentError
from content.packages.manifest import SCORM, Manifest

KIND: Final = "package"
COURSE_SHAPE: Final = 1
UNPLAYABLE: Final = frozenset(("cmi5", "tincan"))
"""Editions whose content speaks to a record store, which no course has for it."""
_OF_FILES: Final[Mapping[str, Any]] = {"files": [], "dependencies": [], "extras": []}


def course_document(manifest: Manifest) -> dict[str, Any]:
    """What the player of imported packages is given: of an export `course.js`, of a bundle taken from its manifest."""
    return {
        "shape": COURSE_SHAPE,
        "kind": manifest.kind,
        "package_id": manifest.package_id,
        "version": manifest.version,
        "metadata": manifest.document["metadata"],
        "scorm": manifest.document["structure"]["scorm"],
    }


@dataclass(frozen=True)
class Embedded:
    """The version of a package that a course holds."""

    manifest: Manifest

    def __post_init__(self) -> None:
        if self.manifest.kind != SCORM:
            raise ContentError("embed-kind", f"The package {self.manifest.package_id} is a course of its own.")

    @property
    def edition(self) -> str:
        return self.manifest.document["structure"]["scorm"]["edition"]

    def input(self) -> dict[str, Any]:
        """As the course's manifest names it among what went in."""
        return {"version": self.manifest.version, "manifest": self.manifest.digest}

    def asset(self) -> dict[str, Any]:
        """Every file with its path; the package's own media types, digests and sizes."""
        files = self.manifest.document["assets"]
        renditions = [{**files[path]["renditions"][0], "path": path} for path in sorted(files)]
        package = {"package_id": self.manifest.package_id, **self.input()}
        return {"kind": KIND, "package": package, "renditions": renditions}

    def course(self) -> dict[str, Any]:
        """What the player needs, without the lists of files, which the asset has."""
        document = course_document(self.manifest)
        scorm: Mapping[str, Any] = document["scorm"]
        resources = [{**each, **_OF_FILES} for each in scorm["resources"]]
        return {**document, "scorm": {**scorm, "resources": resources}}
