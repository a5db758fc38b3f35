"""How far a build is, and that it stops when its job is to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tasks import progress
from tasks.progress import JobCancelled, Progress


class Row:
    """A job's row, as the statements of `tasks.jobs` see it."""

    def __init__(self) -> None:
        self.written: list[tuple[float, str]] = []
        self.cancelling = False


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> Row:
    row = Row()

    async def write(_tx: Any, _job: str, share: float, message: str, stages: list[dict[str, Any]]) -> None:
        row.written.append((share, message))

    async def asked(_tx: Any, _job: str) -> bool:
        return row.cancelling

    monkeypatch.setattr(progress.jobs, "progress", write)
    monkeypatch.setattr(progress.jobs, "cancel_requested", asked)
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    return row


class Connections:
    class db:
        @staticmethod
        @asynccontextmanager
        async def tenant(_name: str) -> Any:
            yield None


def fresh() -> Progress:
    return Progress(Connections(), "acme", "job_1")  # type: ignore[arg-type]


def test_stages_add_up_and_never_go_back() -> None:
    told = fresh()
    told.tell("draft", 0.5, "reading")
    assert told.overall() == pytest.approx(0.025)
    told.expect(["a", "b"])
    told.share("a", "video", 0.5)
    assert told.overall() == pytest.approx(0.05 + 0.9 * 0.25)
    told.share("b", "image", 0.1)
    told.tell("draft", 0.1, "late")
    assert told.overall() == pytest.approx(0.05 + 0.9 * 0.3)
    told.tell("publish", 0.4, "signing")
    assert told.overall() == pytest.approx(0.97)


def test_each_original_has_a_progress_of_its_own() -> None:
    told = fresh()
    assert all("assets" not in stage for stage in told.stages())
    told.expect(["film", "cat", "dog"])
    told.planned("film", ["240p", "480p"])
    told.share("film", "240p", 1.0)
    told.planned("cat", ["320"])
    told.done("cat", "320", reused=False)
    media = next(stage for stage in told.stages() if stage["name"] == "media")
    assert media["assets"] == {"all": 3, "done": 1, "under_way": [{"asset": "film", "progress": 0.5}]}
    assert told.overall() == pytest.approx(0.05 + 0.9 * 0.5)
    told.share("film", "480p", 0.5)
    told.share("dog", "320", 0.9)
    media = next(stage for stage in told.stages() if stage["name"] == "media")
    assert [(each["asset"], each["progress"]) for each in media["assets"]["under_way"]] == [
        ("dog", 0.9),
        ("film", 0.75),
    ]


def test_of_many_originals_those_furthest_are_named() -> None:
    told = fresh()
    names = [f"a{number:03}" for number in range(500)]
    told.expect(names)
    for number, name in enumerate(names):
        told.share(name, "x", number / 1000)
    media = next(stage for stage in told.stages() if stage["name"] == "media")
    assert media["assets"]["all"] == 500
    assert [each["asset"] for each in media["assets"]["under_way"]] == names[: -1 - progress.MOST_UNDER_WAY : -1]


async def test_the_work_goes_on_while_nobody_asks(row: Row) -> None:
    async def work() -> str:
        told.tell("draft", 1.0, "read")
        while not row.written:
            await asyncio.sleep(0.005)
        return "made"

    async with fresh() as told:
        assert await told.unless_cancelled(work()) == "made"
    assert row.written[0][1] == "read"


async def test_who_waits_at_the_very_beginning_is_told_and_hears_of_a_cancel(row: Row) -> None:
    async with fresh() as told:
        told.tell(next(iter(told.stages()))["name"], 0.0, "waiting")

        async def wait_for_ever() -> None:
            while not row.written:
                await asyncio.sleep(0.005)
            row.cancelling = True
            await asyncio.sleep(60)

        with pytest.raises(JobCancelled):
            await told.unless_cancelled(wait_for_ever())
    assert row.written[0] == (0.0, "waiting")


async def test_a_cancelled_job_stops_its_work_and_waits_until_it_has_stopped(row: Row) -> None:
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        row.cancelling = True
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)  # ending an encoder takes a moment
            cleaned = True

    async with fresh() as told:
        with pytest.raises(JobCancelled):
            await told.unless_cancelled(work())
        assert cleaned


async def test_a_worker_that_leaves_is_not_taken_for_a_cancelled_job(row: Row) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    async def attempt() -> None:
        async with fresh() as told:
            await told.unless_cancelled(work())

    task = asyncio.create_task(attempt())
    await asyncio.wait_for(begun.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()


def test_a_cancel_that_comes_out_as_a_failed_statement_ends_the_mirror_all_the_same(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As psycopg does it where a connection is being fetched."""
    asked = asyncio.Event()

    @asynccontextmanager
    async def failing(_name: str) -> AsyncIterator[None]:
        asked.set()
        try:
            await asyncio.sleep(60)
            yield None
        except asyncio.CancelledError:
            raise OSError("the connection was given up") from None

    monkeypatch.setattr(Connections.db, "tenant", staticmethod(failing))

    async def work() -> None:
        async with asyncio.timeout(5), fresh():
            await asked.wait()

    asyncio.run(work())
