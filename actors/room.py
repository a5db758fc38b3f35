"""A room that many may share, or one may have to itself: a job suspected of killing workers runs alone on a replica."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """Shared or exclusive; who waits to be alone stops others from entering."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._inside, self._alone, self._waiting = 0, False, 0

    @asynccontextmanager
    async def enter(self, *, alone: bool = False) -> AsyncIterator[None]:
        async with self._changed:
            self._waiting += alone
            try:
                await self._changed.wait_for(lambda: self._free(alone))
            finally:
                self._waiting -= alone
            self._inside, self._alone = self._inside + 1, alone
        try:
            yield
        finally:
            async with self._changed:
                self._inside, self._alone = self._inside - 1, False
                self._changed.notify_all()

    def _free(self, alone: bool) -> bool:
        if alone:
            return self._inside == 0
        return not self._alone and not self._waiting
