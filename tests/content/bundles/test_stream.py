"""The stream format: against Google's Tink both ways, and against every way to cut and splice segments."""

import hashlib
import io
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tink import new_keyset_handle, proto_keyset_format, secret_key_access, streaming_aead
from tink.proto import aes_gcm_hkdf_streaming_pb2, tink_pb2

from content.bundles.errors import BundleRefused
from content.bundles.stream import (
    SEGMENT_BYTES,
    FileOpener,
    FileSealer,
    block_sizes,
    sealed_size,
    segment_count,
    segment_range,
)
from tests.vectors.world import KEY, pattern

BOUNDARIES = [0, 1, 2**20 - 57, 2**20 - 56, 2**20 - 55, 2**20, 2**21 - 73, 2**21 - 72, 2**21 - 71, 3 * 2**20 + 5]
BOUND = b"content-bundle/1|key|file"


def seal(plaintext: bytes, key: bytes = KEY.key, bound: bytes = BOUND) -> tuple[bytes, bytes]:
    """(sealed file, segment hashes)."""
    sealer = FileSealer(key, bound, size=len(plaintext), salt=bytes(range(32)), nonce_prefix=bytes(7))
    out, position = bytearray(), 0
    for size in sealer.block_sizes():
        out += sealer.seal(plaintext[position : position + size])
        position += size
    return bytes(out), sealer.segments()


def unseal(sealed: bytes, segments: bytes, size: int, key: bytes = KEY.key, bound: bytes = BOUND) -> bytes:
    opener = FileOpener(key, bound, size=size, segments=segments)
    ranges = (opener.segment_range(i) for i in range(opener.count))
    return b"".join(opener.open(i, sealed[start : start + length]) for i, (start, length) in enumerate(ranges))


class Kept(io.BytesIO):
    """Tink closes what it writes to."""

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def tink() -> tuple[bytes, streaming_aead.StreamingAead]:
    streaming_aead.register()
    handle = new_keyset_handle(streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB)
    keyset = tink_pb2.Keyset.FromString(proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
    key = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey.FromString(keyset.key[0].key_data.value)
    return key.key_value, handle.primitive(streaming_aead.StreamingAead)


@pytest.mark.parametrize("size", BOUNDARIES)
def test_tink_opens_what_we_seal(tink, size: int) -> None:
    key, primitive = tink
    plaintext = pattern(size)
    sealed, _ = seal(plaintext, key)
    assert len(sealed) == sealed_size(size)
    with primitive.new_decrypting_stream(io.BytesIO(sealed), BOUND) as stream:
        assert stream.read() == plaintext


@pytest.mark.parametrize("size", BOUNDARIES)
def test_we_open_what_tink_seals(tink, size: int) -> None:
    key, primitive = tink
    plaintext, out = pattern(size), Kept()
    with primitive.new_encrypting_stream(out, BOUND) as stream:
        stream.write(plaintext)
    sealed = out.getvalue()
    chunks = [sealed[i : i + SEGMENT_BYTES] for i in range(0, len(sealed), SEGMENT_BYTES)]
    assert len(chunks) == segment_count(size)
    segments = b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)
    assert unseal(sealed, segments, size, key) == plaintext


@given(st.integers(0, 1 << 36))
def test_sizes_agree_with_each_other(size: int) -> None:
    count = segment_count(size)
    first, last = segment_range(size, 0), segment_range(size, count - 1)
    assert first[0] == 0
    assert sum(last) == sealed_size(size) == 40 + size + 16 * count
    assert 0 < last[1] <= SEGMENT_BYTES
    for outside in (-1, count):
        with pytest.raises(BundleRefused, match="no segment"):
            segment_range(size, outside)


@given(st.integers(0, 1 << 23))
def test_blocks_add_up_to_the_file(size: int) -> None:
    sizes = list(block_sizes(size))
    assert sum(sizes) == size
    assert len(sizes) == segment_count(size)
    assert all(block > 0 for block in sizes) or sizes == [0]


PLAINTEXT = pattern(3 * SEGMENT_BYTES - 200)
SEALED, SEGMENTS = seal(PLAINTEXT)
CHUNKS = [SEALED[i : i + SEGMENT_BYTES] for i in range(0, len(SEALED), SEGMENT_BYTES)]
OTHER = seal(PLAINTEXT, bound=b"content-bundle/1|key|other")[0]


def hashes(chunks: list[bytes]) -> bytes:
    return b"".join(hashlib.sha256(chunk).digest() for chunk in chunks)


@pytest.mark.parametrize(
    ("chunks", "code"),
    [
        ([CHUNKS[0], CHUNKS[2], CHUNKS[1]], "segment-digest"),
        ([CHUNKS[1], CHUNKS[0], CHUNKS[2]], "segment-digest"),
        ([CHUNKS[0], CHUNKS[0], CHUNKS[2]], "segment-digest"),
        ([CHUNKS[0], CHUNKS[1]], "segment-size"),
        ([CHUNKS[0], OTHER[SEGMENT_BYTES : 2 * SEGMENT_BYTES], CHUNKS[2]], "segment-digest"),
        ([CHUNKS[0][:-1] + b"x", CHUNKS[1], CHUNKS[2]], "segment-digest"),
        ([*CHUNKS[:2], CHUNKS[2][:-1]], "segment-size"),
    ],
    ids=["last two swapped", "first two swapped", "duplicated", "last dropped", "spliced", "changed", "cut"],
)
def test_segments_rearranged_are_refused_by_their_hash(chunks: list[bytes], code: str) -> None:
    with pytest.raises(BundleRefused) as refused:
        unseal(b"".join(chunks), SEGMENTS, len(PLAINTEXT))
    assert refused.value.code == code


