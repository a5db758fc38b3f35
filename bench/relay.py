"""Outbox → NATS, against publishing the same messages from memory: rows per second."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path

from bench.results import Result, at_least
from bench.stack import new_tenant
from cluster.connections import Connections
from cluster.events import Events
from cluster.outbox import Outgoing, emit
from cluster.settings import Settings
from tasks.relay import Relay

ROWS, KEYS, ROUNDS = 4000, 1000, 3
TYPE = "content.play_package.published.v1"


def measure(home: Path, settings: Settings) -> list[Result]:
    return asyncio.run(_measure(settings))


async def _measure(settings: Settings) -> list[Result]:
    connections = await Connections.open(settings)
    events = await Events.connect(settings)
    tenant = await new_tenant(connections)
    relay = Relay(settings, events)
    pairs: list[tuple[float, float]] = []
    try:
        while await relay.step():
            pass
        for _ in range(ROUNDS):
            pairs.append((await _relayed(connections, relay, tenant), await _bare(events, settings)))
    finally:
        await relay.close()
        await events.close()
        await connections.close()
    rate, baseline = sorted(pairs, key=lambda pair: pair[0] / pair[1])[len(pairs) // 2]
    return [at_least("relay: rows to JetStream (sync always)", rate, "rows/s", baseline, 0.6)]


async def _relayed(connections: Connections, relay: Relay, tenant: str) -> float:
    for start in range(0, ROWS, 500):
        async with connections.db.tenant(tenant) as tx:
            await emit(tx, tenant, [_event(tenant, number % KEYS) for number in range(start, start + 500)])
    began, done = time.perf_counter(), 0
    while done < ROWS:
        done += await relay.step()
    return ROWS / (time.perf_counter() - began)


async def _bare(events: Events, settings: Settings) -> float:
    body = b"x" * 700  # what one of ours weighs
    room = asyncio.Semaphore(settings.relay_window)

    async def publish() -> None:
        async with room:
            await events.publish(TYPE, body, str(uuid.uuid4()))

    began = time.perf_counter()
    await asyncio.gather(*(publish() for _ in range(ROWS)))
    return ROWS / (time.perf_counter() - began)


def _event(tenant: str, key: int) -> Outgoing:
    data = {
        "tenant_id": tenant,
        "package_id": f"pkg_{key:026d}",
        "course_id": f"course-{key}",
        "version": 1,
        "manifest_digest": "sha256:" + "0" * 64,
        "languages": ["en", "ar"],
        "bytes": 1_000_000,
    }
    return Outgoing(TYPE, data["package_id"], data)
