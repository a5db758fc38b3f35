"""Many entries, large ones, and how much memory they take."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from content.scorm.archive import open_archive, read_canonical, stream_canonical, verify, write_canonical
from content.scorm.archive.charsets import guess
from content.scorm.findings import Findings, PackageRefused
from content.scorm.limits import ImportLimits
from tests.content.scorm.packages import MAX32, Raw, opened, raw_package, raw_zip, zip64_extra, zip_of

MIB = 1 << 20


def test_many_entries_take_little_memory():
    names = [b"content/unit %d/page_%d/file.html" % (n % 100, n) for n in range(19_998)]
    data = raw_zip(raw_package(*(Raw(name, b"<p>A page</p>") for name in names)))
    tracemalloc.start()
    archive = open_archive(io.BytesIO(data), ImportLimits(), Findings())
    with Path("/dev/null").open("wb") as out:
        written = write_canonical(archive, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(written) == 20_000
    assert peak < 64 * MIB


def test_large_files_come_in_pieces_and_may_be_read_together(tmp_path: Path):
    noise = random.Random(1).randbytes(3 * MIB)
    large = noise + bytes(9 * MIB) + noise
    path = tmp_path / "large.zip"
    path.write_bytes(zip_of({"imsmanifest.xml": b"x", "large.bin": large, "other.bin": large[::-1]}))
    with path.open("rb") as file:
        archive = open_archive(file, ImportLimits(), Findings())
        tracemalloc.start()
        first, second = bytearray(), bytearray()
        for one, two in zip(archive.stream("large.bin"), archive.stream("other.bin"), strict=False):
            assert 0 < max(len(one), len(two)) <= MIB
            first += one
            second += two
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert bytes(first) == large[: len(first)]
        assert bytes(second) == large[::-1][: len(second)]
        assert peak < len(first) + len(second) + 16 * MIB
        assert b"".join(archive.stream("large.bin")) == large


def test_a_bomb_within_the_limits_of_its_size_never_fills_memory():
    """It claims to be small; what it unpacks to is never held."""
    bomb = Raw(b"bomb.bin", bytes(100 * MIB), size=MIB)
    data = raw_zip(raw_package(bomb))
    archive = opened(data, limits=replace(ImportLimits(), ratio=1e9))
    tracemalloc.start()
    with pytest.raises(PackageRefused):
        verify(archive, Findings())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MIB


def test_more_than_one_read_refuses_what_is_larger():
    archive = opened(zip_of({"imsmanifest.xml": b"x" * 100}))
    assert archive.read("imsmanifest.xml", 100) == b"x" * 100
    with pytest.raises(PackageRefused) as refused:
        archive.read("imsmanifest.xml", 99)
    assert [each.code for each in refused.value.errors] == ["zip-file-size"]
    assert "“imsmanifest.xml” has 100 bytes; at most 99 bytes are taken" in refused.value.message
    with pytest.raises(KeyError):
        archive.stream("missing")


def test_guessing_looks_at_no_more_than_it_must():
    names = [bytes(0x80 + (n * 7 + at) % 127 for at in range(600)) for n in range(400)]
    assert guess(names, b"")
    assert guess([bytes([0xFF]) * 60_000], b"") == "cp437"


class Zeros(io.RawIOBase):
    """A file of many GiB: what is written at places, and zeros elsewhere."""

    def __init__(self) -> None:
        self.parts: dict[int, bytes] = {}
        self.at = self.size = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def write(self, data: bytes) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        if data.strip(b"\0"):
            kept = data.rstrip(b"\0")
            self.parts[self.at] = kept
        self.at += len(data)
        self.size = max(self.size, self.at)
        return len(data)

    def read(self, size: int = -1) -> bytes:
        size = max(0, min(self.size - self.at if size < 0 else size, self.size - self.at))
        out = bytearray(size)
        for start, data in self.parts.items():
            begin, end = max(start, self.at), min(start + len(data), self.at + size)
            if begin < end:
                out[begin - self.at : end - self.at] = data[begin - start : end - start]
        self.at += size
        return bytes(out)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_more_than_4_gib():
    """Two entries of 4.5 GiB: their sizes, the second one's offset, and the directory's need ZIP64."""
    size = 4608 * MIB
    packed = Zeros()
    with zipfile.ZipFile(packed, "w") as archive:  # type: ignore[arg-type]
        for name in ("a.bin", "b.bin"):
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                for _ in range(size // (4 * MIB)):
                    file.write(bytes(4 * MIB))
        archive.writestr("imsmanifest.xml", b"<manifest/>")
    limits = ImportLimits(zip_bytes=1 << 40, file_bytes=1 << 40, unpacked_bytes=1 << 40)
    found = Findings()
    opened_ = open_archive(packed, limits, found)  # type: ignore[arg-type]
    assert not found.warnings
    out = Zeros()
    written = write_canonical(opened_, out)  # type: ignore[arg-type]
    assert read_canonical(out, limits) == written  # type: ignore[arg-type]
    assert [each.size_bytes for each in written] == [size, size, 11]
    assert written[1].offset > MAX32
    assert b"".join(stream_canonical(out, written[2])) == b"<manifest/>"  # type: ignore[arg-type]
    with zipfile.ZipFile(out) as other:  # type: ignore[arg-type]
        assert [each.file_size for each in other.infolist()] == [size, size, 11]
        assert other.read("imsmanifest.xml") == b"<manifest/>"


def test_sizes_of_zip64_are_read_from_the_field():
    """An entry of 5 GiB that is not there is refused by its true size, not by the placeholder."""
    size = 5 * 1024 * MIB
    entry = Raw(
        b"a", b"x", size=size, packed_size=size, method=0, local_size=MAX32, local_packed_size=MAX32,
        local_extra=zip64_extra(size, size), central_extra=zip64_extra(size, size), needed=45,
    )  # fmt: skip
    with pytest.raises(PackageRefused) as refused:
        opened(raw_zip(raw_package(entry)))
    assert {each.code for each in refused.value.errors} == {"zip-file-size", "zip-overlap"}
    assert any("“a” has 5,368.7 MB; at most 4,295.0 MB" in each.message for each in refused.value.errors)
