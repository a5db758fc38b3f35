"""How far a build is, and that it stops when its job is to end."""

from __future__ import annotations

import asyncio
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


async def test_the_work_goes_on_while_nobody_asks(row: Row) -> None:
    async def work() -> str:
        told.tell("draft", 1.0, "read")
        while not row.written:
            await asyncio.sleep(0.005)
        return "made"

    async with fresh() as told:
        assert await told.unless_cancelled(work()) == "made"
    assert row.written[0][1] == "read"


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
    stopped = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    async def attempt() -> None:
        async with fresh() as told:
            await told.unless_cancelled(work())

    task = asyncio.create_task(attempt())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()
