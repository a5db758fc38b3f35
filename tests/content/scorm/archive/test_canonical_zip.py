"""The layout that leaves the sandbox: written one way, and read by a reader that takes no other."""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from content.errors import ContentError
from content.scorm.archive import read_canonical, stream_canonical, write_canonical
from content.scorm.archive.canonical_layout import CanonicalFile, central_header, end_records, local_header
from content.scorm.limits import ImportLimits
from tests.content.scorm.packages import opened, package_files, zip_of

LIMITS = ImportLimits()
FILES = {**package_files(), "b.bin": random.Random(2).randbytes(1_280_000), "a/Ж.html": b"", "a.html": b"x"}
Change = Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]


def canonical() -> bytes:
    out = io.BytesIO()
    write_canonical(opened(zip_of(FILES)), out)
    return out.getvalue()


def put_together(files: list[tuple[str, bytes]], *, gap: bytes = b"", before: bytes = b"") -> bytes:
    """In this layout, and yet not what the writer would write."""
    out, central = bytearray(before), bytearray()
    for name, data in files:
        crc, at = zlib.crc32(data), len(out)
        raw = name.encode("utf-8", "surrogateescape")
        out += local_header(raw, crc, len(data)) + data + gap
        central += central_header(raw, crc, len(data), at)
    return bytes(out + central + end_records(len(files), len(central), len(out)))


def refusal(data: bytes, limits: ImportLimits = LIMITS) -> str:
    with pytest.raises(ContentError) as refused:
        read_canonical(io.BytesIO(data), limits)
    assert refused.value.code == "canonical-zip"
    return refused.value.message


def test_the_layout():
    data = canonical()
    files = read_canonical(io.BytesIO(data), LIMITS)
    assert [each.path for each in files] == ["a.html", "a/Ж.html", "b.bin", "imsmanifest.xml", "index.html"]
    assert data == put_together([(each.path, _of(FILES[each.path])) for each in files])
    for each in files:
        assert data[each.offset : each.offset + each.size_bytes] == _of(FILES[each.path])
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        assert {each.compress_type for each in other.infolist()} == {zipfile.ZIP_STORED}
        assert {each.date_time for each in other.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_same_files_make_the_same_bytes():
    other = io.BytesIO()
    write_canonical(opened(zip_of(dict(reversed(list(FILES.items()))), deflated=False, comment=b"other")), other)
    assert other.getvalue() == canonical()


def test_shares_grow_to_one():
    shares: list[float] = []
    write_canonical(opened(zip_of(FILES)), io.BytesIO(), on_share=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert 2 <= len(shares) <= 110
    assert all(0 < each < 1 for each in shares[:-1])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(put_together([("b", b"1"), ("a", b"2")]), id="not sorted"),
        pytest.param(put_together([("a", b"1"), ("a", b"2")]), id="twice"),
        pytest.param(put_together([("A", b"1"), ("a", b"2")]), id="twice by case"),
        pytest.param(put_together([("a", b"1"), ("a/b", b"2")]), id="file and folder"),
        pytest.param(put_together([("../a", b"1")]), id="parent"),
        pytest.param(put_together([("/a", b"1")]), id="absolute"),
        pytest.param(put_together([("a\\b", b"1")]), id="backslash"),
        pytest.param(put_together([("./a", b"1")]), id="dots"),
        pytest.param(put_together([("a/", b"")]), id="folder"),
        pytest.param(put_together([("", b"1")]), id="no name"),
        pytest.param(put_together([("cafe\u0301", b"1")]), id="another Unicode form"),
        pytest.param(put_together([("a\0", b"1")]), id="NUL"),
        pytest.param(put_together([("nul.html", b"1")]), id="reserved"),
        pytest.param(put_together([("a\udcff", b"1")]), id="no UTF-8"),
        pytest.param(put_together([("n" * 513, b"1")]), id="long name"),
        pytest.param(put_together([("d/" * 32 + "x", b"1")]), id="deep"),
        pytest.param(put_together([("a", b"1")], gap=b"\0"), id="gap"),
        pytest.param(put_together([("a", b"1")], before=b"\0"), id="prefix"),
        pytest.param(put_together([("a", b"1")]) + b"\0", id="trailing byte"),
        pytest.param(put_together([]), id="empty"),
        pytest.param(zip_of({"a": b"1"}, deflated=False), id="as Python writes it"),
        pytest.param(zip_of({"a": b"1"}, comment=b"x"), id="comment"),
        pytest.param(b"", id="0 bytes"),
        pytest.param(bytes(22), id="zeros"),
    ],
)
def test_no_other_layout_is_taken(data: bytes):
    assert refusal(data)


@pytest.mark.parametrize(
    "limits",
    [
        replace(LIMITS, entries=4),
        replace(LIMITS, file_bytes=100_000),
        replace(LIMITS, unpacked_bytes=1_000_000),
        replace(LIMITS, name_bytes=10),
        replace(LIMITS, name_depth=1),
    ],
)
def test_limits_are_checked_again(limits: ImportLimits):
    assert refusal(canonical(), limits)


def test_every_cut_is_refused():
    data = put_together([("a", b"12345"), ("b", b"6")])
    for size in range(len(data)):
        assert refusal(data[:size])


def test_hostile_names_are_not_shown_as_they_are():
    assert "\x1b" not in refusal(put_together([("a\x1b[31m", b"1")]))


def test_changed_contents_are_refused_at_their_end():
    data = bytearray(canonical())
    files = {each.path: each for each in read_canonical(io.BytesIO(bytes(data)), LIMITS)}
    data[files["b.bin"].offset + 5] ^= 1
    with pytest.raises(ContentError, match="checksum"):
        for piece in stream_canonical(io.BytesIO(bytes(data)), files["b.bin"]):
            assert len(piece) <= 1 << 20


def test_a_file_that_shrank_is_refused():
    with pytest.raises(ContentError, match="ends early"):
        list(stream_canonical(io.BytesIO(b"123"), CanonicalFile("a", 0, 4, 0)))


def _of(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data
