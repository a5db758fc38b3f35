"""Broken zips without end: each is refused with a reason, or read to its last byte, and other readers agree on what is in it.

`python -m tests.content.scorm.fuzz_zips --seconds 600` mutates the tables of hostile and odd zips; with `--atheris` (where that is
installed) it is led by coverage. A finding is written to a file whose name is printed, and becomes a case of a table.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from content.scorm.archive import open_archive, read_canonical, write_canonical
from content.scorm.findings import Findings, PackageRefused
from content.scorm.limits import ImportLimits
from tests.content.scorm.hostile_zips import HOSTILE
from tests.content.scorm.odd_zips import ODD

MOST_BYTES = 20_000
LIMITS = ImportLimits(unpacked_bytes=16 << 20, file_bytes=8 << 20, entries=2000, findings=20)
SIGNATURES = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\x08")
TELLING = (0, 1, 2, 8, 9, 22, 30, 46, 0x7F, 0x80, 0xFF, 0xFFFF, 0xFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds() -> list[bytes]:
    """The zips of both tables, but for large ones."""
    built = [case.build() for case in (*HOSTILE.values(), *ODD.values())]
    return [data for data in built if len(data) <= MOST_BYTES]


def mutated(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """A few changes, mostly one, half of them within headers."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if not out:
            return bytes(out)
        at = _in_header(out, chance) if chance.random() < 0.5 else chance.randrange(len(out))
        kind = chance.randrange(8)
        if kind == 0:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            out[at] = chance.randrange(256)
        elif kind in (2, 3):
            form = chance.choice(("<H", "<I", "<Q"))
            value = chance.choice((*TELLING, len(out), at, chance.getrandbits(32)))
            packed = struct.pack(form, value & ((1 << 8 * struct.calcsize(form)) - 1))
            out[at : at + len(packed)] = packed
        elif kind == 4:
            del out[at : at + chance.randint(1, 40)]
        elif kind == 5:
            out[at:at] = out[at : at + chance.randint(1, 200)]
        elif kind == 6:
            other = chance.choice(others)
            begin = chance.randrange(len(other) or 1)
            out[at : at + chance.randint(0, 60)] = other[begin : begin + chance.randint(1, 200)]
        else:
            del out[chance.randrange(len(out)) :]
    return bytes(out[: 2 * MOST_BYTES])


def check(data: bytes) -> bool:
    """Whether it was taken. Raises AssertionError, or whatever else went wrong, where it was neither taken nor refused."""
    found = Findings(LIMITS.findings)
    out = io.BytesIO()
    try:
        archive = open_archive(io.BytesIO(data), LIMITS, found)
        written = write_canonical(archive, out)
    except PackageRefused as refused:
        assert refused.errors
        return False
    assert not found.errors
    assert read_canonical(out, LIMITS) == written
    for path in archive.entries:
        assert archive.find(path.upper()) is not None or not path.isascii()
    _compare(data, {(each.size_bytes, each.crc32) for each in written})
    return True


def _compare(data: bytes, ours: set[tuple[int, int]]) -> None:
    """What Python's own reader sees, if it does, must hold all that we see."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as other:
            contents = [other.read(each) for each in other.infolist()]
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,
        OSError,
        ValueError,
        EOFError,
        zlib.error,
    ):
        return
    assert ours <= {(len(each), zlib.crc32(each)) for each in contents}, "two readers see two packages"


def run(seed: int, *, count: int = 0, seconds: float = 0.0) -> tuple[int, int, float]:
    """Until `count` zips or for `seconds`: how many, how many of them were taken, and the longest time one took."""
    chance = random.Random(seed)
    corpus = seeds()
    stop = time.monotonic() + seconds
    done = taken = 0
    slowest = 0.0
    while done < count or time.monotonic() < stop:
        data = mutated(chance.choice(corpus), corpus, chance)
        begun = time.perf_counter()
        try:
            taken += check(data)
        except BaseException:
            print(f"broken by {_kept(data)} (seed {seed}, number {done})", file=sys.stderr)
            raise
        slowest = max(slowest, time.perf_counter() - begun)
        done += 1
    return done, taken, slowest


def _in_header(data: bytearray, chance: random.Random) -> int:
    signature = chance.choice(SIGNATURES)
    found = data.find(signature, chance.randrange(len(data)))
    found = data.find(signature) if found < 0 else found
    return min(len(data) - 1, max(0, found) + chance.randrange(50))


def _kept(data: bytes) -> Path:
    path = Path(tempfile.gettempdir()) / f"broken-{hashlib.sha256(data).hexdigest()[:12]}.zip"
    path.write_bytes(data)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    parser.add_argument("--atheris", action="store_true", help="led by coverage; needs the package atheris")
    options = parser.parse_args()
    if not options.atheris:
        done, taken, slowest = run(options.seed, seconds=options.seconds)
        print(f"seed {options.seed}: {done:,} zips, {taken:,} taken, the slowest in {slowest:.3f} s")
        return
    import atheris  # pyright: ignore[reportMissingImports]

    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(seeds()):
            (Path(folder) / str(number)).write_bytes(data)
        atheris.instrument_all()
        arguments = [
            sys.argv[0],
            folder,
            f"-max_total_time={int(options.seconds)}",
            "-timeout=10",
            f"-max_len={MOST_BYTES}",
            f"-artifact_prefix={tempfile.gettempdir()}/",
        ]
        atheris.Setup(arguments, check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
