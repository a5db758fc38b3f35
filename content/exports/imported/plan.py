"""What goes into an export of an imported package: its files as they are, and a manifest that says so, or a page that plays them.

Pure: the same manifest, options and player give the same plan, byte for byte. Before: `formats` says whether it can be. After:
`content.exports.archive` writes the zip.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from content.errors import Problem
from content.exports import passport
from content.exports.archive import archive_size
from content.exports.entries import Entry, ExportPlan, Stored
from content.exports.imported import cmi5, tincan
from content.exports.imported.checks import Made, run_checks
from content.exports.imported.editions import in_edition
from content.exports.imported.formats import EDITIONS, has_scos, require_possible
from content.exports.imported.manifest import SCHEMAS, write_manifest
from content.exports.imported.repair import is_list, launch_path, repaired
from content.exports.imported.site import CONTENT, site_files
from content.exports.imported.trees import with_attributes, with_extras
from content.exports.options import Options
from content.exports.pages import INDEX
from content.exports.player_files import LICENSES, LICENSES_FILE, SCHEMA_LICENSE, SCHEMA_LICENSE_FILE, PlayerFiles
from content.exports.scorm import MANIFEST
from content.packages.embedded import course_document
from content.packages.manifest import Manifest
from content.scorm.archive.lookup import caseless
from content.scorm.model import Course
from content.scorm.package import course_of, files_of

MAX_NEEDED: Final = 50
_OTHERS: Final = {"cmi5": cmi5, "xapi": tincan}


@dataclass(frozen=True)
class _Written:
    """Files of ours, those of the package under the paths that they have here, what was made of the course, what was lost."""

    made: Made
    theirs: Mapping[str, Stored]
    findings: tuple[Problem, ...] = ()


def plan_imported(
    manifest: Manifest, options: Options, player: PlayerFiles, interfaces: Collection[str] = ()
) -> ExportPlan:
    """Plan one export. `interfaces`: what was found in the files of `scripts_to_search`. Raises ContentError `export-option`,
    `export-unwritable`, `player-incomplete`."""
    course = course_of(manifest)
    require_possible(course.edition, options, interfaces, scos=has_scos(course))
    own = _name_of_passport(manifest, course)
    if options.format == "html":
        written = _site(manifest, course, player, own)
    else:
        written = _package(manifest, course, options, player, own)
    checks = run_checks(written.made)
    findings = (*written.findings, *passport.check_findings(checks))
    entries = [Entry(path, data) for path, data in written.made.files.items()]
    entries += [Entry(path, stored, foreign=True) for path, stored in written.theirs.items()]
    document = passport.make_passport(
        manifest=manifest,
        languages=manifest.languages,
        mastery=None,
        options=options,
        player=player.version,
        checks=checks,
        findings=findings,
        files=len(entries),
        content_bytes=sum(entry.size_bytes for entry in entries),
    )
    entries.append(Entry(own, passport.to_bytes(document)))
    entries.sort(key=lambda entry: entry.path)
    return ExportPlan(tuple(entries), document, findings, archive_size(entries))


def _site(manifest: Manifest, course: Course, player: PlayerFiles, own: str) -> _Written:
    files = site_files(course_document(manifest), player)
    if LICENSES in player.files:
        files[LICENSES_FILE] = player.files[LICENSES]
    theirs = {f"{CONTENT}{path}": stored for path, stored in _stored(manifest).items()}
    paths = frozenset((*files, *theirs, own))
    made = Made(course, paths, files, content=CONTENT, pages=(INDEX,), needed=_needed(manifest))
    return _Written(made, theirs)


def _package(manifest: Manifest, course: Course, options: Options, player: PlayerFiles, own: str) -> _Written:
    edition = EDITIONS[options.format]
    changed, lost = in_edition(course, edition)
    if options.format in _OTHERS:
        other = _OTHERS[options.format]
        theirs, _ = _around(_stored(manifest), {other.MANIFEST, own}, course.manifest)
        paths = frozenset((other.MANIFEST, *theirs, own))
        exported = other.repaired(changed, paths)
        files = {other.MANIFEST: other.write_manifest(exported, paths)}
        return _Written(Made(exported, paths, files, other.MANIFEST, needed=_needed(manifest)), theirs, lost)
    files = player.schemas(options.format) | {SCHEMA_LICENSE_FILE: player.get(SCHEMA_LICENSE)}
    theirs, renamed = _around(_stored(manifest), {MANIFEST, own, *files}, course.manifest)
    paths = frozenset((*files, *theirs, own, MANIFEST))
    exported = repaired(changed, MANIFEST, paths, renamed)
    plain = write_manifest(_bare(exported, paths), paths)
    schemas = dict(files)
    files[MANIFEST] = write_manifest(exported, paths)
    made = Made(
        exported, paths, files, MANIFEST, plain, schemas, SCHEMAS[edition], needed=_needed(manifest)
    )  # fmt: skip
    return _Written(made, theirs, lost)


def _stored(manifest: Manifest) -> dict[str, Stored]:
    return {path: Stored(file.digest, file.size_bytes) for path, file in files_of(manifest).items()}


def _around(
    files: Mapping[str, Stored], ours: Collection[str], manifest: str
) -> tuple[dict[str, Stored], dict[str, str]]:
    """The package's files without those in whose place ours come, also where a disk would take them for the same; and for
    each of these, ours."""
    places = {caseless(path): path for path in ours}
    renamed = {path: places[caseless(path)] for path in files if caseless(path) in places}
    kept = {path: stored for path, stored in files.items() if path not in renamed and path != manifest}
    return kept, renamed


def _name_of_passport(manifest: Manifest, course: Course) -> str:
    """Where the passport lies: where an earlier export's lay, and not in the place of a file of the package's own."""
    listed = {path for each in course.resources if is_list(each) for path in each.files}
    taken = {caseless(path) for path in manifest.document["assets"] if path not in listed}
    stem, _, ending = passport.PASSPORT.partition(".")
    names = (passport.PASSPORT, *(f"{stem}-{number}.{ending}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def _bare(course: Course, paths: Collection[str]) -> Course:
    """Without what was kept of the original as it stood: elements, and addresses of what is not there."""
    resources = tuple(each if launch_path(each) in paths else replace(each, href="") for each in course.resources)
    return with_extras(with_attributes(replace(course, resources=resources), lambda _: ()), lambda _: ())


def _needed(manifest: Manifest) -> Sequence[str]:
    """What the import found that the package asks of a network."""
    found = manifest.document["structure"].get("report", {}).get("offline", ())
    return [each["message"] for each in found[:MAX_NEEDED]]
