"""A check of an export, and what checks are given.

`failed` is a fault of ours, or of a player that was built only in part; `warning` is something the course's author should
know; `not-run` says that what it needs was not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from content.exports.export_course import ExportCourse
from content.exports.options import Options

PASSED, FAILED, WARNING, NOT_RUN = "passed", "failed", "warning", "not-run"


@dataclass(frozen=True)
class Check:
    name: str
    result: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        return {"name": self.name, "result": self.result, "detail": self.detail}


@dataclass(frozen=True)
class Made:
    """An export but for its passport: every path, and the bytes of what is not a rendition. `manifest` is the path of the
    format's manifest (None for html), `roots` the schemas it must agree with; `foreign` are files of embedded packages, under the names that they came
    with."""

    course: ExportCourse
    options: Options
    paths: frozenset[str]
    files: Mapping[str, bytes]
    manifest: str | None
    schemas: Mapping[str, bytes]
    roots: Sequence[tuple[str, str]]
    unlisted: frozenset[str]
    foreign: frozenset[str] = frozenset()


def judged(name: str, faults: Sequence[str], good: str) -> Check:
    if not faults:
        return Check(name, PASSED, good)
    more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
    return Check(name, FAILED, "; ".join(faults[:5]) + more)
