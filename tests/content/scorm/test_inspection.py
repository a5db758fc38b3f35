"""A whole package through its inspection: several reasons at once, the canonical zip, shares, and whatever mutation finds."""

from __future__ import annotations

import io
import json
from random import Random

import pytest

from content.scorm.archive import read_canonical
from content.scorm.findings import Findings
from content.scorm.inspect import inspect_package
from content.scorm.limits import ImportLimits
from content.scorm.model import parse_course
from content.scorm.outside import outside
from content.scorm.report import describe, parse_report
from tests.content.scorm import fuzz_manifests, fuzz_zips
from tests.content.scorm.packages import INDEX, Raw, manifest_12, package_files, raw_package, raw_zip, zip_of

LIMITS = ImportLimits()


def inspected(data: bytes):
    return inspect_package(io.BytesIO(data), LIMITS)


def test_what_is_damaged_is_told_together_with_the_rest():
    data = raw_zip(raw_package(Raw(b"a.html", INDEX, crc=1), Raw(b"b.html", INDEX, crc=2), Raw(b"c.swf", b"x")))
    report = inspected(data).report
    assert [(each.code, each.place) for each in report.errors] == [
        ("zip-checksum", "a.html"),
        ("zip-checksum", "b.html"),
    ]
    assert not report.accepted and report.edition == "1.2" and "flash" in {each.code for each in report.offline}


def test_a_damaged_file_is_found_while_the_canonical_zip_is_written_too():
    out = io.BytesIO()
    found = inspect_package(io.BytesIO(raw_zip(raw_package(Raw(b"a.bin", INDEX, crc=1)))), LIMITS, canonical=out)
    assert [each.code for each in found.report.errors] == ["zip-checksum"] and (found.course, found.files) == (None, ())


def test_a_package_without_a_course_is_looked_through_all_the_same():
    data = raw_zip([Raw(b"readme.html", INDEX), Raw(b"a.html", INDEX, crc=1)])
    report = inspect_package(io.BytesIO(data), LIMITS, canonical=io.BytesIO()).report
    assert "zip-checksum" in {each.code for each in report.errors} and len(report.errors) > 1
    assert report.sizes is not None and report.sizes.files == 2


def test_the_same_is_said_with_and_without_a_canonical_zip():
    data = zip_of(
        package_files(
            **{"a.html": '<script src="https://cdn.example.com/a.js"></script>', "b.bin": Random(1).randbytes(3 << 20)}
        )
    )
    out, shares, more = io.BytesIO(), list[float](), list[float]()
    both = inspect_package(io.BytesIO(data), LIMITS, canonical=out, on_share=shares.append)
    assert both.report == inspect_package(io.BytesIO(data), LIMITS, on_share=more.append).report
    for told in (shares, more):
        assert told == sorted(told) and told[-1] == 1.0
    assert read_canonical(out, LIMITS) == both.files


UNSAFE = (
    "javascript:alert(1)", "/javascript:alert(1)", "./javascript:alert(1)", "a/../javascript:alert(1)", " /javascript:alert(1)",
    "java&#9;script:alert(1)", "/data:text/html,x", "./file:///etc/passwd", "vbscript:x", "blob:x",
)  # fmt: skip


@pytest.mark.parametrize("href", UNSAFE)
def test_no_launch_is_a_script_however_it_is_written(href: str):
    report = inspected(zip_of(package_files(**{"imsmanifest.xml": manifest_12(href=href)}))).report
    assert not report.accepted and not report.launch
    assert report.edition == "1.2"  # a refusal tells what it was, too


def test_words_of_every_language_are_told_as_they_are():
    found = Findings()
    found.warn("x", "می\u200cروم\u00a0ما", "l\u0027\u00a0été\u3000\x1b[2J\u202e")
    assert [(each.place, each.message) for each in found.warnings] == [
        ("می\u200cروم ما", "l' été \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}")
    ]


def checked(data: bytes) -> bool:
    """Whether it was accepted; all that holds for whatever comes out."""
    out = io.BytesIO()
    found = inspect_package(io.BytesIO(data), LIMITS, canonical=out)
    assert parse_report(found.report.in_json()) == found.report
    if found.course is None:
        assert found.report.errors and not found.report.accepted
        return False
    assert found.report.accepted and outside(found.course) == []
    course = parse_course(json.dumps(found.course.document(), ensure_ascii=False).encode("utf-8", "replace"))
    assert course == found.course
    told = found.report.document()
    assert all(json.dumps(told[name]) == json.dumps(value, default=vars) for name, value in describe(course).items())
    assert found.report.sizes is not None and len(read_canonical(out, LIMITS)) == found.report.sizes.files
    return True


def test_whatever_a_manifest_becomes_it_is_refused_by_name_or_read_soundly():
    ends = [
        checked(zip_of(fuzz_manifests.mutated(Random(n).choice(fuzz_manifests.SEEDS), Random(n)))) for n in range(400)
    ]
    assert len(set(ends)) == 2, "both ends were seen"


def test_whatever_a_zip_becomes_it_is_refused_by_name_or_read_soundly():
    seeds, chance = fuzz_zips.seeds(), Random(7)
    ends = [checked(fuzz_zips.mutated(chance.choice(seeds), seeds, chance)) for _ in range(400)]
    assert len(set(ends)) == 2, "both ends were seen"