def test_without_the_hash_the_tag_still_refuses() -> None:
    """Rearranged segments whose hashes were put right, as only a signer could."""
    swapped = [CHUNKS[0], OTHER[SEGMENT_BYTES : 2 * SEGMENT_BYTES], CHUNKS[2]]
    twice = [CHUNKS[0], CHUNKS[1], CHUNKS[1]]
    for chunks, size in (
        (swapped, len(PLAINTEXT)),
        (twice, 3 * SEGMENT_BYTES - 88),
        (CHUNKS[:2], 2 * SEGMENT_BYTES - 72),
    ):
        with pytest.raises(BundleRefused) as refused:
            unseal(b"".join(chunks), hashes(chunks), size)
        assert refused.value.code == "segment-tag"


def test_bytes_after_the_file_are_never_looked_at() -> None:
    assert unseal(SEALED + b"more", SEGMENTS, len(PLAINTEXT)) == PLAINTEXT


def test_the_hash_is_checked_before_decrypting() -> None:
    opener = FileOpener(KEY.key, BOUND, size=10, segments=bytes(32))
    opener._key = None  # type: ignore[assignment]  # a cipher made from this would raise TypeError
    with pytest.raises(BundleRefused) as refused:
        opener.open(0, bytes(66))
    assert refused.value.code == "segment-digest"


def test_any_segment_may_follow_the_first() -> None:
    opener = FileOpener(KEY.key, BOUND, size=len(PLAINTEXT), segments=SEGMENTS)
    with pytest.raises(BundleRefused) as refused:
        opener.open(2, CHUNKS[2])
    assert refused.value.code == "segment-number"
    opener.open(0, CHUNKS[0])
    assert opener.open(2, CHUNKS[2]) == PLAINTEXT[2 * SEGMENT_BYTES - 72 :]


def test_a_block_of_another_size_is_refused() -> None:
    for size, block in ((10, 9), (10, 11), (0, 1), (SEGMENT_BYTES, SEGMENT_BYTES)):
        sealer = FileSealer(KEY.key, BOUND, size=size, salt=bytes(32), nonce_prefix=bytes(7))
        with pytest.raises(BundleRefused) as refused:
            sealer.seal(bytes(block))
        assert refused.value.code == "block-size"


def test_sizes_that_do_not_fit_are_refused() -> None:
    for size, salt, prefix in ((-1, 32, 7), ((1 << 36) + 1, 32, 7), (1, 31, 7), (1, 32, 8)):
        with pytest.raises(BundleRefused) as refused:
            FileSealer(KEY.key, BOUND, size=size, salt=bytes(salt), nonce_prefix=bytes(prefix))
        assert refused.value.code == "file-size"
    for size, segments in ((-1, 32), (1, 31), (1, 64), (SEGMENT_BYTES, 32)):
        with pytest.raises(BundleRefused) as refused:
            FileOpener(KEY.key, BOUND, size=size, segments=bytes(segments))
        assert refused.value.code == "file-size"


def test_an_unfinished_file_has_no_segments() -> None:
    sealer = FileSealer(KEY.key, BOUND, size=0, salt=bytes(32), nonce_prefix=bytes(7))
    with pytest.raises(BundleRefused) as refused:
        sealer.segments()
    assert refused.value.code == "file-unfinished"
    sealer.seal(b"")
    assert len(sealer.segments()) == 32
    with pytest.raises(BundleRefused):
        sealer.seal(b"")


def test_hashing_elsewhere_and_reusing_a_buffer_gives_the_same_file() -> None:
    sealer = FileSealer(KEY.key, BOUND, size=len(PLAINTEXT), salt=bytes(range(32)), nonce_prefix=bytes(7))
    buffer, out, position = bytearray(SEGMENT_BYTES), bytearray(), 0
    for size in sealer.block_sizes():
        segment = sealer.encrypt(memoryview(PLAINTEXT)[position : position + size], buffer)
        sealer.add_digest(hashlib.sha256(segment).digest())
        out += segment
        position += size
    assert (bytes(out), sealer.segments()) == (SEALED, SEGMENTS)


@settings(max_examples=60)
@given(st.binary(max_size=300), st.data())
def test_a_changed_byte_never_gives_plaintext(plaintext: bytes, data: st.DataObject) -> None:
    sealed, segments = seal(plaintext)
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = bytearray(sealed)
    changed[at] ^= data.draw(st.integers(1, 255))
    for known in (segments, hashes([bytes(changed)])):
        with pytest.raises(BundleRefused):
            unseal(bytes(changed), known, len(plaintext))


def test_two_sealings_of_one_file_differ() -> None:
    sealed = {
        bytes(FileSealer(KEY.key, BOUND, size=3, salt=os.urandom(32), nonce_prefix=os.urandom(7)).seal(b"abc"))
        for _ in range(3)
    }
    assert len(sealed) == 3
