"""Single files: written the same each time, read by any ZIP program, and refused by name for every other byte."""

from __future__ import annotations

import io
import itertools
import json
import random
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from content.bundles.container import CENTRAL_WINDOW, Container
from content.bundles.container_layout import END_BYTES, LIMITS, Entry, due_name, end_record
from content.bundles.container_open import licences_of, open_container
from content.bundles.container_write import Course, Lists, PartSource, container_size, write_container
from content.bundles.index import MAX_PARTS, Index
from content.bundles.state import ReaderState
from content.errors import ContentError
from content.jwk import unb64
from tests.content.bundles.test_tamper import NAMED
from tests.vectors import make, single_file
from tests.vectors import world as w
from tests.vectors.single_file import BIRDS, container, opened, put_together, taken_apart

CASE = container(BIRDS.case())
FILE = unb64(CASE["file"])
STATE, ORIGINAL = opened(CASE)
CLASS = single_file.class_file()
CLASS_FILE = unb64(CLASS["file"])
TWO = container(make._two_keys())
TWO_FILE = unb64(TWO["file"])


def refusal(code: str) -> Any:
    return pytest.raises(ContentError, check=lambda error: error.code == code)


def read(file: bytes) -> Container:
    return Container.read(lambda offset, length: file[offset : offset + length], len(file))


def lists(case: w.Case) -> Lists:
    return Lists(case["chain"], case["revocations"].encode(), case["revocations_signature"])


def course(*cases: w.Case) -> Course:
    return Course([(each["licence"].encode(), each["signature"]) for each in cases], cases[0]["index"].encode())


def part(data: bytes, step: int = 1 << 20, crc: int | None = None) -> PartSource:
    return PartSource(len(data), lambda: (data[at : at + step] for at in range(0, len(data), step)), crc)


def written(*arguments: Any) -> bytes:
    out = bytearray()
    assert write_container(out.extend, *arguments) == len(out)
    return bytes(out)


def expect_named_or_original(file: bytes, case: w.Case = CASE) -> str | None:
    """What a reader says of a file: a code of the document, or None if it gives the original plaintexts."""
    try:
        plaintexts = opened(case, file)[1]
    except ContentError as refused:
        assert refused.code in NAMED, refused.code
        assert refused.message
        return refused.code
    assert plaintexts == ORIGINAL
    return None


# --- writing --------------------------------------------------------------------------------------------------------


@given(st.integers(1, 5000), st.booleans())
def test_the_same_contents_are_the_same_bytes(step: int, told: bool) -> None:
    """However the parts come, and whoever computes the CRC."""
    case = BIRDS.case()
    (data,) = (unb64(each) for each in case["parts"].values())
    found = written(lists(case), course(case), [part(data, step, zlib.crc32(data) if told else None)])
    assert found == FILE
    assert container_size(lists(case), course(case), [len(data)]) == len(FILE)


def test_the_order_of_the_licences_does_not_matter() -> None:
    cases = [
        replace(BIRDS, device=owner, licence={"bundle_id": w.derive_id("bnd", owner.id)}).case()
        for owner in (w.TABLET, w.CLASSMATE)
    ]
    parts = [part(taken_apart(FILE)[-1][1])]
    for order in itertools.permutations([BIRDS.case(), *cases]):
        # the index is one object in all of them
        assert written(lists(order[0]), course(*order), parts) == CLASS_FILE
    assert list(licences_of(read(CLASS_FILE))) == sorted(owner.id for owner in (w.PHONE, w.TABLET, w.CLASSMATE))


@pytest.mark.parametrize("file", [FILE, CLASS_FILE, TWO_FILE], ids=["one", "class", "two parts"])
def test_zip_programs_can_read_it(file: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(file)) as found:
        assert found.testzip() is None
        assert [(info.filename, found.read(info)) for info in found.infolist()] == taken_apart(file)
        assert {(info.compress_type, info.date_time, info.comment) for info in found.infolist()} == {
            (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0), b"")
        }


def test_what_no_reader_would_take_is_not_written() -> None:
    case, other = BIRDS.case(), replace(BIRDS, device=w.TABLET, files=BIRDS.files[:2]).case()
    data = taken_apart(FILE)[-1][1]
    never = [part(data)]
    out = bytearray()
    with refusal("container-document"):
        write_container(out.extend, lists(case), course(case, case), never)
    with refusal("container-document"):
        write_container(out.extend, lists(case), course(case, other), never)
    with refusal("container-document"):
        write_container(out.extend, lists(case), Course([], case["index"].encode()), never)
    for parts in ([], [part(data[:-1])], never * 2):
        with refusal("container-parts"):
            write_container(out.extend, lists(case), course(case), parts)
    with refusal("container-parts"):
        write_container(out.extend, lists(case), None, never)
    with refusal("container-size"):
        write_container(out.extend, replace(lists(case), revocations=bytes(LIMITS["META-INF/revocations.json"] + 1)))
    assert not out


