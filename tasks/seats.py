"""Places for work of two sizes, so that the small never waits behind the large: one place that large work may take, and some
that it may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Seats:
    """`large_from`: what counts as large. Who finds no place waits for one, first come, first served."""

    def __init__(self, large_from: int, *, large: int = 1, small: int = 3) -> None:
        self._large_from = large_from
        self._large, self._small = asyncio.Semaphore(large), asyncio.Semaphore(small)

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """A place for work of this size, until the block ends."""
        async with self._large if size >= self._large_from else self._small:
            yield
