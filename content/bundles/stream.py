"""One encrypted file: the wire format of Tink's streaming AEAD AES256_GCM_HKDF_1MB, sealed and opened by segments.

    0x28 | salt (32) | nonce prefix (7) | segment 0 | segment 1 | …

Every ciphertext segment is 1 MiB but the last; the header counts towards the first. Nothing here holds more than one
segment. Sealing also collects the SHA-256 of each ciphertext segment (the first one's includes the header); opening
checks that hash **before** it decrypts, since under the policy `shared` a peer knows the key and could forge a segment
that decrypts well. docs/bundle-format.md, "Stream".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from content.bundles.errors import BundleRefused

SEGMENT_BYTES: Final = 1 << 20
TAG_BYTES: Final = 16
SALT_BYTES: Final = 32
PREFIX_BYTES: Final = 7
HEADER_BYTES: Final = 1 + SALT_BYTES + PREFIX_BYTES
HASH_BYTES: Final = 32
FIRST_BLOCK_BYTES: Final = SEGMENT_BYTES - HEADER_BYTES - TAG_BYTES
BLOCK_BYTES: Final = SEGMENT_BYTES - TAG_BYTES
MAX_FILE_BYTES: Final = 1 << 36


def segment_count(size: int) -> int:
    """How many segments a plaintext of `size` bytes takes; an empty one takes one."""
    return 1 if size <= FIRST_BLOCK_BYTES else 1 + -(-(size - FIRST_BLOCK_BYTES) // BLOCK_BYTES)


def sealed_size(size: int) -> int:
    """The ciphertext's size in bytes, header and tags included."""
    return HEADER_BYTES + size + TAG_BYTES * segment_count(size)


def segment_range(size: int, i: int) -> tuple[int, int]:
    """(offset, length) of ciphertext segment i within the sealed file of a plaintext of `size` bytes."""
    if not 0 <= i < segment_count(size):
        raise BundleRefused("segment-number", f"A file of {size} bytes has no segment {i}.")
    offset = i * SEGMENT_BYTES
    return offset, min(SEGMENT_BYTES, sealed_size(size) - offset)


def block_sizes(size: int) -> Iterator[int]:
    """The plaintext bytes of each segment in turn."""
    for i in range(segment_count(size)):
        yield segment_range(size, i)[1] - TAG_BYTES - (HEADER_BYTES if i == 0 else 0)


def _cipher(key: bytes, salt: bytes, associated_data: bytes) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt, associated_data).derive(key))


def _nonce(prefix: bytes, i: int, last: bool) -> bytes:
    return prefix + i.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


class FileSealer:
    """Seals one file, block after block, exactly in the sizes of `block_sizes`.

    `seal` does both steps. A bundler with a thread to spare calls `encrypt`, hashes the result there, and hands the
    hashes to `add_digest` in order.
    """

    def __init__(self, key: bytes, associated_data: bytes, *, size: int, salt: bytes, nonce_prefix: bytes) -> None:
        if not 0 <= size <= MAX_FILE_BYTES or len(salt) != SALT_BYTES or len(nonce_prefix) != PREFIX_BYTES:
            raise BundleRefused("file-size", f"A file has at most {MAX_FILE_BYTES} bytes.")
        self.size = size
        self.sealed_size = sealed_size(size)
        self._header = bytes([HEADER_BYTES]) + salt + nonce_prefix
        self._prefix = nonce_prefix
        self._cipher = _cipher(key, salt, associated_data)
        self._count = segment_count(size)
        self._next = 0
        self._digests: list[bytes] = []

    def block_sizes(self) -> Iterator[int]:
        """The plaintext sizes the caller has to feed, in order."""
        return block_sizes(self.size)

    def encrypt(self, block: bytes | bytearray | memoryview, into: bytearray | memoryview | None = None) -> memoryview:
        """The next ciphertext segment. `into` (1 MiB or more) spares the allocation; it may be reused after use.

        Raises BundleRefused `block-size` when the block has not the size that is due.
        """
        i = self._next
        head = HEADER_BYTES if i == 0 else 0
        if i >= self._count or len(block) != segment_range(self.size, i)[1] - TAG_BYTES - head:
            raise BundleRefused("block-size", f"Block {i} has not the size that is due.", "Has the source changed?")
        length = head + len(block) + TAG_BYTES
        segment = memoryview(bytearray(length) if into is None else into)[:length]
        if i == 0:
            segment[:HEADER_BYTES] = self._header
        self._cipher.encrypt_into(_nonce(self._prefix, i, i == self._count - 1), block, None, segment[head:])
        self._next = i + 1
        return segment

    def add_digest(self, digest: bytes) -> None:
        """The raw SHA-256 of the next segment whose digest is due."""
        self._digests.append(digest)

    def seal(self, block: bytes | bytearray | memoryview, into: bytearray | memoryview | None = None) -> memoryview:
        """Encrypt and hash the next block; see `encrypt`."""
        segment = self.encrypt(block, into)
        self.add_digest(hashlib.sha256(segment).digest())
        return segment

    def segments(self) -> bytes:
        """The segment hashes, one after the other. Raises BundleRefused `file-unfinished` before the last one."""
        if self._next != self._count or len(self._digests) != self._count:
            raise BundleRefused("file-unfinished", f"{self._next} of {self._count} segments are sealed.")
        return b"".join(self._digests)


class FileOpener:
    """Opens one file by its segments. Segment 0 comes first, since it holds salt and nonce prefix; then any order."""

    def __init__(self, key: bytes, associated_data: bytes, *, size: int, segments: bytes) -> None:
        if not 0 <= size <= MAX_FILE_BYTES or len(segments) != HASH_BYTES * segment_count(size):
            raise BundleRefused("file-size", "The number of segment hashes does not fit the size of the file.")
        self.size = size
        self.sealed_size = sealed_size(size)
        self.count = segment_count(size)
        self._key, self._associated_data, self._segments = key, associated_data, segments
        self._opened: tuple[AESGCM, bytes] | None = None

    def segment_range(self, i: int) -> tuple[int, int]:
        """(offset, length) of segment i within the file."""
        return segment_range(self.size, i)

    def open(self, i: int, segment: bytes | bytearray | memoryview) -> bytes:
        """The plaintext of segment i.

        Raises BundleRefused `segment-size`, `segment-digest`, `stream-header` or `segment-tag`, in this order.
        """
        if len(segment) != self.segment_range(i)[1]:
            raise BundleRefused("segment-size", f"Segment {i} has not its length.", "Download the part again.")
        if hashlib.sha256(segment).digest() != self._segments[i * HASH_BYTES : (i + 1) * HASH_BYTES]:
            raise BundleRefused("segment-digest", f"Segment {i} is not what was signed.", "Download the part again.")
        view = memoryview(segment)
        if i == 0:
            if view[0] != HEADER_BYTES:
                raise BundleRefused("stream-header", "The file does not begin with a stream header.")
            salt, prefix = bytes(view[1 : 1 + SALT_BYTES]), bytes(view[1 + SALT_BYTES : HEADER_BYTES])
            self._opened = _cipher(self._key, salt, self._associated_data), prefix
            view = view[HEADER_BYTES:]
        if self._opened is None:
            raise BundleRefused("segment-number", "Segment 0 has to be opened before any other.")
        cipher, prefix = self._opened
        try:
            return cipher.decrypt(_nonce(prefix, i, i == self.count - 1), view, None)
        except InvalidTag as error:
            raise BundleRefused("segment-tag", f"Segment {i} was not encrypted under this name and key.") from error
