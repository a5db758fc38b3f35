from __future__ import annotations

import asyncio

from cluster.ending import end


async def _loop(log: list[str], deaf: int) -> None:
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log.append("cancelled")
            if len(log) > deaf:
                raise


def test_a_task_that_loses_a_cancel_is_cancelled_again() -> None:
    async def go() -> list[str]:
        log = list[str]()
        task = asyncio.create_task(_loop(log, 2))
        await asyncio.sleep(0)
        await end(task, again_s=0.01)
        assert task.cancelled()
        return log

    assert asyncio.run(go()) == ["cancelled"] * 3


def test_one_cancel_is_enough_for_most() -> None:
    async def go() -> list[str]:
        log = list[str]()
        task = asyncio.create_task(_loop(log, 0))
        await asyncio.sleep(0)
        await end(task)
        return log

    assert asyncio.run(go()) == ["cancelled"]


def test_what_a_task_raised_is_not_raised() -> None:
    async def fails() -> None:
        raise ValueError("x")

    async def go() -> None:
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        await end(task, None)
        assert isinstance(task.exception(), ValueError)

    asyncio.run(go())
