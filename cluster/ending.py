"""The end of tasks that run until they are cancelled.

One cancel is not enough: Python 3.11's `wait_for` loses one that comes as its future is done, and psycopg may turn one into
the failure of the statement it met. A loop that catches such failures goes on, and whoever waits for it waits for good.
"""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 5.0
"""When a task that still runs is cancelled once more, in seconds: long enough for what it closes on its way."""


async def end(*tasks: asyncio.Task[Any] | None, again_s: float = AGAIN_S) -> None:
    """Cancel until all are over; what they raised is not. For loops: work that cleans up for long is cut off in it."""
    left = {task for task in tasks if task is not None}
    while left := {task for task in left if not task.done()}:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=again_s)
    for task in tasks:
        if task is not None and not task.cancelled():
            task.exception()  # or the loop complains that nobody asked
