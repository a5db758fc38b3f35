"""Packages through the whole way: a zip is read, becomes a manifest, is exported, and the export is read again."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from content.canonical import digest
from content.exports import ExportPlan, Options, Stored, plan_export
from content.exports.archive import write_zip
from content.exports.imported.formats import interfaces_in, scripts_to_search
from content.packages import Manifest, parse
from content.scorm.archive import open_archive
from content.scorm.course import read_course
from content.scorm.findings import Finding, Findings
from content.scorm.limits import ImportLimits
from content.scorm.model import Course
from content.scorm.package import StoredFile, scorm_manifest
from tests.content.exports.examples import player
from tests.content.scorm.imported import SOURCE, Told

LIMITS = ImportLimits()
PLAYER = player(**{"player-imported.js": b"/* imported */"})
NATIVE = {
    "1.2": "scorm12",
    "2004-2nd": "scorm2004-3rd",
    "2004-3rd": "scorm2004-3rd",
    "2004-4th": "scorm2004-4th",
    "cmi5": "cmi5",
    "tincan": "xapi",
}
"""The format in which a package goes out again as what it came."""


@dataclass
class Imported:
    """A package that was read. `files`: path → bytes."""

    course: Course
    files: dict[str, bytes]
    warnings: tuple[Finding, ...] = ()
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def __post_init__(self) -> None:
        self.blobs = {digest(data): data for data in self.files.values()}

    @property
    def digests(self) -> dict[str, str]:
        return {path: digest(data) for path, data in self.files.items()}

    def manifest(self) -> Manifest:
        made = scorm_manifest(
            tenant="acme",
            package_id="pkg_00000000000000000000000001",
            version=3,
            source=SOURCE,
            course=self.course,
            report=Told({"warnings": [each.as_dict() for each in self.warnings]}),
            files={path: StoredFile(digest(data), len(data)) for path, data in self.files.items()},
        )
        return parse(made.to_bytes())

    def plan(self, format: str, **options: object) -> ExportPlan:
        manifest, wanted = self.manifest(), replace(Options(format), **options)
        scripts = scripts_to_search(manifest, self.course, wanted)
        found = frozenset[str]().union(*(interfaces_in(self.read(each)) for each in scripts))
        return plan_export(manifest, wanted, PLAYER, interfaces=found)

    def read(self, wanted: Stored) -> Iterable[bytes]:
        return [self.blobs[wanted.digest]]

    def zipped(self, made: ExportPlan) -> bytes:
        out = io.BytesIO()
        write_zip(made.entries, self.read, out)
        return out.getvalue()

    def exported(self, format: str, **options: object) -> Imported:
        """Export it and import that."""
        return imported(self.zipped(self.plan(format, **options)))


def imported(data: bytes) -> Imported:
    """Raises PackageRefused."""
    found = Findings()
    archive = open_archive(io.BytesIO(data), LIMITS, found)
    course = read_course(archive, LIMITS, found)
    files = {path: b"".join(archive.stream(path)) for path in archive.entries}
    return Imported(course, files, found.all_warnings())
