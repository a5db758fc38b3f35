"""How far the archive of the event log is, as the database knows it, and whether the database may go on.

A database that was set back (restored to a point in time, or failed over to a standby that lacked the last seconds) lacks
what the archive has. The archiver finds it by the first segment that is there already and is not its own; from then on
`require_whole` refuses whatever would number or remove something, until `content-service reconcile` has run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from cluster.database import Transaction, fetch_one
from content.errors import ContentError
from content.eventlog import Base, Position

READ = "select epoch, sequence, digest, base, archived_at, behind_since, behind from event_log where region = %s"
BEGIN = b"insert into event_log (region, epoch, base) values (%s, %s, %s) on conflict do nothing"
AHEAD = """
    update event_log set sequence = %(sequence)s, digest = %(digest)s, archived_at = now()
    where region = %(region)s and epoch = %(epoch)s and sequence = %(before)s returning sequence
"""
BEHIND = b"update event_log set behind_since = coalesce(behind_since, now()), behind = %s where region = %s"
NEXT = b"""
    insert into event_log (region, epoch, base) values (%(region)s, %(epoch)s, %(base)s)
    on conflict (region) do update
        set epoch = excluded.epoch, base = excluded.base, sequence = 0, digest = '', archived_at = null, behind_since = null,
            behind = ''
"""
WHOLE = """
    select (select max(behind) from event_log where behind_since is not null) as behind,
           exists (select 1 from restore_progress where step = 'restore' and ended_at is null) as restoring
"""


@dataclass(frozen=True)
class LogState:
    """`position`: the last segment that this database knows to be archived."""

    position: Position
    base: Base | None
    archived_at: datetime | None
    behind_since: datetime | None
    behind: str


async def read(tx: Transaction, region: str) -> LogState | None:
    """None before the archiver has run for the first time."""
    row = await fetch_one(tx, READ, [region])
    if row is None:
        return None
    base: dict[str, Any] | None = row["base"]
    return LogState(
        Position(row["epoch"], row["sequence"], row["digest"]),
        Base(base["epoch"], base["sequence"], base["digest"]) if base else None,
        row["archived_at"],
        row["behind_since"],
        row["behind"],
    )


async def begin(tx: Transaction, region: str, epoch: int = 1) -> None:
    """The first log of a region that had none."""
    await tx.execute(BEGIN, [region, epoch, None])


async def begin_next(tx: Transaction, region: str, epoch: int, base: Base | None) -> None:
    """Go on in another epoch; without a base, everything is in it."""
    await tx.execute(
        NEXT, {"region": region, "epoch": epoch, "base": Jsonb(base.document()) if base is not None else None}
    )


async def advance(tx: Transaction, region: str, before: Position, after: Position) -> bool:
    """Note that a segment is archived. False if somebody else has noted another."""
    values = {"region": region, "epoch": after.epoch, "sequence": after.sequence, "digest": after.digest}
    return await fetch_one(tx, AHEAD, {**values, "before": before.sequence}) is not None


async def fall_behind(tx: Transaction, region: str, why: str) -> None:
    await tx.execute(BEHIND, [why, region])


async def require_whole(tx: Transaction) -> None:
    """Demand that the database lacks nothing that its log has. Raises ContentError `database-behind` (retryable)."""
    row = await fetch_one(tx, WHOLE)
    if row is None or (row["behind"] is None and not row["restoring"]):
        return
    if row["restoring"]:
        what, remedy = "The database is being restored.", "Wait for `content-service restore` to end."
    else:
        what, remedy = f"The database was set back: {row['behind']}", "Run `content-service reconcile`."
    raise ContentError("database-behind", what, remedy, True)
