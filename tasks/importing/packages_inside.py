"""What is called inside the sandbox of packages: reads one, writes what it came to. Here and below it strangers' bytes are parsed.

Writes the report, and on request the course and the canonical zip, each as a file of its own: a course can be larger than an
answer may be. Whoever started the sandbox believes none of them (`tasks.importing.reading_packages`).
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from content.scorm.findings import Finding
from content.scorm.inspect import Inspection, inspect_package
from content.scorm.limits import ImportLimits
from content.scorm.report import MAX_COURSE_BYTES, refused

_LEAST_SHARE = 0.01


def read(
    path: str,
    limits: dict[str, Any],
    report: str,
    course: str,
    canonical: str | None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Read the package at `path`; `canonical` asks for the course, too. A bad package is a report, no exception."""
    gc.disable()  # one package, and then the end: looking for garbage is half the time of a large manifest
    told = _throttled(progress) if progress is not None else None
    most = ImportLimits(**limits)
    with Path(path).open("rb") as file:
        if canonical is None:
            found = inspect_package(file, most, on_share=told)
        else:
            with Path(canonical).open("wb") as out:
                found = inspect_package(file, most, canonical=out, on_share=told)
            found = _with_course(found, course, canonical)
    Path(report).write_bytes(found.report.in_json())


def _with_course(found: Inspection, course: str, canonical: str) -> Inspection:
    if found.course is not None:
        text = json.dumps(found.course.document(), ensure_ascii=False, separators=(",", ":"))
        data = text.encode("utf-8", "replace")
        if len(data) <= MAX_COURSE_BYTES:
            Path(course).write_bytes(data)
            return found
        message = (
            f"What the manifest says takes {len(data):,} bytes written down; at most {MAX_COURSE_BYTES:,} are taken."
        )
        report = refused(Finding("manifest-too-large", found.course.manifest, message), sizes=found.report.sizes)
        found = Inspection(report)
    Path(canonical).unlink()
    return found


def _throttled(progress: Callable[[float], None]) -> Callable[[float], None]:
    last = 0.0

    def tell(share: float) -> None:
        nonlocal last
        if share - last >= _LEAST_SHARE or share >= 1 > last:
            last = share
            progress(share)

    return tell
