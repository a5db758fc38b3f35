"""When something was used last, as far as it matters for where its bytes lie: noted in memory, written down in batches.

A replica writes at most one row a day for each thing that is used, however often it is; what a crash loses is half a minute's
notes, and ninety days are counted. Only the first use after a long time is written at once (`touch`): without it the nightly round might
move what somebody is just fetching.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import structlog

from cluster import database
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.telemetry import describe
from content.errors import ContentError

Kind = Literal["version", "seal", "export"]
DAY_S = 86_400.0
MOST_KNOWN = 100_000
WRITE = b"""
    insert into uses as u (tenant, kind, subject, last_used)
    select %(tenant)s, kind, subject, now() from unnest(%(kinds)s::text[], %(subjects)s::text[]) as n(kind, subject)
    order by kind, subject
    on conflict (tenant, kind, subject) do update set last_used = excluded.last_used
        where u.last_used < excluded.last_used - interval '20 hours'
"""
LAST = "select last_used from uses where kind = %s and subject = %s"
log = structlog.get_logger()


def version_subject(package_id: str, version: int) -> str:
    """What a version is called among the uses."""
    return f"{package_id}/{version}"


class Uses:
    """The notes of one process. Not for several threads."""

    def __init__(self, connections: Connections, clock: Callable[[], float] = time.monotonic) -> None:
        self._connections, self._clock = connections, clock
        self._waiting: dict[str, set[tuple[Kind, str]]] = defaultdict(set)
        self._written: dict[tuple[str, Kind, str], float] = {}

    def note(self, tenant: str, kind: Kind, subject: str) -> None:
        """It was used just now."""
        at = self._written.get((tenant, kind, subject))
        if at is None or self._clock() - at > DAY_S:
            self._waiting[tenant].add((kind, subject))

    async def touch(self, tenant: str, kind: Kind, subject: str) -> bool:
        """As `note`, but written at once, and True, where the use before is long ago, or unknown: asked before bytes are handed
        out, and whether they are hot is to be asked behind it."""
        if (tenant, kind, subject) in self._written:
            self.note(tenant, kind, subject)
            return False
        written = False
        async with self._connections.db.tenant(tenant) as tx:
            before = await used_at(tx, kind, subject)
            long = timedelta(days=self._connections.settings.hot_days / 2)
            if before is None or before < await database.now(tx) - long:
                await write(tx, tenant, [(kind, subject)])
                written = True
        self._remember(tenant, [(kind, subject)])
        return written

    async def flush(self) -> int:
        """Write down what was noted; what cannot be written waits for the next time. Returns how many notes were written."""
        written = 0
        for tenant in list(self._waiting):
            noted = sorted(self._waiting.pop(tenant))
            try:
                async with self._connections.db.tenant(tenant) as tx:
                    await write(tx, tenant, noted)
            except ContentError as error:
                log.warning("uses not written down", tenant=tenant, **describe(error))
                if error.retryable:
                    self._waiting[tenant].update(noted)
                continue
            self._remember(tenant, noted)
            written += len(noted)
        return written

    def _remember(self, tenant: str, noted: Sequence[tuple[Kind, str]]) -> None:
        if len(self._written) > MOST_KNOWN:
            self._written.clear()
        self._written.update({(tenant, kind, subject): self._clock() for kind, subject in noted})


async def write(tx: Transaction, tenant: str, noted: Sequence[tuple[Kind, str]]) -> None:
    """As part of `tx`, which is of this tenant; rows are locked in their order."""
    if noted and await fetch_one(tx, "select 1 as x from tenants where closed_at is null") is not None:
        kinds, subjects = [kind for kind, _ in noted], [subject for _, subject in noted]
        await tx.execute(WRITE, {"tenant": tenant, "kinds": kinds, "subjects": subjects})


async def used_at(tx: Transaction, kind: Kind, subject: str) -> datetime | None:
    """When something was used last, if anybody wrote it down."""
    row = await fetch_one(tx, LAST, [kind, subject])
    return row["last_used"] if row else None
