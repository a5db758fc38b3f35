"""The stream of a job's events, without Postgres: what it sends, when it ends, and who gets a seat."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from cluster.settings import Settings
from content.errors import ContentError
from serve_app import job_events
from serve_app.job_events import JobEvents, stream


def row(revision: int, state: str = "running", progress: float = 0.5) -> dict[str, Any]:
    return {
        "job_id": "job_1", "state": state, "attempt": 1, "progress": progress, "message": "film: video-480 50%",
        "stages": [], "result": None, "problem": None, "revision": revision, "ended": state == "succeeded",
    }  # fmt: skip


class Row:
    """A job's row, with somebody who changes it."""

    def __init__(self, first: dict[str, Any] | None) -> None:
        self.now, self.woken, self.reads = first, asyncio.Event(), 0

    async def read(self) -> dict[str, Any] | None:
        self.reads += 1
        return self.now

    def change(self, to: dict[str, Any] | None) -> None:
        self.now = to
        self.woken.set()


async def test_it_begins_with_what_is_and_ends_with_the_end() -> None:
    job = Row(row(3))
    events = stream(job.woken, job.read, 0, 10)
    assert await anext(events) == "retry: 1000\n\n"
    first = await anext(events)
    assert first.startswith("id: 3\nevent: progress\ndata: ")
    assert json.loads(first.split("data: ")[1])["progress"] == 0.5
    job.change(row(5, "succeeded", 1.0))
    assert (await anext(events)).startswith("id: 5\nevent: end\n")
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_what_was_seen_is_not_sent_again() -> None:
    job = Row(row(3))
    events = stream(job.woken, job.read, 3, 10)
    await anext(events)
    later = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.05)
    assert not later.done()
    job.change(row(4))
    assert (await later).startswith("id: 4\n")


async def test_a_quiet_stream_shows_that_it_lives_and_asks_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_events, "HEARTBEAT_S", 0.05)
    job = Row(row(3))
    texts = [text async for text in stream(job.woken, job.read, 3, 0.2)]
    assert texts[0] == "retry: 1000\n\n"
    assert set(texts[1:]) == {": still here\n\n"}
    assert job.reads <= 7


async def test_it_closes_in_time_however_busy_the_job_is() -> None:
    job = Row(row(1))
    got = 0
    async with asyncio.timeout(30):
        async for text in stream(job.woken, job.read, 0, 2.0):
            if text.startswith("id"):
                got += 1
                await asyncio.sleep(0.01)
                job.change(row(got + 1))
    assert got > 3


async def test_a_database_that_is_away_ends_the_stream_without_a_word() -> None:
    async def away() -> dict[str, Any]:
        raise ContentError("database-unavailable", "", "", True)

    assert [text async for text in stream(asyncio.Event(), away, 0, 5)] == ["retry: 1000\n\n"]


def test_seats_are_counted_by_tenant_and_in_all() -> None:
    hub = JobEvents(Settings(sse_max_streams=3, sse_max_streams_per_tenant=2))
    leave = hub.take_seat("acme")
    hub.take_seat("acme")
    with pytest.raises(ContentError, match="Too many") as refused:
        hub.take_seat("acme")
    assert (refused.value.code, refused.value.retryable) == ("too-many-streams", True)
    hub.take_seat("other")
    with pytest.raises(ContentError) as full:
        hub.take_seat("third")
    assert full.value.code == "streams-full"
    leave()
    leave()  # twice is once
    assert hub.open_streams == 2
    hub.take_seat("acme")
