"""A package from its first byte to its report, and on request to its canonical zip. Runs inside a sandbox.

archive (is it safe) → course (what is it) → every file once: is it whole, what does it need (offline) → tools → the report.
A bad package is no exception here: its report says why it is refused, and as many reasons as could be found.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from content.scorm.archive import Archive, CanonicalFile, open_archive, write_canonical
from content.scorm.course import read_course
from content.scorm.findings import Findings, PackageRefused
from content.scorm.limits import ImportLimits
from content.scorm.model import Course
from content.scorm.offline import Offline, as_text
from content.scorm.outside import outside
from content.scorm.report import Report, Sizes, Tool, describe
from content.scorm.tools import READ_BYTES, recognise

_LAUNCH_PAGES = 3
Shares = Callable[[float], None]


@dataclass(frozen=True)
class Inspection:
    """`course` and `files` (of the canonical zip, if it was asked for) are there for a package that is accepted."""

    report: Report
    course: Course | None = None
    files: tuple[CanonicalFile, ...] = ()


def inspect_package(
    file: BinaryIO,
    limits: ImportLimits,
    *,
    canonical: BinaryIO | None = None,
    on_share: Shares | None = None,
) -> Inspection:
    """Read all of a package. `canonical`: where its safe copy is written; what is written for a refused one is worthless.
    `on_share` is told how much of the bytes is done, 0 to 1."""
    found = Findings(limits.findings)
    archive, course = _opened(file, limits, found)
    tool = None
    files: tuple[CanonicalFile, ...] = ()
    offline = Offline(course)
    if archive is not None:
        tool = _tool(archive, course)
        whole = canonical is None or course is None
        _look(archive, offline, found, on_share if whole else None, whole=whole)
        if canonical is not None and course is not None and not found.errors:
            with _refusals(found):
                files = write_canonical(archive, canonical, on_share=on_share)
    accepted = course is not None and not found.errors
    told: dict[str, Any] = describe(course) if course is not None else {"edition": found.edition}
    report = Report(
        accepted=accepted,
        warnings=found.all_warnings(),
        errors=tuple(found.errors),
        tool=tool,
        sizes=Sizes(archive.zip_bytes, archive.unpacked_bytes, len(archive.entries)) if archive is not None else None,
        offline=offline.findings(),
        **told,
    )
    return Inspection(report, course, files) if accepted else Inspection(report)


def _opened(file: BinaryIO, limits: ImportLimits, found: Findings) -> tuple[Archive | None, Course | None]:
    """As far as it gets."""
    archive: Archive | None = None
    try:
        archive = open_archive(file, limits, found)
        course = read_course(archive, limits, found)
        for name in outside(course):
            message = f"“{name[:200]}” leads out of the package and is not opened. Name a file of the package."
            found.error("href-unsafe", course.manifest, message)
        return archive, course
    except PackageRefused as refusal:
        _keep(refusal, found)
        return archive, None


@contextmanager
def _refusals(found: Findings) -> Generator[None]:
    """What refuses the package goes on as findings."""
    try:
        yield
    except PackageRefused as refusal:
        _keep(refusal, found)


def _keep(refusal: PackageRefused, found: Findings) -> None:
    for each in refusal.errors:
        found.error(each.code, each.place, each.message)
    if not found.errors:
        found.error(refusal.code, "", refusal.message)


def _look(archive: Archive, offline: Offline, found: Findings, on_share: Shares | None, *, whole: bool) -> None:
    """See every file; `whole`: unpack also what is not looked into, since nothing else will find what is damaged."""
    done, all_bytes = 0, max(archive.unpacked_bytes, 1)
    for entry in sorted(archive.entries.values(), key=lambda entry: entry.start):
        wanted = offline.name(entry.path, entry.size_bytes)
        head: list[bytes] = []
        with _refusals(found):
            if whole or wanted:
                for piece in archive.stream(entry.path):
                    if wanted > 0:
                        head.append(piece[:wanted])
                        wanted -= len(piece)
                    elif not whole:
                        break
                    done += len(piece)
                    if on_share is not None:
                        on_share(done / all_bytes)
            if head:
                offline.text(entry.path, b"".join(head))


def _tool(archive: Archive, course: Course | None) -> Tool | None:
    def read(path: str) -> str:
        if path not in archive.entries:
            return ""
        head = b""
        try:
            for piece in archive.stream(path):
                head += piece
                if len(head) >= READ_BYTES:
                    break
        except PackageRefused:  # told when all files are read
            return ""
        return as_text(head[:READ_BYTES])

    manifest = course.manifest if course is not None else "imsmanifest.xml"
    launches = [] if course is None else [each.href.partition("?")[0].partition("#")[0] for each in course.launches]
    return recognise(archive.entries, read, (manifest, *launches[:_LAUNCH_PAGES]))
