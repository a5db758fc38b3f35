"""The index: what a bundle is made of, and where each file begins.

It holds no name, title or plaintext digest. It is not signed itself: the licence names its digest, so under the policy
`shared` one index serves every licence. docs/bundle-format.md, "Index".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from content.bundles.errors import BundleRefused
from content.bundles.stream import HASH_BYTES, MAX_FILE_BYTES, sealed_size, segment_count
from content.canonical import DIGEST_PREFIX, canonical
from content.documents import DIGEST, IDENTIFIER, Fields, parse_document
from content.jwk import b64, unb64

TYPE: Final = "index"
MAX_BYTES: Final = 32 << 20
MAX_FILES: Final = 100_000
MAX_PARTS: Final = 1_000
MEDIA_CLASSES: Final = ("manifest", "image", "video", "audio", "text", "other")
FILE_ID: Final = re.compile(r"[0-9a-f]{32}")
MEDIA: Final = re.compile("|".join(MEDIA_CLASSES))
# Below `bundles/{tenant}/`, so it can neither be absolute nor climb.
PATH: Final = re.compile(r"[a-z]{3}_[a-z0-9]{26}/[A-Za-z0-9_-]{1,64}/[a-z0-9]{1,16}\.(part|json)")


def media_class(media_type: str) -> str:
    """The class that the index may tell of a media type: `image/webp` is `image`, captions are `text`."""
    top = media_type.partition("/")[0]
    return top if top in MEDIA_CLASSES[1:] else "other"


@dataclass(frozen=True)
class IndexPart:
    """An object of encrypted files; `path` is what follows `bundles/{tenant}/`, `size` in bytes."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class IndexFile:
    """One encrypted file: its place (part number, byte offset), sizes in bytes, and raw segment hashes in a row."""

    id: str
    kid: str
    part: int
    offset: int
    size: int
    sealed_size: int
    media: str
    segments: bytes


@dataclass(frozen=True)
class Index:
    """Files are ordered by (part, offset) and do not overlap; ids are unique."""

    files: tuple[IndexFile, ...]
    parts: tuple[IndexPart, ...]

    @property
    def kids(self) -> frozenset[str]:
        return frozenset(file.kid for file in self.files)

    def to_bytes(self) -> bytes:
        """Canonical bytes; raises BundleRefused for an index that no reader would take."""
        files = tuple(sorted(self.files, key=lambda file: (file.part, file.offset)))
        _check(files, self.parts)
        members = {
            "type": TYPE,
            "shape": 1,
            "files": [
                {
                    "id": file.id,
                    "kid": file.kid,
                    "part": file.part,
                    "offset": file.offset,
                    "size": file.size,
                    "sealed_size": file.sealed_size,
                    "media": file.media,
                    "segments": b64(file.segments),
                }
                for file in files
            ],
            "parts": [{"path": part.path, "size": part.size, "digest": part.digest} for part in self.parts],
        }
        return canonical(members)

    @classmethod
    def parse(cls, data: bytes) -> Index:
        """Raises DocumentRefused (`index-malformed`, codes of "Documents") or BundleRefused (`index-…`)."""
        fields = Fields(parse_document(data, TYPE, MAX_BYTES), TYPE)
        fields.expect(TYPE)
        parts = tuple(_parse_part(member) for member in fields.items("parts", MAX_PARTS))
        files = tuple(_parse_file(member, len(parts)) for member in fields.items("files", MAX_FILES))
        fields.done()
        _check(files, parts)
        return cls(files, parts)


def part_digest(segments: Sequence[bytes]) -> str:
    """SHA-256 over the raw segment hashes of all files of a part in their order: no part is hashed twice."""
    return DIGEST_PREFIX + hashlib.sha256(b"".join(segments)).hexdigest()


def _parse_part(member: object) -> IndexPart:
    fields = Fields(member, TYPE)
    part = IndexPart(fields.text("path", PATH), fields.integer("size", 1), fields.text("digest", DIGEST))
    fields.done()
    return part


def _parse_file(member: object, parts: int) -> IndexFile:
    fields = Fields(member, TYPE)
    segments: Any = fields.take("segments")
    try:
        raw = unb64(segments)
    except ValueError as error:
        raise fields.refuse("segments is not base64url") from error
    file = IndexFile(
        fields.text("id", FILE_ID),
        fields.text("kid", IDENTIFIER),
        fields.integer("part", 0, max(0, parts - 1)),
        fields.integer("offset"),
        fields.integer("size", 0, MAX_FILE_BYTES),
        fields.integer("sealed_size"),
        fields.text("media", MEDIA),
        raw,
    )
    fields.done()
    return file


def _check(files: Sequence[IndexFile], parts: Sequence[IndexPart]) -> None:
    """The rules between members; every code of the document's "Index" but `index-malformed` comes from here."""
    if len({file.id for file in files}) != len(files):
        raise BundleRefused("index-file-repeated", "The index names a file id twice.")
    if len({part.path for part in parts}) != len(parts):
        raise BundleRefused("index-part-repeated", "The index names a part twice.")
    ends = [0] * len(parts)
    gaps = [False] * len(parts)
    hashed: list[list[bytes]] = [[] for _ in parts]
    last_part = 0
    for file in files:
        if file.sealed_size != sealed_size(file.size) or len(file.segments) != HASH_BYTES * segment_count(file.size):
            raise BundleRefused("index-file-size", f"The sizes of file {file.id} do not fit each other.")
        if not 0 <= file.part < len(parts):
            raise BundleRefused("index-bounds", f"File {file.id} is in a part that the index does not have.")
        if file.part < last_part or file.offset < ends[file.part]:
            raise BundleRefused("index-overlap", "Files of the index overlap or are not in order.")
        last_part = file.part
        gaps[file.part] |= file.offset > ends[file.part]
        ends[file.part] = file.offset + file.sealed_size
        hashed[file.part].append(file.segments)
        if ends[file.part] > parts[file.part].size:
            raise BundleRefused("index-bounds", f"File {file.id} reaches beyond its part.")
    for number, part in enumerate(parts):
        # Where bytes of the part belong to no file any more (an old part under a new version), the digest only names it.
        whole = not gaps[number] and ends[number] == part.size
        if whole and part_digest(hashed[number]) != part.digest:
            raise BundleRefused("part-digest", "The digest of a part is not that of its segment hashes.")
