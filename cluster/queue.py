"""Work on PgQueuer: enqueued in the caller's own transaction, so a job and its business rows commit together.

A queue entry names a tenant and a job; the rows of `jobs` and `bundles` say the rest. `dedupe_key` makes asking twice
one entry. Lanes are priorities: interactive before bulk.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, cast

from pgqueuer.queries import Queries

from cluster import telemetry
from cluster.database import Transaction, fetch_one

PRIORITY = {"interactive": 10, "bulk": 0}
BUILD, BUNDLE = "build", "bundle"


@dataclass(frozen=True)
class Work:
    """What a queue entry carries. `subject` is a job id (build) or the group of a drain job (bundle); `traceparent` the
    trace of who called first."""

    tenant: str
    subject: str
    traceparent: str | None = None

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def parse(cls, payload: bytes | None) -> Work:
        # A newer release may have put in more than this one knows.
        found = json.loads(payload or b"{}")
        return cls(found["tenant"], found["subject"], found.get("traceparent"))


async def enqueue(
    tx: Transaction, queue: str, work: Sequence[Work], *, lane: str = "interactive", delay: timedelta | None = None
) -> None:
    """Put work into a queue as part of `tx`; what already waits under the same key is not put twice."""
    if not work:
        return
    count = len(work)
    own = telemetry.traceparent()
    payloads: list[bytes | None] = [replace(item, traceparent=item.traceparent or own).to_bytes() for item in work]
    delays: list[timedelta | None] = [delay] * count
    keys: list[str | None] = [f"{queue}/{item.tenant}/{item.subject}" for item in work]
    await Queries.from_psycopg_connection(cast("Any", tx)).enqueue(
        [queue] * count, payloads, [PRIORITY[lane]] * count, delays, dedupe_key=keys, on_conflict="skip"
    )


async def depth(tx: Transaction, queue: str) -> int:
    """What waits and what runs in a queue (for bundles, count rows instead: `tasks.claims`)."""
    row = await fetch_one(
        tx, "select count(*) as n from pgqueuer where entrypoint = %s and status in ('queued', 'picked')", [queue]
    )
    return int(row["n"]) if row else 0


async def release(connection: Transaction, entry: int) -> None:
    """Give up the dedupe key of an entry that has begun, so that the same key can be called again from now on."""
    await connection.execute(b"update pgqueuer set dedupe_key = null where id = %s", [entry])


async def overdue(connection: Transaction, queue: str) -> bool:
    """Whether an entry that nobody holds has been due for some seconds."""
    row = await fetch_one(
        connection,
        """select 1 as x from pgqueuer where entrypoint = %s and status = 'queued'
           and execute_after < now() - interval '5 seconds' limit 1""",
        [queue],
    )
    return row is not None


async def oldest_s(connection: Transaction, queue: str) -> float:
    """How long the oldest entry that is due and that nobody holds has waited, in seconds."""
    row = await fetch_one(
        connection,
        """select extract(epoch from now() - min(execute_after))::float8 as age_s from pgqueuer
           where entrypoint = %s and status = 'queued' and execute_after <= now()""",
        [queue],
    )
    return float(row["age_s"] or 0) if row else 0.0
