"""What the key services are made of, each by itself: the limiter, the caches, the envelope, strict signatures."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from cluster.keys import envelope, signatures
from cluster.keys.batch_keys import BatchKeys
from cluster.keys.cache import Cache
from cluster.keys.envelope import BatchKey
from cluster.keys.kms_region import PROCESSES, SHARE
from cluster.keys.limiter import Limiter
from content.errors import ContentError
from content.jwk import ORDER


@dataclass
class Clock:
    now: float = 0.0
    slept: list[float] = field(default_factory=list[float])

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def limiter(clock: Clock, floor: float = 1.0, ceiling: float = 100.0, start: float | None = None) -> Limiter:
    return Limiter(floor, ceiling, start=start, clock=clock, sleep=clock.sleep)


# -- limiter ----------------------------------------------------------------------------------------------------------


def test_calls_keep_to_the_rate() -> None:
    clock = Clock()
    limit = limiter(clock, start=10.0, ceiling=10.0)
    for _ in range(110):
        assert limit.take(60.0)
    assert clock.now == pytest.approx(10.0, rel=0.02)  # a second's worth at once, the others ten a second


def test_a_quiet_process_may_ask_for_more_up_to_the_quota_and_no_further() -> None:
    clock = Clock()
    limit = limiter(clock)
    assert limit.rate == 25.0
    clock.now += 5.0
    assert limit.rate == 50.0
    clock.now += 3600.0
    assert limit.rate == 100.0


def test_throttling_halves_the_rate_once_a_moment_down_to_the_floor() -> None:
    clock = Clock()
    limit = limiter(clock, floor=20.0, start=100.0)
    for _ in range(50):  # all calls in flight hear of it
        limit.throttled()
    assert limit.rate == 50.0
    for _ in range(5):
        clock.now += 1.0
        limit.throttled()
    assert limit.rate == 20.0
    clock.now += 2.0  # a second of calm, and one in which it grows
    assert limit.rate == 25.0


def test_whoever_would_wait_too_long_is_told_at_once_and_takes_no_turn() -> None:
    clock = Clock()
    limit = limiter(clock, floor=1.0, ceiling=1.0)
    assert limit.take(0.0)
    assert not limit.take(0.5)
    assert clock.slept == []
    assert limit.take(1.0)
    assert clock.slept == [1.0]


@given(st.lists(st.tuples(st.sampled_from(("take", "throttled", "pass")), st.floats(0, 5)), max_size=60))
def test_whatever_happens_the_rate_stays_between_floor_and_quota(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    limit = limiter(clock, floor=2.0, ceiling=50.0)
    taken, began = 0, clock.now
    for step, amount in steps:
        match step:
            case "take":
                taken += limit.take(amount)
            case "throttled":
                limit.throttled()
            case _:
                clock.now += amount
        assert 2.0 <= limit.rate <= 50.0
    assert taken <= 50.0 * (clock.now - began) + 50.0 + 1e-6


def test_at_their_floors_all_processes_together_are_below_the_quota() -> None:
    assert PROCESSES == 100
    assert SHARE * 300 / PROCESSES * PROCESSES < 300


# -- cache ------------------------------------------------------------------------------------------------------------


def test_what_is_over_or_too_much_is_forgotten() -> None:
    clock = Clock()
    cache: Cache[int] = Cache(2, 10.0, clock)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1  # used last, so b leaves
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    clock.now = 10.0
    cache.put("d", 4)
    assert len(cache) == 1, "an old entry does not wait to be asked for"


# -- envelope ---------------------------------------------------------------------------------------------------------


KEY = BatchKey(bytes(32), b"blob of KMS")


def test_a_text_says_which_batch_key_opens_it() -> None:
    text = envelope.wrap(KEY, "acme", b"k" * 32, b"n" * 12)
    assert text.startswith("kms1.")
    parsed = envelope.parse(text)
    assert parsed.blob == b"blob of KMS"
    assert envelope.unwrap(KEY.plain, "acme", parsed) == b"k" * 32


@pytest.mark.parametrize(
    "text",
    ["", "kms1", "kms1.", "kms1..", "kms1.YQ==", "kms1.YQ==.YQ==", "kms2.YQ==.YWFhYWFhYWFhYWFhYWFh", "vault:v1:abc",
     "kms1.YQ==.YWFhYWFhYWFhYWFhYWFh.more", "kms1.*.YWFhYWFhYWFhYWFhYWFh"],
)  # fmt: skip
def test_what_we_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(ContentError) as refused:
        envelope.parse(text)
    assert refused.value.code == "key-refused"


@given(st.binary(min_size=32, max_size=32), st.integers(0, 59), st.integers(1, 255))
def test_no_changed_byte_and_no_other_tenant_opens(key: bytes, at: int, flip: int) -> None:
    text = envelope.wrap(KEY, "acme", key, b"n" * 12)
    parsed = envelope.parse(text)
    body = bytearray(parsed.nonce + parsed.ciphertext)
    body[at] ^= flip
    changed = envelope.Wrapped(parsed.blob, bytes(body[:12]), bytes(body[12:]))
    for plain, tenant, what in (
        (KEY.plain, "acme", changed),
        (KEY.plain, "other", parsed),
        (b"1" * 32, "acme", parsed),
    ):
        with pytest.raises(ContentError):
            envelope.unwrap(plain, tenant, what)


class Made:
    """Stands for KMS: keeps what it gave out, counts what it is asked."""

    def __init__(self) -> None:
        self.made: dict[bytes, tuple[str, bytes]] = {}
        self.opened = 0

    def make(self, tenant: str) -> BatchKey:
        key = BatchKey(os.urandom(32), os.urandom(16))
        self.made[key.blob] = (tenant, key.plain)
        return key

    def open(self, tenant: str, blob: bytes) -> bytes:
        self.opened += 1
        owner, plain = self.made[blob]
        assert owner == tenant
        return plain

    def keys(self, uses: int = 10, ttl_s: float = 300.0) -> BatchKeys:
        return BatchKeys(self.make, self.open, uses=uses, ttl_s=ttl_s)


def test_a_batch_key_wraps_so_many_keys_and_no_more() -> None:
    kms = Made()
    keys, plain = kms.keys(uses=10), [os.urandom(32) for _ in range(25)]
    texts = [*keys.wrap("acme", plain[:7]), *keys.wrap("acme", plain[7:])]
    per_key = [sum(envelope.parse(text).blob == blob for text in texts) for blob in kms.made]
    assert per_key == [10, 10, 5]
    assert kms.keys().unwrap("acme", texts) == plain
    assert kms.opened == 3


def test_tenants_share_no_batch_key_and_an_old_one_wraps_no_more() -> None:
    kms = Made()
    keys = kms.keys()
    keys.wrap("acme", [bytes(32)])
    keys.wrap("other", [bytes(32)])
    assert sorted(tenant for tenant, _ in kms.made.values()) == ["acme", "other"]
    stale = kms.keys(ttl_s=0.0)
    stale.wrap("acme", [bytes(32)])
    stale.wrap("acme", [bytes(32)])
    assert len(kms.made) == 4


def test_what_was_opened_for_one_tenant_is_not_found_for_another() -> None:
    kms = Made()
    keys = kms.keys()
    texts = keys.wrap("acme", [bytes(32)])
    keys.unwrap("acme", texts)
    keys.unwrap("acme", texts)
    assert kms.opened == 1
    with pytest.raises(AssertionError):  # it asks KMS, which refuses
        keys.unwrap("other", texts)


def test_threads_share_a_batch_key_within_its_limit() -> None:
    kms = Made()
    keys, texts, lock = kms.keys(uses=7), [], threading.Lock()

    def work() -> None:
        for _ in range(20):
            wrapped = keys.wrap("acme", [bytes(32)])
            with lock:
                texts.extend(wrapped)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    uses = [sum(envelope.parse(text).blob == blob for text in texts) for blob in kms.made]
    assert sum(uses) == 160
    assert max(uses) <= 7


# -- signatures -------------------------------------------------------------------------------------------------------


def test_a_signature_becomes_its_64_bytes() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    for n in range(50):
        der = key.sign(str(n).encode(), ec.ECDSA(hashes.SHA256()))
        raw = signatures.raw_of(der)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        assert (len(raw), encode_dss_signature(r, s)) == (64, der)
        assert signatures.checked(raw) == raw


ONE = encode_dss_signature(1, 1)


@pytest.mark.parametrize(
    "der",
    [
        b"", b"\x30", ONE[:-1], ONE + b"\x00", b"\x31" + ONE[1:], bytes.fromhex("30 07 02 02 00 01 02 01 01"),
        bytes.fromhex("30 81 06 02 01 01 02 01 01"), bytes.fromhex("30 06 02 01 81 02 01 01"),
        encode_dss_signature(0, 1), encode_dss_signature(1, 0), encode_dss_signature(ORDER, 1),
        encode_dss_signature(1, ORDER), encode_dss_signature(1 << 256, 1),
    ],
    ids=["empty", "cut at once", "cut", "more behind", "a set", "padded number", "long length", "negative", "r is 0",
         "s is 0", "r is the order", "s is the order", "r is too long"],
)  # fmt: skip
def test_anything_else_than_the_one_encoding_is_refused(der: bytes) -> None:
    with pytest.raises(ContentError) as refused:
        signatures.raw_of(der)
    assert refused.value.code == "key-refused"


@pytest.mark.parametrize("raw", [b"", bytes(64), b"\x01" * 63, b"\x01" * 65, b"\xff" * 64])
def test_64_bytes_that_are_no_signature_are_refused(raw: bytes) -> None:
    with pytest.raises(ContentError):
        signatures.checked(raw)
