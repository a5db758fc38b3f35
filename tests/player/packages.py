"""Imported packages made into sites, as a browser gets them; and playing them in Chromium."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster import player
from content.scorm.archive import open_archive
from content.scorm.course import read_course
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from content.scorm.model import Course
from tests.player.node import PLAYER, ROOT, node

SHARED = ROOT.parent / "shared" / "scorm"
POLICY = (
    "sandbox allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads allow-pointer-lock; "
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'"
)


def shared(name: str) -> Path:
    """A package of the material that is not part of this repository."""
    for found in SHARED.glob(f"*/{name}.zip"):
        return found
    return pytest.skip(f"{SHARED} has no {name}.zip")


def site(package: Path, folder: Path, package_id: str) -> Course:
    """The package as a site below `folder`."""
    found, limits = Findings(), ImportLimits()
    with package.open("rb") as file:
        archive = open_archive(file, limits, found)
        course = read_course(archive, limits, found)
        for path in archive.entries:
            target = folder / "content" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"".join(archive.stream(path)))
    write(course, folder, package_id)
    return course


def write(course: Course, folder: Path, package_id: str, version: int = 1) -> None:
    """The page of a package whose files are there."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"shape": 1, "kind": "scorm", "package_id": package_id, "version": version, "scorm": course.document()}
    (folder / "course.js").write_text(f"globalThis.course = {json.dumps(document)};\n")
    page = (PLAYER / "pages" / "imported.html").read_text()
    script = '<script defer src="player-imported.js"></script>'
    (folder / "index.html").write_text(page.replace(script, f'<script defer src="course.js"></script>\n{script}'))
    ours = player.load()
    for name in ("player-imported.js", "player.css"):
        (folder / name).write_bytes(ours.get(name))


def play(jobs: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    """What Chromium recorded, by name. A job: `folder` of a site, and `play`, the name of what is done with it."""
    (folder / "jobs.json").write_text(json.dumps({"policy": POLICY, "jobs": jobs}))
    home = folder / "chromium"
    home.mkdir()
    return node("tests/play/imported.mjs", str(folder / "jobs.json"), TMPDIR=str(home), HOME=str(home))
