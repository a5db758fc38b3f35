"""Reading packages of others, seen from outside their sandbox: what is handed in, what comes out, and what of that is believed.

A package is read by `tasks.importing.packages_inside`, in a sandbox that serves it alone. The code in there may have been taken over by
what it reads, so its report, course and canonical zip are parsed again here, strictly, and must agree with each other; what
does not is no error of ours but one more package that is refused. `package-unreadable` names what happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from cluster import sandbox
from cluster.sandbox import IN, Job, Kind, Limits, Result
from cluster.settings import Settings
from content.errors import ContentError
from content.scorm.archive import read_canonical
from content.scorm.findings import Finding, printable
from content.scorm.limits import MIB, ImportLimits
from content.scorm.model import Course, parse_course
from content.scorm.outside import outside
from content.scorm.report import MAX_COURSE_BYTES, MAX_REPORT_BYTES, Report, describe, parse_report, refused

INSIDE = "tasks.importing.packages_inside"
PACKAGE, REPORT, COURSE, CANONICAL = "package.zip", "report.json", "course.json", "canonical.zip"
PACKAGES = Kind(
    "packages",
    preload=(INSIDE, "encodings.utf_16", "encodings.latin_1", "encodings.cp437"),
    packages=("langcodes",),
    sources=("content", INSIDE),
)
_TRIES = 2
_HEADERS_BYTES = 512  # of one file in the canonical zip, its name aside


@dataclass(frozen=True)
class Reading:
    """`course` and `canonical` (a file in the folder of results) are there for an accepted package whose canonical zip was
    asked for. `broke`: whatever read it was ended or gave nonsense; another try may go better, or the package is poison."""

    report: Report
    course: Course | None = None
    canonical: Path | None = None
    broke: bool = False


def limits_of(settings: Settings) -> ImportLimits:
    """The settings' limits on packages, as a value."""
    return ImportLimits(**{each.name: getattr(settings, f"import_{each.name}") for each in fields(ImportLimits)})


def read_package(
    path: Path,
    output: Path,
    settings: Settings,
    *,
    canonical: bool,
    watch: Callable[[], None] | None = None,
    on_share: Callable[[float], None] | None = None,
) -> Reading:
    """Read the package at `path`; results lie in `output`, an existing folder. A bad package is a reading, no exception.

    `watch` is called about every 50 ms, `on_share` with how much is done, 0 to 1; what either raises ends the sandbox and goes
    on. Raises ContentError for failures of ours: `sandbox-unavailable` (retryable).
    """
    limits = limits_of(settings)
    told = f"{sandbox.backend(settings, PACKAGES)} {_version(settings)}".strip()
    size = path.stat().st_size
    if size > limits.zip_bytes:
        message = f"The file has {size:,} bytes; at most {limits.zip_bytes:,} are taken."
        return Reading(replace(refused(Finding("zip-size", "", message)), sandbox=told))
    call = _Call(path, output, settings, limits, canonical, watch, on_share)
    reading = call.read()
    return replace(reading, report=replace(reading.report, sandbox=told))


def _version(settings: Settings) -> str:
    backend = sandbox.backend(settings, PACKAGES)
    return "" if backend == "none" else sandbox.find(backend).version


