"""Every odd zip of the table is taken: with all its files, under their right names, and told about no more than is due."""

from __future__ import annotations

import io

import pytest

from content.scorm.archive import open_archive, read_canonical, stream_canonical, verify, write_canonical
from content.scorm.findings import Findings
from content.scorm.limits import ImportLimits
from tests.content.scorm.odd_zips import ODD
from tests.content.scorm.packages import opened, shared_packages


@pytest.mark.parametrize("name", ODD)
def test_is_taken(name: str):
    odd = ODD[name]
    found = Findings()
    archive = open_archive(io.BytesIO(odd.build()), ImportLimits(), found)
    verify(archive, found)
    assert set(archive.entries) == set(odd.paths)
    assert archive.root == odd.root
    assert {each.code for each in found.warnings} == odd.codes
    out = io.BytesIO()
    written = write_canonical(archive, out)
    assert read_canonical(out, ImportLimits()) == written
    assert [b"".join(stream_canonical(out, each)) for each in written] == [
        b"".join(archive.stream(path)) for path in sorted(archive.entries, key=str.encode)
    ]


def test_a_manifest_in_upper_case_is_found():
    archive = opened(ODD["manifest in upper case in a folder"].build())
    found = archive.find("imsmanifest.xml")
    assert found is not None
    assert (found.path, found.how) == ("IMSMANIFEST.XML", "case")


@pytest.mark.parametrize("path", [pytest.param(each, id=each.name) for each in shared_packages()])
def test_real_packages_are_taken(path):
    found = Findings()
    with path.open("rb") as file:
        archive = open_archive(file, ImportLimits(), found)
        out = io.BytesIO()
        written = write_canonical(archive, out)
    assert not found.warnings
    assert read_canonical(out, ImportLimits()) == written
