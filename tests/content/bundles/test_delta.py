"""What is kept of an older index: exactly the files that are the same, in the parts they are in, or nothing at all."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.bundles.delta import MOST_PARTS, Kept, keep
from content.bundles.index import Index
from content.bundles.keys import ContentKey, file_id
from content.bundles.part import PartSealer
from content.bundles.stream import block_sizes, sealed_size

OLD, NEW, OLDEST = (ContentKey(f"key_{name}", os.urandom(32)) for name in ("old", "new", "oldest"))
FOLDER = "sea_" + "a" * 26


def digest(number: int) -> str:
    return "sha256:" + hashlib.sha256(str(number).encode()).hexdigest()


def size(number: int) -> int:
    return 100 + number % 7 * 50


def sealed(kept: Kept, numbers: Sequence[int], key: ContentKey = OLD, attempt: int = 0) -> Index:
    """The index of these files after what is kept, the rest sealed into one more part."""
    sealer = PartSealer(key, f"{FOLDER}/a{attempt}/0.part", number=len(kept.parts))
    for number in numbers:
        if digest(number) in kept.digests:
            continue
        file = sealer.begin(digest(number), size(number), "image")
        for length in block_sizes(size(number)):
            file.seal(bytes(length), memoryview(bytearray(2 << 20)))
        sealer.finish_file()
    entries = sealer.file_entries()
    return kept.joined(entries, sealer.part_entry() if entries else None)


def wanted(numbers: Sequence[int]) -> list[tuple[str, int]]:
    return [(digest(number), size(number)) for number in numbers]


def test_nothing_before_keeps_nothing() -> None:
    assert keep(None, [OLD], wanted([1, 2])) == Kept()


def test_one_changed_file_costs_one_file() -> None:
    first = sealed(Kept(), range(10))
    kept = keep(first, [OLD], wanted([*range(9), 99]))
    assert kept.digests == {digest(number) for number in range(9)}
    second = sealed(kept, [*range(9), 99], attempt=1)
    assert second.parts[0] == first.parts[0]
    assert second.parts[1].size == sealed_size(size(99))
    assert Index.parse(second.to_bytes()) == second


def test_what_is_mostly_dead_is_packed_anew() -> None:
    first = sealed(Kept(), range(10))
    assert keep(first, [OLD], wanted([1])) == Kept()
    assert keep(first, [OLD], wanted(range(6))).digests


def test_a_chain_of_versions_keeps_every_part_in_use_and_drops_the_others() -> None:
    index = sealed(Kept(), range(20))
    for version in range(1, 6):
        numbers = [*range(20 - version), *range(100, 100 + version)]
        index = sealed(keep(index, [OLD], wanted(numbers)), numbers, attempt=version)
        assert {file.id for file in index.files} == {file_id(OLD, digest(number)) for number in numbers}
        assert len(index.parts) <= version + 1
    only_new = keep(index, [OLD], wanted([*range(15), 100]))
    assert len(only_new.parts) == 2  # the parts of the versions between hold nothing that is wanted


def test_too_many_parts_are_packed_anew() -> None:
    index = sealed(Kept(), range(40))
    for version in range(MOST_PARTS + 3):
        numbers = [*range(40), *range(100, 101 + version)]
        index = sealed(keep(index, [OLD], wanted(numbers)), numbers, attempt=version)
        assert len(index.parts) <= MOST_PARTS
    assert len(index.parts) < MOST_PARTS


def test_files_of_the_epoch_before_stay_and_older_ones_are_sealed_again() -> None:
    first = sealed(Kept(), range(10), OLDEST)
    kept = keep(first, [OLD, OLDEST], wanted(range(10)))
    assert {file.kid for file in kept.files} == {OLDEST.kid}
    second = sealed(kept, [*range(10), 20], OLD, 1)
    assert second.kids == {OLD.kid, OLDEST.kid}
    third = keep(second, [NEW, OLD, OLDEST], wanted([*range(10), 20]))
    assert {file.kid for file in third.files} <= {OLD.kid}


def test_the_same_digest_with_another_size_is_another_file() -> None:
    first = sealed(Kept(), range(10))
    kept = keep(first, [OLD], [*wanted(range(9)), (digest(9), size(9) + 1)])
    assert digest(9) not in kept.digests


@given(st.data())
def test_an_index_of_any_history_holds_what_was_wanted_and_no_reader_refuses_it(data: st.DataObject) -> None:
    keys = [OLD]
    index: Index | None = None
    for attempt in range(data.draw(st.integers(1, 5))):
        if data.draw(st.booleans()):
            keys = [ContentKey(f"key_{attempt}", random.Random(attempt).randbytes(32)), *keys]
        numbers = sorted(data.draw(st.sets(st.integers(0, 25), min_size=1, max_size=20)))
        kept = keep(index, keys, wanted(numbers))
        index = sealed(kept, numbers, keys[0], attempt)
        assert Index.parse(index.to_bytes()) == index
        assert len(index.files) == len(numbers)
        live = sum(file.sealed_size for file in index.files)
        assert 2 * live >= sum(part.size for part in index.parts)
        assert len(index.kids) <= 2
        assert set(range(len(index.parts))) == {file.part for file in index.files}


@pytest.mark.parametrize("share", [0.5, 0.51])
def test_the_border_is_half(share: float) -> None:
    numbers = [7 * number for number in range(100)]  # all of one size
    first = sealed(Kept(), numbers)
    live = numbers[: round(100 * (1 - share))]
    assert bool(keep(first, [OLD], wanted(live)).digests) is (share <= 0.5)


def test_what_would_not_fit_a_devices_space_is_not_kept() -> None:
    """Dead bytes lie on the device as others do."""
    first = sealed(Kept(), range(10))
    now = wanted([*range(8), 99])
    parts = first.parts[0].size + sealed_size(size(99))
    assert keep(first, [OLD], now, within=parts).digests
    assert keep(first, [OLD], now, within=parts - 1) == Kept()
