"""Reading a part against an index, also one that uses only some of it; and never writing what is not all of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from content.bundles.index import IndexFile
from content.bundles.keys import ContentKey
from content.bundles.part import PartSealer
from content.canonical import digest
from content.errors import ContentError
from tasks.healing import heal
from tasks.keeping.scrub import _covers, _look
from tasks.sealing import Source

PATH = "sea_" + "0" * 26 + "/a/0.part"
KEY = ContentKey("key_scrub", bytes(32))
ASSETS = [os.urandom(size) for size in (100_000, 1 << 20, 3 << 20, 5)]


class Store:
    """Objects in memory, as `cluster.objects.Objects` reads and writes them."""

    def __init__(self, blobs: dict[str, bytes]) -> None:
        self.blobs, self.uploads, self.aborted = blobs, list[bytes](), 0

    def read(self, key: str, sizes: Iterable[int]) -> Iterator[bytes]:
        at, data = 0, self.blobs[key]
        for size in sizes:
            if at + size > len(data):
                raise ContentError("object-truncated", "It ended early.", "", True)
            yield data[at : at + size]
            at += size

    def begin(self, key: str) -> str:
        self.uploads = []
        return "upload"

    def piece(self, key: str, upload: str, number: int, body: bytes) -> dict[str, Any]:
        self.uploads.append(body)
        return {}

    def finish(self, key: str, upload: str, pieces: list[Any]) -> None:
        self.blobs[key] = b"".join(self.uploads)

    def abort(self, key: str, upload: str) -> None:
        self.aborted += 1


@pytest.fixture
def part() -> tuple[bytes, tuple[IndexFile, ...]]:
    sealer, out = PartSealer(KEY, PATH), bytearray()
    for data in ASSETS:
        file, at = sealer.begin(digest(data), len(data), "other"), 0
        for size in file.block_sizes():
            out += file.seal(data[at : at + size])
            at += size
        sealer.finish_file()
    return bytes(out), sealer.file_entries()


def sources() -> list[Source]:
    return [Source(digest(data), digest(data), len(data), "other") for data in ASSETS]


def store(part: bytes) -> Any:
    return Store({PATH: part, **{digest(data): data for data in ASSETS}})


def test_a_whole_part_is_as_its_index_says(part: tuple[bytes, tuple[IndexFile, ...]]) -> None:
    data, files = part
    assert _look(store(data), PATH, files) == (None, [])
    assert _covers(files, len(data))


@pytest.mark.parametrize("used", [(0, 2), (1,), (3,), (1, 3)])
def test_an_index_that_uses_some_of_it_finds_only_damage_there(
    part: tuple[bytes, tuple[IndexFile, ...]], used: tuple[int, ...]
) -> None:
    data, files = part
    some = tuple(files[n] for n in used)
    assert _look(store(data), PATH, some) == (None, [])
    assert not _covers(some, len(data))
    for n, file in enumerate(files):
        broken = bytearray(data)
        broken[file.offset + 50 if file.size > 50 else file.offset] ^= 1
        code, damage = _look(store(bytes(broken)), PATH, some)
        assert (code == "segment-digest") == (n in used)
        assert all(file.offset <= each.offset < file.offset + file.sealed_size for each in damage)


def test_a_part_is_made_again_byte_for_byte(part: tuple[bytes, tuple[IndexFile, ...]]) -> None:
    data, files = part
    found = store(b"lost")
    heal(found, "", PATH, len(data), files, sources(), {KEY.kid: KEY})
    assert found.blobs[PATH] == data


def test_what_is_not_all_of_a_part_never_takes_its_place(part: tuple[bytes, tuple[IndexFile, ...]]) -> None:
    data, files = part
    for some in (files[1:], files[:2], (files[0], files[3])):
        found = store(data)
        with pytest.raises(ContentError) as refused:
            heal(found, "", PATH, len(data), some, sources(), {KEY.kid: KEY})
        assert refused.value.code == "part-not-healed"
        assert (found.blobs[PATH], found.aborted) == (data, 1)


def test_a_changed_asset_heals_nothing(part: tuple[bytes, tuple[IndexFile, ...]]) -> None:
    data, files = part
    found = store(data)
    found.blobs[digest(ASSETS[1])] = ASSETS[1][:-1] + b"?"
    with pytest.raises(ContentError) as refused:
        heal(found, "", PATH, len(data), files, sources(), {KEY.kid: KEY})
    assert refused.value.code == "part-not-healed"
    assert found.blobs[PATH] == data
