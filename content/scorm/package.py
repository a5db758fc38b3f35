"""An imported package as a PlayPackage: a manifest of kind `scorm`, whose assets are the package's own files by their paths.

    type "manifest", shape 1, kind "scorm", tenant, package_id, version
    source      course, import, name, size and digest of the zip, time of the import
    inputs      nothing: all that went in is in the zip
    toolchain   the version of this document's writer
    metadata    title, description, languages with direction, keywords; license null, authors none
    structure   scorm: the course as its own manifest says it (`content.scorm.model`);
                report: what its author should know (tool, warnings, what it needs of a network)
    assets      for each file by its path: kind "file", and one rendition of role "file" with its media type, digest and size

So bundles, deltas, garbage collection and comparisons know nothing of SCORM. Every file is in every bundle, whatever the
profile. Before: the checked outputs of an import. After: as for every manifest; `content.exports.imported`; the player.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Final, Protocol

from pydantic import ValidationError

from content.bundles.index import MAX_FILES
from content.canonical import canonical, parse_rfc3339
from content.drafts.languages import direction, is_language_tag
from content.errors import ContentError
from content.media.renditions import Rendition
from content.media_types import media_type
from content.packages.manifest import MAX_BYTES, SCORM, SHAPE, Manifest
from content.scorm.model import Course, course_from

ROLE: Final = "file"
RECIPE: Final = "imported"
TOOLCHAIN: Final = "import/1"
UNKNOWN_LANGUAGE: Final = "und"
"""BCP 47 for a language that nothing tells."""
_REPORTED: Final = ("tool", "warnings", "offline")
# Of an index, which also holds the manifest.
MOST_FILES: Final = MAX_FILES - 1


class Told(Protocol):
    """The report of an import."""

    def document(self) -> Mapping[str, Any]:
        """As JSON carries it."""
        ...


@dataclass(frozen=True)
class ImportSource:
    """Where a package came from. `digest` and `size_bytes` are of the zip as it was uploaded, `imported_at` is RFC 3339."""

    course_id: str
    import_id: str
    digest: str
    size_bytes: int
    file_name: str
    imported_at: str


@dataclass(frozen=True)
class StoredFile:
    """A file of the package, as it is stored."""

    digest: str
    size_bytes: int


def scorm_manifest(
    *,
    tenant: str,
    package_id: str,
    version: int,
    source: ImportSource,
    course: Course,
    report: Told,
    files: Mapping[str, StoredFile],
) -> Manifest:
    """The manifest of one imported version; the same bytes for the same arguments.

    `files` are all files of the package by their paths. Raises ContentError `package-too-many-files`, `package-too-large` for
    one that no bundle could hold, `bad-time`.
    """
    parse_rfc3339(source.imported_at)
    if len(files) > MOST_FILES:
        message = f"The package has {len(files):,} files; a bundle holds {MOST_FILES:,}."
        raise ContentError("package-too-many-files", message, "Pack what belongs together into fewer files.")
    told = report.document()
    manifest = Manifest(
        {
            "type": "manifest",
            "shape": SHAPE,
            "kind": SCORM,
            "tenant": tenant,
            "package_id": package_id,
            "version": version,
            "source": asdict(source),
            "inputs": {},
            "toolchain": TOOLCHAIN,
            "metadata": _metadata(course, source),
            "structure": {
                "scorm": course.document(),
                # Lists where a report has tuples, as they are once it was read again.
                "report": {name: json.loads(canonical(told[name])) for name in _REPORTED if told.get(name) is not None},
            },
            "assets": {path: _asset(path, file) for path, file in files.items()},
        }
    )
    if (size := len(manifest.to_bytes())) > MAX_BYTES:
        message = f"The list of the package's files and items takes {size >> 20} MiB; {MAX_BYTES >> 20} are possible."
        raise ContentError("package-too-large", message, "Split the package, or use fewer files and shorter names.")
    return manifest


def course_of(manifest: Manifest) -> Course:
    """The course of an imported package. Raises ContentError `manifest-invalid`."""
    try:
        # Through JSON's own rules: what is a list there is a tuple here.
        return course_from(manifest.document["structure"]["scorm"])
    except (KeyError, ValidationError) as error:
        raise ContentError("manifest-invalid", "This is no manifest of an imported package.") from error


def files_of(manifest: Manifest) -> dict[str, StoredFile]:
    """The files of an imported package by their paths. Raises ContentError `manifest-invalid`."""
    found: dict[str, StoredFile] = {}
    for path in manifest.document["assets"]:
        only = manifest.renditions(path)
        if len(only) != 1 or only[0].role != ROLE:
            raise ContentError("manifest-invalid", f"“{path}” is no file of an imported package.")
        found[path] = StoredFile(only[0].digest, only[0].size_bytes)
    return found


def languages_of(course: Course) -> tuple[str, ...]:
    """The languages of a package: one, as its metadata says it."""
    return (course.language if is_language_tag(course.language) else UNKNOWN_LANGUAGE,)


def _metadata(course: Course, source: ImportSource) -> dict[str, Any]:
    (language,) = languages_of(course)
    return {
        "title": {language: _title(course, source)},
        "description": {language: course.description},
        "language": language,
        "languages": [{"tag": language, "direction": direction(language)}],
        "license": None,
        "authors": [],
        "keywords": list(course.keywords),
    }


def _title(course: Course, source: ImportSource) -> str:
    """What the course is called; if nothing in it says so, its file is."""
    played = next((each.title for each in course.organizations if each.identifier == course.default), "")
    return course.title or played or PurePosixPath(source.file_name).stem or course.identifier or source.course_id


def _asset(path: str, file: StoredFile) -> dict[str, Any]:
    rendition = Rendition(ROLE, RECIPE, media_type(path), file.digest, file.size_bytes)
    return {"kind": "file", "renditions": [rendition.as_dict()]}
