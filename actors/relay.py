"""Pool content-outbox-relay: outbox → NATS, NATS → inbox, and the event log to the object store: loops that share a replica and
nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from actors.pool import Replica, pause
from cluster import outbox
from cluster.events import Events
from cluster.telemetry import describe
from cluster.telemetry.metrics import OUTBOX_AGE
from content.errors import ContentError
from tasks.edge.edge_words import SITES_S, EdgeWords, carry_sites
from tasks.elsewhere import Elsewhere
from tasks.intake import Intake
from tasks.recovery.archive import Archiver
from tasks.relay import Relay

IDLE_S, AWAY_S, SHARE_S = 0.1, 1.0, 5.0
log = structlog.get_logger()


class OutboxRelay(Replica):
    """An outage of NATS or Postgres is waited out, since both come back; only a bug ends the loops."""

    async def read_depth(self) -> float:
        async with self.connections.ops.connection() as connection:
            return float(await outbox.backlog(connection))

    async def tell(self) -> None:
        await super().tell()
        async with self.connections.ops.connection() as connection:
            OUTBOX_AGE.set(await outbox.oldest_s(connection))

    async def work(self) -> None:
        archiver = Archiver(self.settings, self.connections.objects, lambda: self.beat(Archiver.carry.__qualname__))
        try:
            await asyncio.gather(
                self._carry_events(),
                # By itself: changes are archived while NATS is away, too.
                self._repeat(archiver.carry, self.settings.event_log_every_s, True),
            )
        finally:
            await archiver.close()

    async def _carry_events(self) -> None:
        events = await self._connect()
        relay, intake = Relay(self.settings, events), Intake(self.connections, events)
        elsewhere = Elsewhere(self.connections, events)
        try:
            await asyncio.gather(
                self._repeat(relay.step, IDLE_S),
                self._repeat(intake.step, 0.0),
                self._repeat(relay.share, SHARE_S, True),
                self._repeat(elsewhere.step, 0.0),
                self._repeat(elsewhere.look, SHARE_S, True),
                *await self._edge(events),
            )
        finally:
            await relay.close()
            await events.close()

    async def _edge(self, events: Events) -> list[Coroutine[Any, Any, None]]:
        """The loops that tell a CDN; none where there is none."""
        loops: list[Coroutine[Any, Any, None]] = []
        if (words := EdgeWords.of(self.settings, events)) is not None:
            loops.append(self._repeat(words.step, 0.0))
        if (sites := await carry_sites(self.connections)) is not None:
            loops.append(self._repeat(sites, SITES_S, True))
        return loops

    async def _connect(self) -> Events:
        while True:
            try:
                return await Events.connect(self.settings)
            except Exception as error:  # noqa: BLE001 - nats raises many kinds while the server starts
                log.warning("NATS is away", **describe(error))
                self.beat("connect")
                await pause(self.stopping, AWAY_S)

    async def _repeat(self, step: Callable[[], Awaitable[int]], rest_s: float, always_rest: bool = False) -> None:
        while not self.stopping.is_set():
            try:
                done = await step()
            except ContentError as error:
                if not error.retryable:
                    raise
                log.warning("waiting", step=step.__qualname__, **describe(error))
                await pause(self.stopping, AWAY_S)
                continue
            finally:
                self.beat(step.__qualname__)
            if always_rest or not done:
                await pause(self.stopping, rest_s)
