"""What goes into an export: all entries, what was checked, and what its author should know.

Pure: the same manifest, options and player give the same plan, byte for byte. Before: a stored manifest. After:
`content.exports.archive` writes the zip.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from content.errors import Problem
from content.exports import cmi5, html, passport, scorm, scorm12, scorm2004, tincan
from content.exports.archive import archive_size
from content.exports.check import Made
from content.exports.checks import run_checks
from content.exports.course import embedded_folder, make_course
from content.exports.entries import Entry, ExportPlan, Stored
from content.exports.export_course import ExportCourse, captions_script, points_of
from content.exports.imported.formats import require_possible, scripts_to_search
from content.exports.imported.plan import plan_imported
from content.exports.imported.site import site_files
from content.exports.lom import write_lom
from content.exports.options import SCORM_2004, Options
from content.exports.pages import CAPTIONS, COURSE, SCRIPT, STYLE, Page, make_pages
from content.exports.player_files import (
    LICENSES,
    LICENSES_FILE,
    SCHEMA_LICENSE,
    SCHEMA_LICENSE_FILE,
    SCRIPTS,
    PlayerFiles,
)
from content.exports.player_files import STYLE as PLAYER_STYLE
from content.packages.manifest import SCORM, Manifest
from content.scorm.package import course_of

__all__ = ["Entry", "ExportPlan", "Stored", "plan_export"]

MAX_CAPTIONS_BYTES = 16 << 20
Files = dict[str, bytes | Stored]


@dataclass(frozen=True)
class _Written:
    """The format's own part: its manifest's path, the schemas it agrees with, and what it found."""

    manifest: str | None
    findings: Sequence[Problem] = ()
    schemas: Mapping[str, bytes] | None = None
    roots: Sequence[tuple[str, str]] = ()


def caption_files(manifest: Manifest, options: Options) -> tuple[Stored, ...]:
    """The WebVTT files that an export shows, each once: what `plan_export` wants the bytes of. None where they are too large
    together to be held in memory. Raises ContentError `export-language`."""
    if manifest.kind == SCORM:
        return ()
    found = tuple({each.digest: each for each in make_course(manifest, options).captions.values()}.values())
    return found if sum(each.size_bytes for each in found) <= MAX_CAPTIONS_BYTES else ()


def searched_files(manifest: Manifest, options: Options) -> tuple[Stored, ...]:
    """The files of an imported package that tell whether it can be exported so: `plan_export` wants what `interfaces_in` finds
    in them. Raises ContentError `export-option` where it cannot, whatever is found."""
    if manifest.kind != SCORM:
        return ()
    course = course_of(manifest)
    require_possible(course.edition, options)
    return scripts_to_search(manifest, course, options)


def plan_export(
    manifest: Manifest,
    options: Options,
    player: PlayerFiles,
    measured: Mapping[str, Mapping[str, str]] | None = None,
    *,
    captions: Mapping[str, bytes] | None = None,
    preview: bool = False,
    interfaces: Collection[str] = (),
) -> ExportPlan:
    """Plan one export; of an imported package as `content.exports.imported` does.

    `captions` are the bytes of `caption_files`, by digest: a page that is opened from a disk may load no captions, so they
    go into a script too. Without one of them films have captions only where a server is asked, which a finding says.
    `measured` has the results of the checks that only a browser can make, by the name of the check ({"result", "detail"},
    for this exporter and player version); what is absent is `not-run`. A `preview` of a draft (format html) says so on its page,
    and has no worker that would keep it on a device when its time is over. `interfaces`: those found in
    `searched_files`. Raises ContentError `export-language`, `export-option`, `player-incomplete`.
    """
    if manifest.kind == SCORM:
        return plan_imported(manifest, options, player, interfaces)
    course = make_course(manifest, options, preview=preview)
    spoken = captions_script(course, captions) if captions else None
    shown = make_pages(course, options, captions=spoken is not None)
    files = _common(course, options, player, shown) | ({CAPTIONS: spoken} if spoken else {})
    written = _write_format(course, options, player, shown, files)
    made = Made(
        course=course,
        options=options,
        paths=frozenset(files) | {passport.PASSPORT},
        files={path: content for path, content in files.items() if isinstance(content, bytes)},
        manifest=written.manifest,
        schemas=written.schemas or {},
        roots=written.roots,
        unlisted=_unlisted(written.manifest),
        foreign=course.foreign,
    )
    checks = (*run_checks(made), *passport.measured_checks(options, measured or {}))
    findings = (
        *course.findings,
        # A preview is never opened from a disk.
        *(_captions_apart() if course.captions and spoken is None and not preview else ()),
        *_no_points(course, options),
        *written.findings,
        *passport.check_findings(checks),
    )
    keeping = (html.WORKER, html.PRECACHE) if preview else ()
    foreign = course.foreign
    entries = [Entry(path, content, path in foreign) for path, content in files.items() if path not in keeping]
    document = passport.make_passport(
        manifest=manifest,
        languages=[each["tag"] for each in course.metadata["languages"]],
        mastery=course.mastery,
        options=options,
        player=player.version,
        checks=checks,
        findings=findings,
        files=len(entries),
        content_bytes=sum(entry.size_bytes for entry in entries),
    )
    entries.append(Entry(passport.PASSPORT, passport.to_bytes(document)))
    entries.sort(key=lambda entry: entry.path)
    return ExportPlan(tuple(entries), document, findings, archive_size(entries))


def _common(course: ExportCourse, options: Options, player: PlayerFiles, shown: Sequence[Page]) -> Files:
    """What every format has: pages, course, player, media."""
    files: Files = {page.path: page.html for page in shown}
    files |= {COURSE: course.to_script(), SCRIPT: player.get(SCRIPTS[options.format]), STYLE: player.get(PLAYER_STYLE)}
    if LICENSES in player.files:
        files[LICENSES_FILE] = player.files[LICENSES]
    for asset, package in course.packages.items():
        folder = embedded_folder(asset)
        files |= {f"{folder}{path}": data for path, data in site_files(package, player).items()}
    return files | dict(course.media)


def _write_format(
    course: ExportCourse, options: Options, player: PlayerFiles, shown: Sequence[Page], files: Files
) -> _Written:
    """Add the format's own files to `files`."""
    if options.format == "html":
        files.update(html.app_files(course, player, {path: files[path] for path in files if path != LICENSES_FILE}))
        return _Written(None)
    if options.format in ("cmi5", "xapi"):
        module = cmi5 if options.format == "cmi5" else tincan
        files[module.MANIFEST], findings = module.write_manifest(scorm.Package(course, shown, ()))
        schemas = {
            name.rpartition("/")[2]: data for name, data in player.files.items() if name.startswith("schemas/cmi5/")
        }
        roots = ((cmi5.NAMESPACE, "CourseStructure.xsd"),) if options.format == "cmi5" else ()
        return _Written(module.MANIFEST, findings, schemas, roots)
    schemas = player.schemas(options.format)
    files |= schemas
    files[SCHEMA_LICENSE_FILE] = player.get(SCHEMA_LICENSE)
    if options.format in SCORM_2004:
        files[scorm2004.METADATA] = write_lom(course)
    package = scorm.Package(course, shown, sorted([*files, passport.PASSPORT]))
    if options.format in SCORM_2004:
        data, findings = scorm2004.write_manifest(package, scorm2004.EDITIONS[options.format])
    else:
        data, findings = scorm12.write_manifest(package)
    files[scorm.MANIFEST] = data
    roots = scorm2004.SCHEMAS if options.format in SCORM_2004 else scorm12.SCHEMAS
    return _Written(scorm.MANIFEST, findings, schemas, roots)


def _unlisted(manifest: str | None) -> frozenset[str]:
    """What a format's own list rightly leaves out: itself, and in a site's cache what playing does not need."""
    if manifest is not None:
        return frozenset({manifest})
    return frozenset({html.PRECACHE, html.WORKER, LICENSES_FILE, passport.PASSPORT})


def _captions_apart() -> Iterator[Problem]:
    message = (
        "The captions are not in the pages themselves, which have room for "
        f"{MAX_CAPTIONS_BYTES >> 20} MiB: they are shown where a server sends the pages, and not where they are opened from a disk."
    )
    yield Problem("/assets", "export-captions-apart", message, "warning")


def _no_points(course: ExportCourse, options: Options) -> list[Problem]:
    """Who asks for passed or failed, of a course where there is nothing to be passed."""
    if options.report == "completed-incomplete" or any(points_of(unit) > 0 for unit in course.units):
        return []
    message = (
        f"The report “{options.report}” is about a score, but no quiz of the course gives points: who has seen what the "
        "course asks for has done it, and nobody fails."
    )
    return [Problem("/options/report", "export-no-points", message, "warning")]
