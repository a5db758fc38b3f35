"""What another program packs (Info-ZIP's `zip`, where it is installed) is taken, or refused for what was asked of it."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from content.scorm.archive import open_archive, verify
from content.scorm.findings import Findings, PackageRefused
from content.scorm.limits import ImportLimits
from tests.content.scorm.packages import package_files

ZIP = shutil.which("zip")
pytestmark = pytest.mark.skipif(ZIP is None, reason="zip is not installed")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    folder = tmp_path / "course"
    (folder / "ä").mkdir(parents=True)
    for name, text in package_files().items():
        (folder / name).write_text(str(text))
    (folder / "ä" / "Урок 1.html").write_text("<p>A page</p>" * 50)
    (folder / "ä" / "noise.bin").write_bytes(random.Random(3).randbytes(200_000))
    return folder


def zipped(course: Path, *options: str) -> bytes:
    path = course.parent / "course.zip"
    subprocess.run([str(ZIP), "-q", *options, str(path), "-r", "."], cwd=course, check=True)
    return path.read_bytes()


@pytest.mark.parametrize("options", [[], ["-0"], ["-9"], ["-fz"], ["-X"], ["-D"]], ids=str)
def test_is_taken(course: Path, options: list[str]):
    look_through(zipped(course, *options), course)


def test_a_stream_is_taken(course: Path):
    data = subprocess.run([str(ZIP), "-q", "-r", "-", "."], cwd=course, check=True, stdout=subprocess.PIPE).stdout
    look_through(data, course)


def test_what_was_changed_later_is_taken(course: Path):
    zipped(course)
    (course / "index.html").write_text("<p>Another</p>")
    later = (course / "index.html").stat().st_mtime + 100  # zip looks at times, which have steps of 2 s
    os.utime(course / "index.html", (later, later))
    subprocess.run([str(ZIP), "-q", "-f", "../course.zip", "index.html"], cwd=course, check=True)
    subprocess.run([str(ZIP), "-q", "-d", "../course.zip", "ä/noise.bin"], cwd=course, check=True)
    (course / "ä" / "noise.bin").unlink()
    look_through((course.parent / "course.zip").read_bytes(), course)


@pytest.mark.parametrize(
    ("options", "code"),
    [(["-y"], "zip-link"), (["-P", "secret"], "zip-encrypted"), (["-s", "64k"], "zip-disks"), (["-Z", "bzip2"], "zip-method")],
    ids=str,
)  # fmt: skip
def test_is_refused(course: Path, options: list[str], code: str):
    (course / "link.html").symlink_to("index.html")
    try:
        data = zipped(course, *options)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this zip was built without {options}: {error}")
    with pytest.raises(PackageRefused) as refused:
        open_archive(io.BytesIO(data), ImportLimits(), Findings())
    assert {each.code for each in refused.value.errors} == {code}


def test_a_self_extracting_one_is_refused_by_name(course: Path):
    with pytest.raises(PackageRefused) as refused:
        open_archive(io.BytesIO(b"MZ\x90" + bytes(range(256)) + zipped(course)), ImportLimits(), Findings())
    assert "Windows program" in refused.value.message


def look_through(data: bytes, course: Path) -> None:
    """Exactly the folder's files are in it."""
    found = Findings()
    archive = open_archive(io.BytesIO(data), ImportLimits(), found)
    verify(archive, found)
    files = {path.relative_to(course).as_posix(): path.read_bytes() for path in course.rglob("*") if path.is_file()}
    assert {path: archive.read(path, 1 << 20) for path in archive.entries} == files
    assert not found.warnings