@pytest.mark.parametrize("second", [b"", b"other", b"sam", b"same but longer"])
def test_a_part_that_changes_while_it_is_read_is_noticed(second: bytes) -> None:
    """Its file ends in the middle of the part, so that nobody takes it for whole."""
    honest = taken_apart(FILE)[-1][1]
    passes = iter([honest, second or honest[:-1] + b"\0"])
    out = bytearray()
    with refusal("part-changed"):
        source = PartSource(len(honest), lambda: [next(passes)])
        write_container(out.extend, lists(BIRDS.case()), course(BIRDS.case()), [source])
    with refusal("container-malformed"):
        read(bytes(out))


def big_index(size: int) -> bytes:
    """An index with one part of so many bytes, which belong to no file."""
    index = json.loads(BIRDS.case()["index"])
    index["parts"][0]["size"] = size
    return w.canonical(index)


def test_writing_a_large_part_takes_little_memory() -> None:
    size, block = 64 << 20, bytes(1 << 20)
    case, index = BIRDS.case(), big_index(64 << 20)
    licence = json.loads(case["licence"])
    licence["index"] = {**licence["index"], "size": len(index), "digest": w.digest(index)}
    found = Course([(w.canonical(licence), case["signature"])], index)
    told: list[int] = []
    tracemalloc.start()
    try:
        source = PartSource(size, lambda: itertools.repeat(block, size // len(block)))
        written_bytes = write_container(lambda _: None, lists(case), found, [source], told.append)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written_bytes > size
    assert sum(told) == 2 * size
    assert peak < 4 << 20


# --- reading --------------------------------------------------------------------------------------------------------


def test_one_file_serves_each_device_of_a_class() -> None:
    for reader in (w.PHONE, w.TABLET, w.CLASSMATE):
        assert opened({**CLASS, "device": reader.to_secret()})[1] == ORIGINAL
    with pytest.raises(ContentError, match="for 3 other devices") as refused:
        opened({**CLASS, "device": w.device("stranger").to_secret()})
    assert refused.value.code == "container-device"
    with pytest.raises(ContentError, match="for one other device"):
        opened({**CASE, "device": w.TABLET.to_secret()})


def test_what_the_lists_lead_to_is_saved_before_the_bundle_is_refused() -> None:
    revoked = container(replace(BIRDS, revoked=w.revocations(bundles=(w.BUNDLE,), version=(1, 9))).case())
    for case, code in ((revoked, "bundle-revoked"), ({**revoked, "device": w.TABLET.to_secret()}, "container-device")):
        saved: list[ReaderState] = []
        with refusal(code):
            open_container(
                read(unb64(case["file"])),
                device=w.DeviceIdentity.from_secret(case["device"]),
                state=ReaderState(),
                now=w.NOW,
                save=saved.append,
            )
        assert [state.revocations for state in saved] == [(1, 9)]
        assert saved[0].packages == {}


def test_a_part_is_read_by_segments_and_nothing_twice() -> None:
    asked: list[tuple[int, int]] = []

    def read_range(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return FILE[offset : offset + length]

    found = Container.read(read_range, len(FILE))
    (entry,) = found.parts
    assert all(offset + length <= entry.start or offset >= entry.end for offset, length in asked)
    bundle = open_container(found, device=w.PHONE, state=ReaderState(), now=w.NOW, save=lambda _: None)
    assert all(offset + length <= entry.start or offset >= entry.end for offset, length in asked)
    asked.clear()
    assert len(list(bundle.verify())) == len(bundle.index.files)
    assert sum(length for _, length in asked) == entry.size
    assert found.read_part(0, entry.size - 3, 100) == FILE[entry.end - 3 : entry.end]
    assert found.read_part(0, entry.size + 3, 100) == b""


def test_sizes_beyond_four_gigabytes() -> None:
    sizes = [100, 100, 100, 100, 100, 5 << 30, 7 << 40]
    file = Sparse(sizes)
    found = Container.read(file.read, file.size)
    assert [entry.size for entry in found.entries] == sizes
    assert [entry.name for entry in found.parts] == ["parts/0.part", "parts/1.part"]


def test_as_many_parts_as_an_index_may_have() -> None:
    file = Sparse([9] * (5 + MAX_PARTS))
    assert len(Container.read(file.read, file.size).parts) == MAX_PARTS
    assert file.most <= CENTRAL_WINDOW
    file = Sparse([9] * (6 + MAX_PARTS))
    with refusal("container-malformed"):
        Container.read(file.read, file.size)


class Sparse:
    """A file of entries of these sizes, whose contents are zeros and nowhere."""

    def __init__(self, sizes: list[int]) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.most, place, central = 0, 0, b""
        for number, size in enumerate(sizes):
            entry = Entry(due_name(number), 0, size, place)
            self.pieces.append((place, entry.local_header()))
            central += entry.central_header()
            place = entry.end
        self.pieces.append((place, central + end_record(len(sizes), len(central), place)))
        self.size = place + len(self.pieces[-1][1])

    def read(self, offset: int, length: int) -> bytes:
        self.most = max(self.most, length)
        start, data = max((each for each in self.pieces if each[0] <= offset), key=lambda each: each[0])
        return data[offset - start :][:length]


# --- attacks --------------------------------------------------------------------------------------------------------


def structure(file: bytes) -> set[int]:
    """Every offset at which something of the layout begins or ends."""
    found = {0, len(file), len(file) - END_BYTES, len(file) - 22, len(file) - 42}
    at = int.from_bytes(file[-50:-42], "little")
    for entry in read(file).entries:
        found |= {entry.offset, entry.offset + 30, entry.start - 20, entry.start, entry.end}
        found |= {at, at + 46, at + 46 + len(entry.name)}
        at += len(entry.central_header())
    return found


def headers(file: bytes) -> Iterator[int]:
    """Offsets of all bytes that are no contents."""
    contents = [range(entry.start, entry.end) for entry in read(file).entries]
    return (at for at in range(len(file)) if not any(at in each for each in contents))


def crc_fields(file: bytes) -> set[int]:
    found: set[int] = set()
    at = int.from_bytes(file[-50:-42], "little")
    for entry in read(file).entries:
        found |= set(range(entry.offset + 14, entry.offset + 18)) | set(range(at + 16, at + 20))
        at += len(entry.central_header())
    return found


@pytest.mark.parametrize("file", [FILE, TWO_FILE], ids=["one part", "two parts"])
def test_every_bit_of_every_header_counts(file: bytes) -> None:
    crc, count = crc_fields(file), 0
    for at in headers(file):
        for bit in range(8):
            changed = bytearray(file)
            changed[at] ^= 1 << bit
            with pytest.raises(ContentError) as refused:
                read(bytes(changed))
            assert refused.value.code.startswith("container-")
            if at in crc:
                assert refused.value.code == "container-header"
            count += 1
    assert count > 8_000


def test_every_byte_of_the_contents_counts_or_changes_nothing() -> None:
    """One bit of every fifth byte, beginning elsewhere in each run; three devices, so that some bytes do not matter."""
    alike = 0
    for at in range(random.randrange(5), len(CLASS_FILE), 5):
        changed = bytearray(CLASS_FILE)
        changed[at] ^= 1 << (at % 7)
        alike += expect_named_or_original(bytes(changed), CLASS) is None
    others = [each for owner, each in licences_of(read(CLASS_FILE)).items() if owner != w.PHONE.id]
    assert 0 < alike < sum(len(each.licence) + len(json.dumps(each.signature)) for each in others)


def test_a_crc_that_is_the_same_in_both_headers_is_believed_by_nobody() -> None:
    entries, wrong = taken_apart(FILE), b"\xab\xcd\xef\x01"
    file = put_together(
        entries,
        lambda _, header: header[:14] + wrong + header[18:],
        lambda _, header: header[:16] + wrong + header[20:],
    )
    assert opened(CASE, file) == (STATE, ORIGINAL)


def test_every_cut_is_refused() -> None:
    for at in range(len(FILE)):
        with refusal("container-malformed"):
            read(FILE[:at])


@pytest.mark.parametrize("file", [FILE, CLASS_FILE, TWO_FILE], ids=["one", "class", "two parts"])
def test_cuts_and_additions_at_each_boundary(file: bytes) -> None:
    places = sorted(structure(file))
    for start, end in itertools.combinations(places, 2):
        with pytest.raises(ContentError) as refused:
            read(file[:start] + file[end:])
        assert refused.value.code.startswith("container-")
    for place, more in itertools.product(places, (b"\0", b"PK\x03\x04", FILE[: FILE.index(b"META") + 19], file)):
        with pytest.raises(ContentError) as refused:
            read(file[:place] + more + file[place:])
        assert refused.value.code.startswith("container-")


@st.composite
def tampered(draw: st.DrawFn) -> bytes:
    """Pieces of honest files put together, with bytes of nobody between."""
    honest = [FILE, CLASS_FILE, TWO_FILE]
    out = b""
    for _ in range(draw(st.integers(1, 4))):
        file = draw(st.sampled_from(honest))
        places = sorted(structure(file))
        near = st.sampled_from(places).flatmap(lambda place: st.integers(place - 2, place + 2))
        start, end = sorted(max(0, draw(near)) for _ in range(2))
        out += file[start:end] + draw(st.binary(max_size=4))
    return out


@settings(max_examples=400)
@given(tampered())
@example(FILE + FILE)
@example(FILE[:-END_BYTES] + TWO_FILE)
def test_pieces_of_files_are_a_file_or_refused(file: bytes) -> None:
    expect_named_or_original(file)


NUMBERS = st.sampled_from([0, 1, 2**16 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63, 2**64 - 1]) | st.integers(
    0, 2**64 - 1
)


@settings(max_examples=400)
@given(st.integers(0, 5), st.sampled_from(["local", "central", "both"]), st.sampled_from([-24, -16, -8]), NUMBERS)
def test_zip64_fields_that_lie(number: int, where: str, at: int, value: int) -> None:
    entries = taken_apart(FILE)

    def lie(n: int, header: bytes) -> bytes:
        place = len(header) + at + (8 if header.startswith(b"PK\x03") and at == -24 else 0)
        if n != number:
            return header
        return header[:place] + value.to_bytes(8, "little") + header[place + 8 :]

    changes = {"local": {"local": lie}, "central": {"central": lie}, "both": {"local": lie, "central": lie}}
    found = put_together(entries, **changes[where])
    if found != FILE:
        with pytest.raises(ContentError) as refused:
            read(found)
        assert refused.value.code in {"container-header", "container-size", "container-gap"}


@settings(max_examples=200)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_an_end_that_lies(count: int, size: int, offset: int) -> None:
    end = bytearray(FILE[-END_BYTES:])
    for at, value in ((24, count), (32, count), (40, size), (48, offset)):
        end[at : at + 8] = value.to_bytes(8, "little")
    found = FILE[:-END_BYTES] + bytes(end)
    if found != FILE:
        with refusal("container-malformed"):
            read(found)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=20)), max_size=8))
