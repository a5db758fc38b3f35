"""What a zip is that holds no course, by the name its author knows, and what to do about it."""

from __future__ import annotations

from content.scorm.archive import Archive
from content.scorm.findings import Findings, PackageRefused

_EXPORT = "In the tool that made it, export the course as SCORM and import that."
_OFFICE = {"word/": "a Word document", "ppt/": "a PowerPoint presentation", "xl/": "an Excel workbook"}


def refusal(archive: Archive, found: Findings) -> PackageRefused:
    """Why nothing in it can be imported."""
    code, place, what = _named(archive)
    found.error(code, place, what)
    return found.refuse()


def _named(archive: Archive) -> tuple[str, str, str]:
    paths = {path.lower(): path for path in archive.entries}
    names = set(paths)
    if "moodle_backup.xml" in names or "moodle.xml" in names:
        return "moodle-backup", "moodle_backup.xml", f"This is a backup of a Moodle course, not a package. {_EXPORT}"
    if "h5p.json" in names:
        return "h5p", "h5p.json", "This is H5P content. Make a SCORM package of it (Lumi does) and import that."
    if "meta-inf/container.xml" in names:
        return "epub", "META-INF/container.xml", f"This is an EPUB book, not a course. {_EXPORT}"
    if "[content_types].xml" in names:
        kind = next(
            (kind for start, kind in _OFFICE.items() if any(n.startswith(start) for n in names)), "an Office file"
        )
        return "office-document", "[Content_Types].xml", f"This is {kind}, not a course. {_EXPORT}"
    if "content.xml" in names and "meta-inf/manifest.xml" in names:
        return "office-document", "content.xml", f"This is an OpenDocument file, not a course. {_EXPORT}"
    if "assessmenttest.xml" in names or any("questestinterop" in name for name in names):
        return "qti", "", "This is a package of questions (QTI), not a course. Import it where questions are kept."
    nested = sorted(path for name, path in paths.items() if name.endswith("imsmanifest.xml"))
    if nested:
        some = ", ".join(nested[:5])
        return "several-packages", nested[0], f"There are several packages in one zip ({some}). Import each on its own."
    zips = sorted(path for name, path in paths.items() if name.endswith((".zip", ".pif")))
    if zips:
        message = (
            f"There is no manifest, but a zip in the zip ({zips[0]}). Unpack the outer one and import what is inside."
        )
        return "nested-zip", zips[0], message
    if not names:
        return "no-manifest", "", f"The package is empty. {_EXPORT}"
    if any(name.endswith((".html", ".htm")) for name in names):
        return "web-site", "", f"These are the files of a web site without a manifest (imsmanifest.xml). {_EXPORT}"
    return "no-manifest", "", f"There is no manifest (imsmanifest.xml, cmi5.xml, tincan.xml or AICC's .crs). {_EXPORT}"
