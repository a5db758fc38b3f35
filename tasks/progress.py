"""How far a build is: the mean over its originals of the mean over their renditions, written a few times a second."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import structlog

from cluster.connections import Connections
from content.errors import ContentError
from tasks import jobs

EVERY_S = 0.5
FROM, TO = 0.05, 0.95
"""The share of a build that is rendering."""
log = structlog.get_logger()


class Progress:
    """Collects shares in memory and mirrors them to the job's row; telling it never waits for the database."""

    def __init__(self, connections: Connections, tenant: str, job: str) -> None:
        self._connections, self._tenant, self._job = connections, tenant, job
        self._share, self._message = 0.0, ""
        self._shares: dict[str, dict[str, float]] = defaultdict(dict)
        self._changed = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Progress:
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)

    def tell(self, share: float, message: str) -> None:
        self._share, self._message = max(self._share, share), message
        self._changed.set()

    def expect(self, assets: Sequence[str]) -> None:
        self._shares = defaultdict(dict, {asset: {} for asset in assets})

    def share(self, asset: str, recipe: str, share: float) -> None:
        self._shares[asset][recipe] = share
        parts = [sum(own.values()) / len(own) if own else 0.0 for own in self._shares.values()]
        self.tell(FROM + (TO - FROM) * sum(parts) / len(parts), f"{asset}: {recipe} {share:.0%}")

    def done(self, asset: str, recipe: str, *, reused: bool) -> None:
        self.share(asset, recipe, 1.0)
        self._message = f"{asset}: {recipe} {'reused' if reused else 'made'}"

    async def _write(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                async with self._connections.db.tenant(self._tenant) as tx:
                    await jobs.progress(tx, self._job, self._share, self._message[:200])
            except ContentError as error:
                log.warning("progress not written", code=error.code)
            await asyncio.sleep(EVERY_S)
