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
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Any

from cluster.objects import PIECE, Objects
from content.bundles.delta import Kept
from content.bundles.index import IndexPart
from content.bundles.keys import ContentKey
from content.bundles.licence import IndexRef
from content.bundles.part import PartSealer
from content.bundles.stream import block_sizes, sealed_size
from content.canonical import DIGEST_PREFIX, digest
from content.errors import ContentError
from tasks.batches import SEGMENT

UPLOADERS = 4


@dataclass(frozen=True)
class Source:
    """One plaintext file of a bundle and where it lies in the store."""

    key: str
    digest: str
    size: int
    media_class: str


@dataclass(frozen=True)
class Target:
    """For whom to seal: a folder below the prefix, the content key, and what of an older index stays."""

    folder: str
    key: ContentKey
    kept: Kept = field(default_factory=Kept)


@dataclass(frozen=True)
class Sealed:
    """What was made for one target: the index, its parts, and which one of them is new (none if all files were kept)."""

    index: IndexRef
    parts: tuple[IndexPart, ...]
    new_part: IndexPart | None
    kids: tuple[str, ...]


def seal_batch(
    objects: Objects,
    sources: Sequence[Source],
    targets: Sequence[Target],
    prefix: str,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Sealed]:
    """Seal for each target those of `sources` that it does not keep; each is read once. Results in the order of targets.

    Raises ContentError `asset-changed`, or what the store raises; nothing of the batch is then left but whole objects
    under this attempt's own keys, which no row names (`gc` removes them).
    """
    done, total = 0, max(1, sum(source.size for source in sources))
    with (
        ThreadPoolExecutor(UPLOADERS) as uploads,
        ThreadPoolExecutor(1) as hasher,
        ThreadPoolExecutor(max(1, min(len(targets), os.cpu_count() or 1))) as cores,
    ):
        room = BoundedSemaphore(UPLOADERS + 1)
        parts = [_Part(objects, target, prefix, _size(sources, target), uploads, room) for target in targets]
        try:
            for source in sources:
                wanting = [part for part in parts if source.digest not in part.target.kept.digests]
                if not wanting:
                    continue
                sealers = [part.begin(source) for part in wanting]
                sha, hashing = hashlib.sha256(), None
                for block in objects.read(source.key, block_sizes(source.size)):
                    if hashing is not None:
                        hashing.result()
                    hashing = hasher.submit(sha.update, block)
                    # Each device's encryption and hash on a core of its own, as many as there are; both release the GIL.
                    writes = [
                        cores.submit(part.write, sealer, block) for part, sealer in zip(wanting, sealers, strict=True)
                    ]
                    wait(writes)  # all of them, so that none still writes while its upload is given up
                    for written in writes:
                        written.result()
                    done += len(block)
                    progress(done / total)
                if hashing is not None:
                    hashing.result()
                if DIGEST_PREFIX + sha.hexdigest() != source.digest:
                    raise ContentError("asset-changed", f"The stored asset {source.digest} is not what it was.")
                for part in wanting:
                    part.sealer.finish_file()
            if any(part.expected > PIECE for part in parts):
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
    target: Target
    prefix: str
    expected: int
    uploads: ThreadPoolExecutor
    room: BoundedSemaphore
    filled: int = 0
    upload: str | None = None
    flying: list[Future[dict[str, Any]]] = field(default_factory=list[Any])

    def __post_init__(self) -> None:
        self.path = f"{self.target.folder}/0.part"
        self.sealer = PartSealer(self.target.key, self.path, number=len(self.target.kept.parts))
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
        files = self.sealer.file_entries()
        part = self.sealer.part_entry() if files else None
        if part is None:
            pass  # nothing has changed but what the manifest says
        elif self.upload is None:
            self.objects.put(self.prefix + self.path, bytes(memoryview(self.buffer)[: self.filled]))
        else:
            if self.filled:
                self._send()
            self.objects.finish(self.prefix + self.path, self.upload, [piece.result() for piece in self.flying])
        index = self.target.kept.joined(files, part)
        data, path = index.to_bytes(), f"{self.target.folder}/index.json"
        self.objects.put(self.prefix + path, data, "application/json")
        return Sealed(IndexRef(path, len(data), digest(data)), index.parts, part, tuple(sorted(index.kids)))

    def abort(self) -> None:
        for piece in self.flying:
            piece.cancel()
        _settle(self.flying)
        if self.upload is not None:
            with contextlib.suppress(ContentError):  # the store's own rule ends stale uploads
                self.objects.abort(self.prefix + self.path, self.upload)


def _size(sources: Sequence[Source], target: Target) -> int:
    return sum(sealed_size(source.size) for source in sources if source.digest not in target.kept.digests)


def _settle(pieces: Iterable[Future[Any]]) -> None:
    for piece in pieces:
        if not piece.cancelled():
            piece.exception()
