"""Imported packages made into sites, as a browser gets them; and playing them in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cluster import player
from cluster.local.edge_sites import IMPORTED_CSP
from content.canonical import digest
from content.exports import Entry, Options, Stored, plan_export
from content.exports.imported.site import CONTENT, site_files
from content.packages import Manifest
from content.packages.embedded import course_document
from content.scorm.archive import open_archive
from content.scorm.course import read_course
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.package import StoredFile, scorm_manifest
from tests.content.scorm.imported import SOURCE, TOLD
from tests.player.node import ROOT, node

SHARED = ROOT.parent / "shared" / "scorm"
POLICY = f"{IMPORTED_CSP}; frame-ancestors 'self'"
"""As the edge has it."""


def shared(name: str) -> Path:
    """A package of the material that is not part of this repository."""
    for found in SHARED.glob(f"*/{name}.zip"):
        return found
    return pytest.skip(f"{SHARED} has no {name}.zip")


def site(package: Path, folder: Path, package_id: str) -> Manifest:
    """The package, imported and exported as a site below `folder`."""
    found, limits = Findings(), ImportLimits()
    with package.open("rb") as file:
        archive = open_archive(file, limits, found)
        course = read_course(archive, limits, found)
        files = {path: b"".join(archive.stream(path)) for path in archive.entries}
    blobs = {digest(data): data for data in files.values()}
    manifest = scorm_manifest(
        tenant="acme", package_id=package_id, version=1, source=SOURCE, course=course, report=TOLD,
        files={path: StoredFile(digest(data), len(data)) for path, data in files.items()},
    )  # fmt: skip
    if course.edition in ("cmi5", "tincan"):  # no site is made of these; in a bundle they are shown
        entries = [Entry(path, data) for path, data in site_files(course_document(manifest), player.load()).items()]
        entries += [Entry(f"{CONTENT}{path}", data) for path, data in files.items()]
    else:
        entries = list(plan_export(manifest, Options("html"), player.load()).entries)
    write(entries, blobs, folder)
    return manifest


def write(entries: Iterable[Entry], blobs: Mapping[str, bytes], folder: Path) -> None:
    """An export, unzipped."""
    for entry in entries:
        path = folder / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blobs[entry.content.digest] if isinstance(entry.content, Stored) else entry.content)


def play(jobs: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    """What Chromium recorded, by name. A job: `folder` of a site, and `play`, the name of what is done with it."""
    node("build.mjs", str(folder))
    (folder / "around.html").write_text(
        '<!doctype html><title>Around</title><script type="module" src="around.js"></script>'
    )
    given = {"policy": POLICY, "jobs": jobs, "plain": str(folder), "shell": str(player.SHELL)}
    (folder / "jobs.json").write_text(json.dumps(given))
    home = folder / "chromium"
    home.mkdir()
    return node("tests/play/imported.mjs", str(folder / "jobs.json"), TMPDIR=str(home), HOME=str(home))