@dataclass(frozen=True)
class _Call:
    path: Path
    output: Path
    settings: Settings
    limits: ImportLimits
    canonical: bool
    watch: Callable[[], None] | None
    on_share: Callable[[float], None] | None

    def read(self) -> Reading:
        try:
            result = self._result()
            for _ in range(_TRIES - 1):
                if result.code == 0 or result.stopped:
                    break
                result = self._result()  # it may have been the machine's fault, and not the package's
        except ContentError as error:
            if error.code != "sandbox-result":
                raise
            return _unreadable(f"What read it left something that nobody asked for. {error.message}", broke=True)
        if result.stopped or result.code != 0 or result.refusal is not None:
            return self._ended(result)
        try:
            return self._believed()
        except ContentError as error:
            return _unreadable(f"What read it gave an answer that cannot be: {error.message}", broke=True)

    def _result(self) -> Result:
        settings, limits = self.settings, self.limits
        results = (REPORT, COURSE, CANONICAL) if self.canonical else (REPORT,)
        for each in results:
            (self.output / each).unlink(missing_ok=True)
        most = MAX_REPORT_BYTES
        if self.canonical:
            most += MAX_COURSE_BYTES + limits.unpacked_bytes + limits.entries * (2 * limits.name_bytes + _HEADERS_BYTES)
        bounds = Limits(settings.import_memory_bytes, settings.import_timeout_s, most, most, answer_bytes=MIB)
        job = Job(PACKAGES, bounds, self.output, {PACKAGE: self.path.resolve()}, results, self.watch)
        arguments: dict[str, Any] = {
            "path": f"{IN}/{PACKAGE}",
            "limits": {each.name: getattr(limits, each.name) for each in fields(limits)},
            "report": REPORT,
            "course": COURSE,
            "canonical": CANONICAL if self.canonical else None,
        }
        return sandbox.call(job, f"{INSIDE}:read", arguments, settings, self.on_share)

    def _ended(self, result: Result) -> Reading:
        """What it means that the sandbox was ended, or ended by itself without an answer."""
        settings = self.settings
        if result.refusal is not None:
            match result.refusal.code:
                case "out-of-memory":
                    return _unreadable(
                        f"It needs more memory than the {settings.import_memory_bytes // MIB:,} MiB that are allowed."
                    )
                case "output-too-large":
                    return _unreadable("It unpacks to more than is allowed.")
                case _:
                    return _unreadable(result.refusal.message)
        match result.stopped:
            case "time":
                return _unreadable(
                    f"It took longer than the {settings.import_timeout_s:g} s that are allowed.", broke=True
                )
            case "output":
                return _unreadable("It unpacks to more than is allowed.", broke=True)
            case "threads" | "answer":
                return _unreadable("What read it did what it never should.", broke=True)
            case "":
                said = result.said.splitlines()[-1] if result.said else ""
                return _unreadable(f"What read it ended with {result.code}. {said}".strip(), broke=True)

    def _believed(self) -> Reading:
        """What came out, parsed again. Raises ContentError for what cannot be the work of our code."""
        report = parse_report(_bytes(self.output / REPORT, MAX_REPORT_BYTES))
        if report.sandbox:
            raise ContentError("report-unreadable", "it says itself what it was read in.")
        course, canonical = self.output / COURSE, self.output / CANONICAL
        if not self.canonical or not report.accepted:
            if self.canonical and (course.exists() or canonical.exists()):
                raise ContentError("report-unreadable", "there is a course of what was refused.")
            return Reading(report)
        try:
            found = parse_course(_bytes(course, MAX_COURSE_BYTES))
        except ValueError as error:
            raise ContentError("course-unreadable", printable(str(error).splitlines()[0])) from error
        agree(report, found)
        with _opened(canonical) as file:
            files = read_canonical(file, self.limits)
        sizes = report.sizes
        if sizes is None or (sizes.files, sizes.unpacked_bytes) != (len(files), sum(each.size_bytes for each in files)):
            raise ContentError("report-unreadable", "the report and the files do not agree.")
        return Reading(report, found, canonical)


def agree(report: Report, course: Course) -> None:
    """Demand that the report says what the course is, and that the course names nothing outside of the package. Raises
    ContentError `report-unreadable`, `course-unreadable`."""
    document = report.document()
    told = replace(report, **describe(course)).document()
    if told != document:
        name = next(name for name in told if told[name] != document[name])
        raise ContentError("report-unreadable", f"the report and the course do not agree about {name}.")
    for name in outside(course):
        raise ContentError("course-unreadable", f"the course names what is outside of it: {printable(name[:100])}.")


def _bytes(path: Path, most: int) -> bytes:
    with _opened(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ContentError("report-unreadable", f"{path.name} is too large.")
    return data


def _opened(path: Path) -> Any:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise ContentError("report-unreadable", f"{path.name} is missing.") from error


def _unreadable(why: str, *, broke: bool = False) -> Reading:
    message = printable(f"The package could not be read. {why}")
    return Reading(refused(Finding("package-unreadable", "", message)), broke=broke)
