"""Manifests in memory: bounded in bytes and time, forgotten on word, and never kept from before a word."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from cluster import invalidations
from cluster.invalidations import EVENT, PREFIX, Changed, Invalidations, read
from cluster.manifests import Manifests

ONE, TWO = ("acme", "pkg_1", 1), ("acme", "pkg_1", 2)
DIGEST = "sha256:x"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_is_kept_until_its_time_is_over() -> None:
    clock = Clock()
    kept = Manifests(100, 60.0, clock)
    kept.keep(ONE, DIGEST, b"body", kept.generation)
    found = kept.get(ONE)
    assert found is not None and (found.digest, found.body) == (DIGEST, b"body")
    clock.now = 59.9
    assert kept.get(ONE) is not None
    clock.now = 60.0
    assert kept.get(ONE) is None


def test_the_one_unused_for_longest_makes_room() -> None:
    kept = Manifests(10, 60.0)
    for version in (1, 2):
        kept.keep(("acme", "pkg_1", version), DIGEST, b"12345", kept.generation)
    assert kept.get(ONE) is not None
    kept.keep(("acme", "pkg_1", 3), DIGEST, b"123", kept.generation)
    assert kept.get(TWO) is None
    assert kept.get(ONE) is not None
    kept.keep(TWO, DIGEST, b"larger than all", kept.generation)
    assert kept.get(TWO) is None and kept.get(ONE) is not None


def test_what_was_looked_up_before_a_word_is_not_kept_after_it() -> None:
    kept = Manifests(100, 60.0)
    before = kept.generation
    kept.forget(Changed(*ONE))
    kept.keep(ONE, DIGEST, b"old", before)
    assert kept.get(ONE) is None


def test_a_word_forgets_its_version_and_doubt_forgets_everything() -> None:
    kept = Manifests(100, 60.0)
    for key in (ONE, TWO):
        kept.keep(key, DIGEST, b"body", kept.generation)
    kept.forget(Changed(*ONE))
    assert kept.get(ONE) is None and kept.get(TWO) is not None
    kept.forget(None)
    assert kept.get(TWO) is None
    for _ in range(30):  # the bytes are counted down again
        kept.keep(ONE, DIGEST, b"x" * 100, kept.generation)
    assert kept.get(ONE) is not None


def test_both_ways_say_the_same() -> None:
    changed = Changed(*ONE, withdrawn=True)
    assert read(f"{PREFIX}acme", changed.to_bytes()) == changed
    data = {"tenant_id": "acme", "package_id": "pkg_1", "version": 1}
    assert read(EVENT, json.dumps({"data": data}).encode()) == changed


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b'{"package_id": "p"}', b"\xff"])
def test_a_word_that_cannot_be_read_puts_everything_in_doubt(body: bytes) -> None:
    assert read(f"{PREFIX}acme", body) is None
    assert read(EVENT, body) is None


class Nats:
    """A client that answers pings as long as it is told to."""

    answers = True

    async def flush(self, timeout: float) -> None:
        if not self.answers:
            raise TimeoutError

    async def close(self) -> None:
        return


async def until(ask: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not ask():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


async def test_silence_ends_the_trust_and_hearing_again_begins_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invalidations, "ASK_S", 0.01)
    monkeypatch.setattr(invalidations, "SILENCE_S", 2.0)
    told: list[Any] = []
    words, server = Invalidations("nats://nowhere", "", "", told.append), Nats()

    async def connect() -> Nats:
        if not server.answers:
            raise OSError
        return server

    monkeypatch.setattr(words, "_connect", connect)
    assert not words.trusted
    words.start()
    await until(lambda: words.trusted)
    assert told == [None], "nothing is used that may be from before"
    server.answers = False
    await until(lambda: not words.trusted)
    assert not await words.tell(Changed(*ONE)), "the outbox will"
    server.answers = True
    await until(lambda: words.trusted)
    assert told == [None, None]
    await words.close()
    assert not words.trusted