@example([("../x", b"")])
@example([*taken_apart(FILE), ("../x", b"")])
def test_a_name_is_the_one_that_is_due(entries: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ContentError) as refused:
        read(put_together(entries))
    due = [due_name(number) for number in range(len(entries))]
    if [name for name, _ in entries] != due:
        assert refused.value.code in {"container-entry", "container-malformed"}


def test_endless_data_is_not_read() -> None:
    asked: list[int] = []

    def endless(offset: int, length: int) -> bytes:
        asked.append(length)
        return bytes(length)

    with refusal("container-malformed"):
        Container.read(endless, 1 << 62)
    assert sum(asked) == END_BYTES

    def lying(offset: int, length: int) -> bytes:
        """An end that promises central headers without end."""
        asked.append(length)
        size = (1 << 62) - END_BYTES
        return end_record(1005, size - 1000, 1000) if offset == size else bytes(length)

    asked.clear()
    with refusal("container-header"):
        Container.read(lying, 1 << 62)
    assert sum(asked) == END_BYTES + CENTRAL_WINDOW


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    for at in sorted(structure(FILE) - {len(FILE)}):
        with refusal("container-malformed"):
            Container.read(
                lambda offset, length, at=at: FILE[offset : offset + length][: max(0, at - offset)], len(FILE)
            )


def test_contents_made_to_break_a_parser() -> None:
    entries = taken_apart(FILE)
    hostile = [
        b"[" * 8_000 + b"]" * 8_000,
        b"[" + b"9" * 8_000 + b"]",
        b'["\\ud800"]',
        b"[1e400]",
        b"\xff\xfe",
        b"nul",
    ]
    for number, data in itertools.product((0, 2, 3), hostile):
        listed = [*entries[:number], (entries[number][0], data), *entries[number + 1 :]]
        with refusal("container-document"):
            opened(CASE, put_together(listed))


def test_an_index_is_what_the_licence_says_it_is() -> None:
    """The file's own index.json is believed no more than one from the network."""
    index = Index.parse(taken_apart(FILE)[4][1])
    assert opened(CASE)[0] == STATE
    other = [*taken_apart(FILE)]
    other[4] = (other[4][0], replace(index, files=index.files[:1]).to_bytes() if len(index.files) > 1 else b"{}")
    with refusal("index-digest"):
        opened(CASE, put_together(other))
