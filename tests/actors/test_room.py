"""A room shared by many or held by one."""

from __future__ import annotations

import asyncio

from actors.room import Room


async def test_alone_waits_for_the_others_and_keeps_new_ones_out() -> None:
    room, order = Room(), list[str]()
    leave = asyncio.Event()

    async def shared(name: str, until: asyncio.Event | None = None) -> None:
        async with room.enter():
            order.append(f"{name} in")
            if until is not None:
                await until.wait()
            order.append(f"{name} out")

    async def alone() -> None:
        async with room.enter(alone=True):
            order.append("alone in")
            await asyncio.sleep(0)
            order.append("alone out")

    first = asyncio.create_task(shared("first", leave))
    await asyncio.sleep(0)
    suspect = asyncio.create_task(alone())
    await asyncio.sleep(0)
    late = asyncio.create_task(shared("late"))
    await asyncio.sleep(0)
    assert order == ["first in"]
    leave.set()
    await asyncio.gather(first, suspect, late)
    assert order == ["first in", "first out", "alone in", "alone out", "late in", "late out"]


async def test_a_cancelled_waiter_does_not_block_the_room() -> None:
    room = Room()
    async with room.enter():
        suspect = asyncio.create_task(_enter_alone(room))
        await asyncio.sleep(0)
        suspect.cancel()
        await asyncio.gather(suspect, return_exceptions=True)
        async with asyncio.timeout(1), room.enter():
            pass


async def _enter_alone(room: Room) -> None:
    async with room.enter(alone=True):
        pass
