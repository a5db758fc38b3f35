"""Every hostile zip of the table is refused, for its own reasons and no other, before or while it is unpacked."""

from __future__ import annotations

import io

import pytest

from content.scorm.archive import open_archive, verify, write_canonical
from content.scorm.findings import Findings, PackageRefused
from content.scorm.limits import ImportLimits
from tests.content.scorm.hostile_zips import HOSTILE, Case, sound_package
from tests.content.scorm.packages import opened


def reasons(case: Case) -> Findings:
    found = Findings()
    data = case.build()
    if case.unpacked:
        archive = open_archive(io.BytesIO(data), case.limits, found)
        with pytest.raises(PackageRefused) as refused:
            write_canonical(archive, io.BytesIO())
        assert {each.code for each in refused.value.errors} == case.codes
        with pytest.raises(PackageRefused):
            verify(archive, found)
    else:
        with pytest.raises(PackageRefused) as refused:
            open_archive(io.BytesIO(data), case.limits, found)
        assert tuple(found.errors) == refused.value.errors
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_is_refused_for_its_reason(name: str):
    case = HOSTILE[name]
    found = reasons(case)
    assert {each.code for each in found.errors} == case.codes
    assert case.reasons in (0, len(found.errors))
    assert case.says in " ".join(each.message for each in found.errors)
    assert all(each.message.endswith((".", ")")) for each in found.errors)


def test_nothing_else_is_wrong_with_them():
    found = Findings()
    verify(opened(sound_package(), found=found), found)
    assert not found.warnings


def test_several_reasons_are_told_at_once():
    names = ("CON", "parent", "link", "LZMA", "twice by case", "local size differs")
    from tests.content.scorm.packages import Raw, raw_package, raw_zip

    entries = [
        Raw(b"CON", b"1"),
        Raw(b"../x", b"2"),
        Raw(b"link", b"3", attributes=0o120777 << 16),
        Raw(b"lzma", b"4", method=14),
        Raw(b"INDEX.html", b"5"),
        Raw(b"size", b"6", local_size=9),
    ]
    with pytest.raises(PackageRefused) as refused:
        opened(raw_zip(raw_package(*entries)), limits=ImportLimits())
    assert {each.code for each in refused.value.errors} == {code for name in names for code in HOSTILE[name].codes}
    assert "5 more reasons" in refused.value.message
