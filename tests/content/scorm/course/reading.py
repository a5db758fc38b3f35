"""Packages made in tests, read as they are from an upload."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

from content.scorm.archive import open_archive
from content.scorm.course import read_course
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.model import Course
from tests.content.scorm.packages import zip_of

LIMITS = ImportLimits()


def read(files: Mapping[str, bytes | str] | bytes | Path, limits: ImportLimits = LIMITS) -> tuple[Course, Findings]:
    """Raises PackageRefused."""
    data = files.read_bytes() if isinstance(files, Path) else files if isinstance(files, bytes) else zip_of(files)
    found = Findings(limits.findings)
    return read_course(open_archive(io.BytesIO(data), limits, found), limits, found), found


def codes(found: Findings) -> set[str]:
    return {each.code for each in found.all_warnings()}
