"""Sealing a batch: each asset is read once, sealed for every device of the batch, and uploaded while the next is sealed.

Blocks. Memory is bounded: one block of plaintext, one upload piece per device, and as many pieces in flight as there
are uploaders. The plaintext is hashed beside the encryption (both release the GIL), since an index vouches for its
ciphertext only: an asset that changed in the store must not be sealed. A failed batch aborts its uploads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Any

from cluster.objects import PIECE, Objects
from content.bundles.index import Index
from content.bundles.keys import ContentKey
from content.bundles.part import PartSealer
from content.bundles.stream import block_sizes, sealed_size
from content.canonical import DIGEST_PREFIX, digest
from content.errors import ContentError

SEGMENT = 1 << 20
UPLOADERS = 4


@dataclass(frozen=True)
class Source:
    """One plaintext file of a bundle and where it lies in the store."""

    key: str
    digest: str
    size: int
    media_class: str


@dataclass(frozen=True)
class Sealed:
    """What a batch made for one device: the index's place, size and digest, and the part's."""

    index_path: str
    index_size: int
    index_digest: str
    part_path: str
    part_size: int
    part_digest: str


def batch_memory(total: int) -> int:
    """Bytes that one device of a batch holds in memory, for a bundle of `total` plaintext bytes."""
    return min(total, PIECE) + 2 * SEGMENT


def seal_batch(
    objects: Objects,
    sources: Sequence[Source],
    targets: Sequence[tuple[str, ContentKey]],
    prefix: str,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Sealed]:
    """Seal `sources` for each target (folder below `prefix`, content key). Results in the order of the targets.

    Raises ContentError `asset-changed`, or what the store raises; nothing of the batch is then left but whole objects
    under this attempt's own keys, which no row names (`gc` removes them).
    """
    whole = sum(sealed_size(source.size) for source in sources)
    done, total = 0, max(1, sum(source.size for source in sources))
    with ThreadPoolExecutor(UPLOADERS) as uploads, ThreadPoolExecutor(1) as hasher:
        room = BoundedSemaphore(UPLOADERS + 1)
        parts = [_Part(objects, folder, key, prefix, whole, uploads, room) for folder, key in targets]
        try:
            for source in sources:
                sealers = [part.begin(source) for part in parts]
                sha, hashing = hashlib.sha256(), None
                for block in objects.read(source.key, block_sizes(source.size)):
                    if hashing is not None:
                        hashing.result()
                    hashing = hasher.submit(sha.update, block)
                    for part, sealer in zip(parts, sealers, strict=True):
                        part.write(sealer, block)
                    done += len(block)
                    progress(done / total)
                if hashing is not None:
                    hashing.result()
                if DIGEST_PREFIX + sha.hexdigest() != source.digest:
                    raise ContentError("asset-changed", f"The stored asset {source.digest} is not what it was.")
                for part in parts:
                    part.sealer.finish_file()
            if whole > PIECE:
                return [part.finish() for part in parts]
            return list(uploads.map(_Part.finish, parts))  # nothing of these parts is in flight yet
        except BaseException:
            for part in parts:
                part.abort()
            raise


@dataclass
class _Part:
    """One device's part on its way to the store."""

    objects: Objects
    folder: str
    key: ContentKey
    prefix: str
    expected: int
    uploads: ThreadPoolExecutor
    room: BoundedSemaphore
    filled: int = 0
    upload: str | None = None
    flying: list[Future[dict[str, Any]]] = field(default_factory=list[Any])

    def __post_init__(self) -> None:
        self.path = f"{self.folder}/0.part"
        self.sealer = PartSealer(self.key, self.path, os.urandom)
        self.buffer = self._new_buffer()

    def _new_buffer(self) -> bytearray:
        return bytearray(min(self.expected, PIECE) + SEGMENT)

    def begin(self, source: Source) -> Any:
        return self.sealer.begin(source.digest, source.size, source.media_class)

    def write(self, sealer: Any, block: bytes) -> None:
        """Seal straight into the upload buffer; send it off when it is full."""
        self.filled += len(sealer.seal(block, memoryview(self.buffer)[self.filled :]))
        if self.filled >= PIECE and self.expected > PIECE:
            self._send()

    def _send(self) -> None:
        if self.upload is None:
            self.upload = self.objects.begin(self.prefix + self.path)
        number, body = len(self.flying) + 1, memoryview(self.buffer)[: self.filled]
        self.room.acquire()
        self.flying.append(self.uploads.submit(self._put_piece, number, body))
        self.buffer, self.filled = self._new_buffer(), 0
        for earlier in self.flying:
            if earlier.done():
                earlier.result()

    def _put_piece(self, number: int, body: memoryview) -> dict[str, Any]:
        try:
            assert self.upload is not None
            return self.objects.piece(self.prefix + self.path, self.upload, number, bytes(body))
        finally:
            self.room.release()

    def finish(self) -> Sealed:
        part = self.sealer.part_entry()
        if self.upload is None:
            self.objects.put(self.prefix + self.path, bytes(memoryview(self.buffer)[: self.filled]))
        else:
            if self.filled:
                self._send()
            self.objects.finish(self.prefix + self.path, self.upload, [piece.result() for piece in self.flying])
        index = Index(self.sealer.file_entries(), (part,)).to_bytes()
        index_path = f"{self.folder}/index.json"
        self.objects.put(self.prefix + index_path, index, "application/json")
        return Sealed(index_path, len(index), digest(index), self.path, part.size, part.digest)

    def abort(self) -> None:
        for piece in self.flying:
            piece.cancel()
        _settle(self.flying)
        if self.upload is not None:
            with contextlib.suppress(ContentError):  # the store's own rule ends stale uploads
                self.objects.abort(self.prefix + self.path, self.upload)


def _settle(pieces: Iterable[Future[Any]]) -> None:
    for piece in pieces:
        if not piece.cancelled():
            piece.exception()
