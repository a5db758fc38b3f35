"""A package as a course, by the first of the documents that it has: imsmanifest.xml, cmi5.xml, tincan.xml, AICC's .crs."""

from __future__ import annotations

from content.scorm.archive import Archive
from content.scorm.course.aicc import read_aicc
from content.scorm.course.cmi5 import read_cmi5
from content.scorm.course.manifest import read_manifest
from content.scorm.course.others import refusal
from content.scorm.course.tincan import read_tincan
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.model import Course

_FOREIGN = ("moodle_backup.xml", "h5p.json", "meta-inf/container.xml", "[content_types].xml")


def read_course(archive: Archive, limits: ImportLimits, found: Findings) -> Course:
    """Raises PackageRefused, with every reason that could be told, for what is no course or must not be opened."""
    at_top = {path.lower(): path for path in archive.entries if "/" not in path}
    if manifest := at_top.get("imsmanifest.xml"):
        return read_manifest(archive, manifest, limits, found)
    if structure := at_top.get("cmi5.xml"):
        return read_cmi5(archive, structure, limits, found)
    if activities := at_top.get("tincan.xml"):
        return read_tincan(archive, activities, limits, found)
    if not any(path.lower() in _FOREIGN for path in archive.entries):
        if manifest := _only(archive, "imsmanifest.xml"):
            return read_manifest(archive, manifest, limits, found)
        if courses := sorted((path for path in archive.entries if path.lower().endswith(".crs")), key=_depth):
            return read_aicc(archive, courses[0], limits, found)
    raise refusal(archive, found)


def _only(archive: Archive, name: str) -> str:
    """The one that lies less deep than all others of its name, if there is one."""
    paths = sorted((path for path in archive.entries if path.lower().rpartition("/")[2] == name), key=_depth)
    alone = len(paths) == 1 or (len(paths) > 1 and _depth(paths[0])[0] < _depth(paths[1])[0])
    return paths[0] if alone else ""


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path
