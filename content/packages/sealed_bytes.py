"""How large a bundle becomes, to the byte, before anything is encrypted.

What a device fetches that has nothing yet: one part with the manifest and the files in the order of their digests, and the
index. Ids, paths and digests have one length each, so an index of others is as long. A licence, under 2 KiB, is apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from content.bundles.index import Index, IndexFile, IndexPart, media_class, part_digest
from content.bundles.stream import HASH_BYTES, sealed_size, segment_count
from content.canonical import derive_id
from content.packages.assets import AssetFile

ENTRY_BYTES: Final = 256
"""More than one further part adds to an index."""
_KID = derive_id("key", "any")
_PATH = f"{derive_id('sea', 'any')}/{'0' * 16}/0.part"


def bundle_bytes(manifest_bytes: int, files: Iterable[AssetFile]) -> int:
    """Index and part of a bundle of the manifest and these files, each digest once."""
    known = {file.digest: (file.size_bytes, media_class(file.media_type)) for file in files}
    wanted = [(manifest_bytes, "manifest"), *(known[name] for name in sorted(known))]
    return payload_bytes(wanted) + index_bytes(wanted)


def payload_bytes(wanted: Iterable[tuple[int, str]]) -> int:
    return sum(sealed_size(size) for size, _ in wanted)


def index_bytes(wanted: Iterable[tuple[int, str]]) -> int:
    """The index of one part with files of these (sizes in bytes, media classes), in this order."""
    entries: list[IndexFile] = []
    offset = 0
    for number, (size, media) in enumerate(wanted):
        hashes = bytes(HASH_BYTES * segment_count(size))
        entries.append(IndexFile(f"{number:032x}", _KID, 0, offset, size, sealed_size(size), media, hashes))
        offset += sealed_size(size)
    part = IndexPart(_PATH, offset, part_digest([entry.segments for entry in entries]))
    return len(Index(tuple(entries), (part,)).to_bytes())
