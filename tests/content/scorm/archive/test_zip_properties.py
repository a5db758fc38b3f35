"""Whatever others pack is unpacked as it was; whatever is broken is refused and nothing else."""

from __future__ import annotations

import io
import unicodedata
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from content.errors import ContentError
from content.scorm.archive import open_archive, read_canonical, stream_canonical, verify, write_canonical
from content.scorm.archive.lookup import caseless
from content.scorm.archive.names import clean_path
from content.scorm.archive.tree import is_junk
from content.scorm.findings import Findings, PackageRefused
from content.scorm.limits import ImportLimits
from tests.content.scorm.packages import opened, zip_of

LIMITS = ImportLimits()
SEGMENTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=12)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
FILES = st.dictionaries(PATHS, st.binary(max_size=300), min_size=1, max_size=8)


def may_stand(files: dict[str, bytes]) -> bool:
    """Whether all names are sound, and none in the way of another."""
    keys = [caseless(path) for path in files]
    folders = {key[:at] for key in keys for at, letter in enumerate(key) if letter == "/"}
    return (
        len(set(keys)) == len(keys)
        and not folders & set(keys)
        and all(clean_path(path, LIMITS, Findings()) == unicodedata.normalize("NFC", path) for path in files)
        and not any(is_junk(path) for path in files)
    )


def not_on_windows(path: str) -> bool:
    """Whether a name stays as it is, and is told of each time."""
    return bool(set('?*"<>|') & set(path))


@given(FILES.filter(may_stand), st.booleans(), st.binary(max_size=20))
def test_what_python_packs_comes_back(files: dict[str, bytes], deflated: bool, comment: bytes):
    archive = opened(zip_of({**files, "imsmanifest.xml": b"<manifest/>"}, deflated=deflated, comment=comment))
    expected = {unicodedata.normalize("NFC", path): data for path, data in files.items()}
    assert {path: archive.read(path, 1000) for path in archive.entries if path != "imsmanifest.xml"} == expected
    out = io.BytesIO()
    written = write_canonical(archive, out)
    assert read_canonical(out, LIMITS) == written
    canonical = {each.path: b"".join(stream_canonical(out, each)) for each in written}
    assert canonical == {**expected, "imsmanifest.xml": b"<manifest/>"}
    with zipfile.ZipFile(out) as other:
        assert other.testzip() is None
        assert {each.filename: other.read(each) for each in other.infolist()} == canonical


@given(FILES.filter(may_stand))
def test_a_canonical_zip_opens_like_any_other_and_stays_the_same(files: dict[str, bytes]):
    first, second = io.BytesIO(), io.BytesIO()
    write_canonical(opened(zip_of({**files, "imsmanifest.xml": b"x"})), first)
    found = Findings()
    write_canonical(open_archive(first, LIMITS, found), second)
    assert first.getvalue() == second.getvalue()
    assert bool(found.warnings) == any(map(not_on_windows, files))
    assert all(each.code == "zip-name-characters" for each in found.warnings)


@given(st.text(max_size=40))
@example("a/../b")
@example("./what?/<b>")
@example("%2e%2e/b")
@example("K/ﬁ\u0301/ΐ")
def test_a_clean_path_is_clean(name: str):
    found = Findings()
    path = clean_path(name, LIMITS, found)
    assert (path is None) == bool(found.errors)
    assert path or path is None or not name.strip("./\\")
    if path:
        again = Findings()
        assert clean_path(path, LIMITS, again) == path
        assert not again.errors
        assert [each.code for each in again.warnings] == ["zip-name-characters"] * not_on_windows(path)
        assert not {"", ".", ".."} & set(path.split("/"))
        assert not set("\\\0:\u202e\u2066") & set(path)
        assert all(len(segment.encode()) <= 255 for segment in path.split("/"))


@given(st.binary(max_size=400))
@example(b"PK\5\6" + bytes(18))
@example(b"PK\5\6" + b"\xff" * 18)
@example(b"PK\6\6" + b"\xff" * 52 + b"PK\6\7" + b"\xff" * 16 + b"PK\5\6" + b"\xff" * 16 + b"\0\0")
def test_any_bytes_are_refused_or_read(data: bytes):
    with pytest.raises(PackageRefused) as refused:
        opened(data)
    assert refused.value.errors
    with pytest.raises(ContentError) as canonical:
        read_canonical(io.BytesIO(data), LIMITS)
    assert canonical.value.code == "canonical-zip"


@given(FILES.filter(may_stand), st.data())
def test_no_byte_of_a_canonical_zip_can_change(files: dict[str, bytes], data: st.DataObject):
    out = io.BytesIO()
    write_canonical(opened(zip_of({**files, "imsmanifest.xml": b"x"})), out)
    broken = bytearray(out.getvalue())
    at = data.draw(st.integers(0, len(broken) - 1))
    broken[at] ^= data.draw(st.integers(1, 255))
    changed = io.BytesIO(bytes(broken))
    with pytest.raises(ContentError) as refused:
        for each in read_canonical(changed, LIMITS):
            for _ in stream_canonical(changed, each):
                pass
    assert refused.value.code == "canonical-zip"


@given(FILES.filter(may_stand), st.data())
def test_no_byte_of_a_file_can_change_unseen(files: dict[str, bytes], data: st.DataObject):
    """What is not refused has every file as it was: only what is no content (times, comments) may differ."""
    packed = zip_of({**files, "imsmanifest.xml": b"<manifest/>"}, deflated=data.draw(st.booleans()))
    before = opened(packed)
    broken = bytearray(packed)
    at = data.draw(st.integers(0, len(broken) - 1))
    broken[at] ^= data.draw(st.integers(1, 255))
    try:
        found = Findings()
        archive = open_archive(io.BytesIO(bytes(broken)), LIMITS, found)
        verify(archive, found)
    except PackageRefused as refused:
        assert refused.errors
        return
    contents = sorted(before.read(path, 1000) for path in before.entries)
    after = sorted(archive.read(path, 1000) for path in archive.entries)
    assert after == contents or len(after) < len(
        contents
    )  # a file may have become a folder's entry or a system's leftover
