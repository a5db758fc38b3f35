from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.canonical import digest
from content.errors import ContentError
from content.exports import archive
from content.exports.archive import archive_size, write_zip
from content.exports.entries import Entry, Stored

FILM = bytes(range(256)) * 40


def stored(data: bytes) -> Stored:
    return Stored(digest(data), len(data))


def read_from(*blobs: bytes):
    by_digest = {digest(blob): blob for blob in blobs}

    def read(wanted: Stored) -> Iterable[bytes]:
        blob = by_digest[wanted.digest]
        return [blob[at : at + 1000] for at in range(0, len(blob), 1000)]

    return read


class Forward(io.RawIOBase):
    """An output that cannot go back, as an upload."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.data += data
        return len(data)


ENTRIES = [Entry("index.html", b"<p>"), Entry("a/film.mp4", stored(FILM)), Entry("course.js", b"x" * 5000)]


def written(entries: list[Entry], *blobs: bytes) -> bytes:
    out = Forward()
    told = write_zip(entries, read_from(*blobs), out)  # type: ignore[arg-type]
    assert told == digest(bytes(out.data))
    return bytes(out.data)


def test_others_read_it():
    data = written(ENTRIES, FILM)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["a/film.mp4", "course.js", "index.html"]
        assert opened.read("a/film.mp4") == FILM
        for info in opened.infolist():
            assert (info.date_time, info.compress_type, info.flag_bits) == (
                (1980, 1, 1, 0, 0, 0),
                zipfile.ZIP_STORED,
                0,
            )
            assert info.external_attr >> 16 == 0o100644


def test_order_of_entries_does_not_matter():
    assert written(ENTRIES, FILM) == written(ENTRIES[::-1], FILM)


@given(st.dictionaries(st.from_regex(r"[a-z0-9/_.-]{1,30}", fullmatch=True), st.binary(max_size=50), max_size=20))
def test_size_is_foretold(files: dict[str, bytes]):
    entries = [Entry(path, content) for path, content in files.items()]
    data = written(entries)
    assert archive_size(entries) == len(data)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == files


def test_a_large_entry_is_read_twice_and_is_the_same(monkeypatch: pytest.MonkeyPatch):
    small = written(ENTRIES, FILM)
    reads: list[Stored] = []
    read = read_from(FILM)
    monkeypatch.setattr(archive, "BUFFER_BYTES", 1000)
    out = io.BytesIO()
    write_zip(ENTRIES, lambda wanted: (reads.append(wanted), read(wanted))[1], out)
    assert len(reads) == 2
    assert out.getvalue() == small


@pytest.mark.parametrize("given_", [FILM[:-1], FILM + b"x", FILM[:-1] + b"x", b""])
def test_other_bytes_than_promised_are_refused(given_: bytes, monkeypatch: pytest.MonkeyPatch):
    for buffer in (1 << 20, 1000):
        monkeypatch.setattr(archive, "BUFFER_BYTES", buffer)
        with pytest.raises(ContentError) as caught:
            write_zip(ENTRIES, lambda _: [given_], io.BytesIO())
        assert caught.value.code == "asset-damaged"


def test_names_of_any_letters_are_told_to_be_utf8():
    entries = [Entry("plain.txt", b"1"), Entry("é/Ünï 二.html", b"2", foreign=True)]
    out = io.BytesIO()
    write_zip(entries, read_from(), out)
    assert archive_size(entries) == len(out.getvalue())
    with zipfile.ZipFile(out) as file:
        assert {info.filename: info.flag_bits for info in file.infolist()} == {"plain.txt": 0, "é/Ünï 二.html": 0x800}
        assert file.testzip() is None


def test_two_of_one_name_are_refused():
    with pytest.raises(ContentError) as caught:
        archive_size([Entry("x", b"1"), Entry("x", b"2")])
    assert caught.value.code == "export-duplicate"


def test_more_entries_than_a_plain_zip_can_count():
    entries = [Entry(f"{at}", b"") for at in range(65536)]
    data = written(entries)
    assert archive_size(entries) == len(data)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert len(opened.namelist()) == 65536


@pytest.mark.slow
def test_more_bytes_than_a_plain_zip_can_hold(tmp_path):  # type: ignore[no-untyped-def]
    block, count = bytes(1 << 20), (4 << 10) + 1
    hashed = hashlib.sha256()
    for _ in range(count):
        hashed.update(block)
    large = Stored(f"sha256:{hashed.hexdigest()}", count << 20)
    entries = [Entry("a", large), Entry("b", b"after 4 GiB")]
    path = tmp_path / "large.zip"
    with path.open("wb") as out:
        write_zip(entries, lambda _: (block for _ in range(count)), out)
    assert archive_size(entries) == path.stat().st_size
    with zipfile.ZipFile(path) as opened:
        assert opened.getinfo("a").file_size == count << 20
        assert opened.read("b") == b"after 4 GiB"
        assert zlib.crc32(b"after 4 GiB") == opened.getinfo("b").CRC
    path.unlink()
