"""How large a bundle becomes, to the byte, before anything is encrypted.

What a device fetches that has nothing yet: one part with the manifest and the files in the order of their digests, and the
index. Ids, paths and digests have one length each, so an index of others is as long. A licence, under 2 KiB, is apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from content.bundles.index import Index, IndexFile, IndexPart, media_class
from content.bundles.stream import HASH_BYTES, sealed_size, segment_count
from content.canonical import DIGEST_PREFIX, derive_id
from content.packages.assets import AssetFile

ENTRY_BYTES: Final = 256
"""More than one further part adds to an index."""
_PATH: Final = f"{derive_id('sea', 'any')}/{'0' * 16}/0.part"
_EMPTY: Final = IndexFile(
    "0" * 32, derive_id("key", "any"), 0, 0, 0, sealed_size(0), "", bytes(HASH_BYTES * segment_count(0))
)


def bundle_bytes(manifest_bytes: int, files: Iterable[AssetFile]) -> int:
    """Index and part of a bundle of the manifest and these files, each digest once."""
    known = {file.digest: (file.size_bytes, media_class(file.media_type)) for file in files}
    wanted = [(manifest_bytes, "manifest"), *(known[name] for name in sorted(known))]
    return payload_bytes(wanted) + index_bytes(wanted)


def payload_bytes(wanted: Iterable[tuple[int, str]]) -> int:
    return sum(sealed_size(size) for size, _ in wanted)


def index_bytes(wanted: Iterable[tuple[int, str]]) -> int:
    """The index of one part with files of these (sizes in bytes, media classes), in this order: an empty file's entry for
    each, with longer numbers and more hashes."""
    offset = total = count = 0
    for size, media in wanted:
        sealed = sealed_size(size)
        total += _ENTRY + _digits(offset) + _digits(size) + _digits(sealed) + len(media) + _b64(segment_count(size))
        offset += sealed
        count += 1
    return total + max(0, count - 1) + _length((), offset)


def _length(files: tuple[IndexFile, ...], part_bytes: int) -> int:
    # A part with bytes of no file, so that its digest says nothing of them.
    return len(Index(files, (IndexPart(_PATH, part_bytes, DIGEST_PREFIX + "0" * 64),)).to_bytes())


def _digits(number: int) -> int:
    return len(str(number))


def _b64(segments: int) -> int:
    """Characters of so many hashes in base64url."""
    return -(-HASH_BYTES * segments * 4 // 3)


_ENTRY: Final = (
    _length((_EMPTY,), 1000) - _length((), 1000) - _digits(0) - _digits(0) - _digits(sealed_size(0)) - _b64(1)
)
