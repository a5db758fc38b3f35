"""Writing a bundle, or lists alone, as one file: the same contents are the same bytes.

The file is written from its beginning to its end with `write`. Parts are read twice, block by block: for the CRC-32 that
stands before them, which a caller may know already, and to be written; nothing larger than a block of theirs is held.
Before: documents and parts that were verified. After: `container.py` accepts the file. docs/bundle-format.md, "Single file".
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from content.bundles.container_layout import (
    CHAIN,
    INDEX,
    LICENCES,
    LIMITS,
    REVOCATIONS,
    REVOCATIONS_SIGNATURE,
    Entry,
    due_name,
    end_record,
)
from content.bundles.container_open import parse_licences
from content.bundles.errors import BundleRefused
from content.bundles.index import Index
from content.bundles.licence import Licence
from content.canonical import canonical

Write = Callable[[bytes], object]
Tell = Callable[[int], None]


@dataclass(frozen=True)
class Lists:
    """The chain of trust lists, and the revocation list with its signature."""

    chain: Sequence[Mapping[str, Any]]
    revocations: bytes
    revocations_signature: Mapping[str, Any]

    def contents(self) -> dict[str, bytes]:
        return {
            CHAIN: canonical(list(self.chain)),
            REVOCATIONS: self.revocations,
            REVOCATIONS_SIGNATURE: canonical(dict(self.revocations_signature)),
        }


@dataclass(frozen=True)
class Course:
    """An index and the licences that name it, each with its signature; their order does not matter here."""

    licences: Sequence[tuple[bytes, Mapping[str, Any]]]
    index: bytes

    def contents(self) -> dict[str, bytes]:
        by_device = sorted(self.licences, key=lambda each: Licence.parse(each[0]).device.id)
        members = [{"licence": licence.decode(), "signature": dict(signed)} for licence, signed in by_device]
        return {LICENCES: canonical(members), INDEX: self.index}


@dataclass(frozen=True)
class PartSource:
    """`size` bytes of a part, which come in blocks as often as they are asked for; `crc` if it is known."""

    size: int
    blocks: Callable[[], Iterable[bytes]]
    crc: int | None = None


def write_container(
    write: Write,
    lists: Lists,
    course: Course | None = None,
    parts: Sequence[PartSource] = (),
    tell: Tell = lambda _: None,
) -> int:
    """Write the file; returns its size in bytes. `tell` hears of bytes of parts, read once for each CRC and once more.

    What no reader would take is not begun: raises BundleRefused `container-document`, `container-size`,
    `container-parts`, DocumentRefused `licence-…` or `index-…`. What changed while it was read: `part-changed`.
    """
    contents = lists.contents()
    due: list[int] = []
    if course is not None:
        contents |= course.contents()
        parse_licences(contents[LICENCES])
        due = [part.size for part in Index.parse(course.index).parts]
    if [part.size for part in parts] != due:
        raise BundleRefused("container-parts", "The parts are not those of the index.", "Fetch the bundle again.")
    for name, data in contents.items():
        if len(data) > LIMITS[name]:
            raise BundleRefused("container-size", f"{name} would have {len(data):,} bytes.", "Leave devices out.")
    sources = [PartSource(len(data), lambda data=data: [data], zlib.crc32(data)) for data in contents.values()]
    entries: list[Entry] = []
    place = 0
    for number, source in enumerate([*sources, *parts]):
        crc = source.crc if source.crc is not None else _crc(_told(source, tell))
        entry = Entry(due_name(number), crc, source.size, place)
        write(entry.local_header())
        _copy(source, entry, write, tell if number >= len(sources) else lambda _: None)
        entries.append(entry)
        place = entry.end
    central = b"".join(entry.central_header() for entry in entries)
    end = end_record(len(entries), len(central), place)
    write(central)
    write(end)
    return place + len(central) + len(end)


def container_size(lists: Lists, course: Course | None = None, parts: Sequence[int] = ()) -> int:
    """How many bytes `write_container` will write, for parts of these sizes."""
    contents = lists.contents() | (course.contents() if course else {})
    sizes = [*(len(data) for data in contents.values()), *parts]
    entries = [Entry(due_name(number), 0, size, 0) for number, size in enumerate(sizes)]
    headers = sum(len(entry.local_header()) + len(entry.central_header()) for entry in entries)
    return sum(sizes) + headers + len(end_record(0, 0, 0))


def _told(source: PartSource, tell: Tell) -> Iterator[bytes]:
    for block in source.blocks():
        tell(len(block))
        yield block


def _crc(blocks: Iterable[bytes]) -> int:
    crc = 0
    for block in blocks:
        crc = zlib.crc32(block, crc)
    return crc


def _copy(source: PartSource, entry: Entry, write: Write, tell: Tell) -> None:
    size, crc = 0, 0
    for block in _told(source, tell):
        size, crc = size + len(block), zlib.crc32(block, crc)
        if size <= source.size:
            write(block)
    if (size, crc) != (source.size, entry.crc):
        raise BundleRefused("part-changed", f"{entry.name} changed while it was read.", "Export again.")
