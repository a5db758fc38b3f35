"""Imported packages made into sites, as a browser gets them; and playing them in Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cluster import player
from cluster.edge.edge_rules import IMPORTED_CSP
from content.canonical import digest
from content.drafts import parse as parse_draft
from content.exports import Entry, Options, Stored, plan_export
from content.exports.imported.site import CONTENT, site_files
from content.packages import Embedded, Manifest, Source, build_manifest
from content.packages.embedded import course_document
from content.scorm.archive import open_archive
from content.scorm.course import read_course
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.package import StoredFile, scorm_manifest
from tests.content.scorm.imported import SOURCE, TOLD
from tests.player.node import ROOT, node

SHARED = ROOT.parent / "shared" / "scorm"
EMBEDDED = "pkg_00000000000000000000000008"
POLICY = f"{IMPORTED_CSP}; frame-ancestors 'self'"
"""As the edge has it."""


def shared(name: str) -> Path:
    """A package of the material that is not part of this repository."""
    for found in SHARED.glob(f"*/{name}.zip"):
        return found
    return pytest.skip(f"{SHARED} has no {name}.zip")


def imported(package: Path, package_id: str) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of a package, and its files by path."""
    found, limits = Findings(), ImportLimits()
    with package.open("rb") as file:
        archive = open_archive(file, limits, found)
        course = read_course(archive, limits, found)
        files = {path: b"".join(archive.stream(path)) for path in archive.entries}
    manifest = scorm_manifest(
        tenant="acme", package_id=package_id, version=1, source=SOURCE, course=course, report=TOLD,
        files={path: StoredFile(digest(data), len(data)) for path, data in files.items()},
    )  # fmt: skip
    return manifest, files


def site(package: Path, folder: Path, package_id: str) -> None:
    """The package, imported and exported as a site below `folder`."""
    manifest, files = imported(package, package_id)
    if manifest.document["structure"]["scorm"]["edition"] in ("cmi5", "tincan"):
        # No site is made of these; in a bundle they are shown.
        entries = [Entry(path, data) for path, data in site_files(course_document(manifest), player.load()).items()]
        entries += [Entry(f"{CONTENT}{path}", data) for path, data in files.items()]
    else:
        entries = list(plan_export(manifest, Options("html"), player.load()).entries)
    write(entries, files.values(), folder)


def course_with(package: Path, folder: Path, options: Options) -> None:
    """A course of a text and that package, exported."""
    theirs, files = imported(package, EMBEDDED)
    blocks = [
        {"type": "text", "id": "t1", "text": {"en": "Now play."}},
        {"type": "embed", "id": "e1", "package": EMBEDDED, "title": {"en": "Golf"}},
    ]
    draft = parse_draft(
        {"language": "en", "title": {"en": "A course with golf"}, "description": {"en": "For tests"}, "license": "CC-BY-4.0",
         "units": [{"id": "u1", "title": {"en": "One"}, "blocks": blocks}]}
    )  # fmt: skip
    manifest = build_manifest(
        tenant="acme", package_id="pkg_00000000000000000000000009", version=1, draft=draft,
        source=Source("course-9", "draft-9", 1, digest(b"draft"), "2026-11-26T10:00:00Z"), assets={},
        listing={"policy": "device"}, assistant=None, toolchain="tools", packages={EMBEDDED: Embedded(theirs)},
    )  # fmt: skip
    write(plan_export(manifest, options, player.load()).entries, files.values(), folder)


def write(entries: Iterable[Entry], files: Iterable[bytes], folder: Path) -> None:
    """An export, unzipped; `files` are what it stores."""
    blobs = {digest(data): data for data in files}
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
