"""How far the archive is, and waiting for it: what may be forgotten only once the event log says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from cluster.connections import Connections
from cluster.database import fetch_one
from cluster.eventlog import state
from content.errors import ContentError
from content.eventlog import Position
from tasks.recovery.archive import AGE, Archiver

LATE_S = 60.0
"""The archive is never farther behind than this while all is well."""


async def require_archived(connections: Connections, within_s: float = LATE_S) -> None:
    """Wait until whatever has changed by now is archived; where this process may, it does so itself.

    Raises ContentError `event-log-late` (retryable).
    """
    row = await _asked(connections, "select coalesce(max(n), 0) as n from change_log", [])
    archiver = None
    if connections.settings.postgres_relay.get_secret_value():
        archiver = Archiver(connections.settings, connections.objects)
    try:
        async with asyncio.timeout(within_s):
            while await _asked(connections, "select 1 as n from change_log where n <= %s limit 1", [row]):
                if archiver is None or not (await archiver.step()).changes:
                    await asyncio.sleep(0.2)
    except TimeoutError as late:
        raise ContentError(
            "event-log-late",
            f"What changed is not archived within {within_s:.0f} s.",
            "See content_event_log_oldest_seconds and the logs of content-outbox-relay, then try again.",
            True,
        ) from late
    finally:
        if archiver is not None:
            await archiver.close()


async def status(connections: Connections) -> dict[str, Any]:
    """How far the archive is, and what waits (role ops)."""
    region = connections.settings.region
    async with connections.ops.connection() as ops:
        known, row = await state.read(ops, region), await fetch_one(ops, AGE)
    at = known.position if known else Position(0)
    return {
        "region": region,
        "epoch": at.epoch,
        "sequence": at.sequence,
        "digest": at.digest,
        "archived_at": known.archived_at.isoformat() if known and known.archived_at else None,
        "behind": known.behind if known and known.behind_since else "",
        "waiting": int(row["n"]) if row else 0,
        "oldest_s": float(row["age_s"] or 0) if row else 0.0,
    }


async def _asked(connections: Connections, question: str, values: Sequence[Any]) -> int:
    async with connections.ops.connection() as ops:
        row = await fetch_one(ops, question, values)
    return int(row["n"]) if row else 0
