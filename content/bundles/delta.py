"""What of an older index a new one goes on using, so that a device fetches only what has changed.

A file is known again by its id: the same bytes under the same content key have the same id, whatever version names them.
Kept files stay where they are, in parts that exist; one new part takes the rest. When too much of the old parts is dead,
or they have become too many, nothing is kept and everything is packed anew. docs/bundle-format.md, "Deltas".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from content.bundles.index import Index, IndexFile, IndexPart
from content.bundles.keys import ContentKey, file_id
from content.bundles.stream import sealed_size

MOST_PARTS: Final = 32
"""A device opens its files in as many objects; one more is cheap to fetch and dear to keep."""
MOST_KEYS: Final = 2
"""Content keys of older epochs that an index goes on using, its own included: a licence holds one JWE for each."""


@dataclass(frozen=True)
class Kept:
    """Entries and parts of an older index under their new numbers. `digests`: the plaintexts that they hold."""

    files: tuple[IndexFile, ...] = ()
    parts: tuple[IndexPart, ...] = ()
    digests: frozenset[str] = frozenset()

    def joined(self, files: Sequence[IndexFile], part: IndexPart | None) -> Index:
        """The new index: what is kept, and the files of the one new part, if there is one."""
        return Index((*self.files, *files), (*self.parts, *([part] if part else ())))


def keep(
    base: Index | None, keys: Sequence[ContentKey], wanted: Iterable[tuple[str, int]], within: int | None = None
) -> Kept:
    """What of `base` serves `wanted` (plaintext digest, size in bytes). `keys` are the scope's, newest first.

    Nothing is kept if more than half of the bytes of all parts, the new one's among them, would be dead then, or if the parts
    would have more than `within` bytes: a device that asked for a space holds the dead ones too.
    """
    if base is None:
        return Kept()
    entries = {(file.kid, file.id): file for file in base.files}
    found: dict[str, IndexFile] = {}
    fresh = 0
    for digest, size in wanted:
        known = next(
            (entries[name] for key in keys[:MOST_KEYS] if (name := (key.kid, file_id(key, digest))) in entries), None
        )
        if known is not None and known.size == size:
            found[digest] = known
        else:
            fresh += sealed_size(size)
    numbers = sorted({file.part for file in found.values()})
    parts = tuple(base.parts[number] for number in numbers)
    size = sum(part.size for part in parts)
    dead = size - sum(file.sealed_size for file in found.values())
    too_much = within is not None and size + fresh > within
    if 2 * dead > size + fresh or len(parts) >= MOST_PARTS or too_much:
        return Kept()
    anew = {number: place for place, number in enumerate(numbers)}
    files = (replace(file, part=anew[file.part]) for file in found.values())
    return Kept(tuple(sorted(files, key=lambda file: (file.part, file.offset))), parts, frozenset(found))
