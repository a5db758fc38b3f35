"""Reading what is stored before a learner does: every part against the digests that its index vouches for.

A share is read every few minutes, so that all of it is read once in `scrub_days`; what was never looked at comes first. A
part that has changed or is gone is made whole from its assets (`tasks/healing.py`), and told of like a device's report:
a row, an event to all regions, a line in the log. What cannot be healed stays reported; a newer version leaves it behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from cluster import database, places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.objects import Objects
from cluster.settings import Settings
from cluster.telemetry import describe
from cluster.telemetry.metrics import DAMAGED
from content.bundles.index import Index, IndexFile
from content.bundles.stream import SEGMENT_BYTES, segment_range
from content.canonical import DIGEST_PREFIX, derive_id, digest
from content.errors import ContentError
from tasks import tampering
from tasks.content_keys import content_keys
from tasks.contents import read_contents
from tasks.healing import heal
from tasks.planning import Group

DAY_S = 86_400
SHARES_PER_DAY = 144
log = structlog.get_logger()

# A part's path begins with the seal that made it, whose index vouches for every byte; if that seal is gone, any other that
# names the part vouches for what it uses. What only withdrawn versions use is not read from any more and need not be whole.
DUE = f"""
    with due as (
        select path, size_bytes from parts
        where (scrubbed_at is null or scrubbed_at <= %(now)s - make_interval(secs => %(again_s)s))
          and not exists (select 1 from cold_objects c where c.key = {places.bundle_sql("parts")})
        order by scrubbed_at nulls first, path limit %(limit)s for update skip locked)
    select d.path, d.size_bytes, s.seal_id, s.package_id, s.version, s.profile, s.scope, s.epoch, s.index_path,
           s.index_digest, sp.number,
           exists (select 1 from seal_parts a join seals u on u.seal_id = a.seal_id
                   join package_versions v on v.package_id = u.package_id and v.version = u.version
                   where a.path = d.path and v.state = 'published') as used
    from due d
    join lateral (select m.seal_id, m.number from seal_parts m join seals o on o.seal_id = m.seal_id
                  where m.path = d.path
                  order by (m.seal_id = split_part(m.path, '/', 1)) desc, o.version, m.seal_id limit 1) sp on true
    join seals s on s.seal_id = sp.seal_id
"""


@dataclass(frozen=True)
class Scrubbed:
    """What a share looked at and found."""

    parts: int = 0
    bytes: int = 0
    damaged: int = 0
    healed: int = 0

    def __add__(self, other: Scrubbed) -> Scrubbed:
        return Scrubbed(
            self.parts + other.parts,
            self.bytes + other.bytes,
            self.damaged + other.damaged,
            self.healed + other.healed,
        )


@dataclass(frozen=True)
class Damage:
    """A range of a blob that is not what it should be; `found` is None where nothing was found."""

    offset: int
    length: int
    found: str | None


def pause_s(settings: Settings) -> float:
    """Between two shares."""
    return DAY_S / SHARES_PER_DAY


async def share(connections: Connections) -> Scrubbed:
    """Read the next share of every tenant's parts. One tenant's trouble is not another's."""
    async with connections.ops.connection() as ops:
        counts = await fetch_all(ops, "select tenant, count(*) as n from parts group by tenant order by tenant")
    found = Scrubbed()
    for row in counts:
        limit = math.ceil(row["n"] / (connections.settings.scrub_days * SHARES_PER_DAY))
        try:
            found += await tenant(connections, row["tenant"], limit)
        except ContentError as error:
            log.warning("scrubbing put off", tenant=row["tenant"], **describe(error))
        except Exception as error:
            log.exception("scrubbing failed", tenant=row["tenant"], **describe(error))
    if found.damaged:
        DAMAGED.add(found.healed, result="healed")
        DAMAGED.add(found.damaged - found.healed, result="left")
        log.error("stored parts were damaged", damaged=found.damaged, healed=found.healed)
    return found


async def tenant(connections: Connections, name: str, limit: int, *, again_s: float | None = None) -> Scrubbed:
    """Read up to `limit` parts of one tenant that were not read for `again_s` (default: `scrub_days`)."""
    again_s = connections.settings.scrub_days * DAY_S if again_s is None else again_s
    async with connections.db.tenant(name) as tx:
        now = await database.now(tx)
        rows = await fetch_all(tx, DUE, {"now": now, "again_s": again_s, "limit": limit})
        # Marked before they are read: a part that kills its reader must not stop the rest.
        await tx.execute(b"update parts set scrubbed_at = %s where path = any(%s)", [now, [r["path"] for r in rows]])
    found = Scrubbed()
    for number, row in enumerate(rows):
        try:
            if row["used"]:
                found += await _part(connections, name, row, now)
        except ContentError:  # the store is away: what was not read counts as not read
            async with connections.db.tenant(name) as tx:
                left = [each["path"] for each in rows[number:]]
                await tx.execute(b"update parts set scrubbed_at = null where path = any(%s)", [left])
            raise
    return found


async def _part(connections: Connections, name: str, row: dict[str, Any], now: datetime) -> Scrubbed:
    prefix = places.bundles(name)
    try:
        index = await asyncio.to_thread(_index, connections.objects, prefix, row)
    except ContentError as error:
        if error.retryable:
            raise
        await _report(connections, name, row, row["index_path"], "index-digest", [], now, healed=False)
        return Scrubbed(1, 0, 1, 0)
    files = [file for file in index.files if file.part == row["number"]]
    code, damage = await asyncio.to_thread(_look, connections.objects, prefix + row["path"], files)
    if code is None:
        return Scrubbed(1, row["size_bytes"])
    # What the index does not cover (dead bytes of a later seal's view) could not be written again.
    healed = _covers(files, row["size_bytes"]) and await _heal(connections, name, row, files)
    await _report(connections, name, row, row["path"], code, damage, now, healed=healed)
    return Scrubbed(1, row["size_bytes"], 1, int(healed))


def _index(objects: Objects, prefix: str, row: dict[str, Any]) -> Index:
    data = objects.get(prefix + row["index_path"])
    if digest(data) != row["index_digest"]:
        raise ContentError("index-digest", "The stored index is not what it was.")
    return Index.parse(data)


def _covers(files: Sequence[IndexFile], size: int) -> bool:
    """Whether the files lie one after the other over the whole part."""
    end = 0
    for file in files:
        if file.offset != end:
            return False
        end += file.sealed_size
    return end == size


def _look(objects: Objects, key: str, files: Sequence[IndexFile]) -> tuple[str | None, list[Damage]]:
    """(None, []) if every segment is what the index says; else a code and the first ranges that are not."""
    ranges: list[tuple[int, int, bytes | None]] = []
    end = 0
    for file in files:
        if file.offset > end:
            ranges += _gap(end, file.offset)
        for i in range(len(file.segments) // 32):
            offset, length = segment_range(file.size, i)
            ranges.append((file.offset + offset, length, file.segments[32 * i : 32 * i + 32]))
        end = file.offset + file.sealed_size
    damage: list[Damage] = []
    try:
        for (offset, length, wanted), segment in zip(
            ranges, objects.read(key, (length for _, length, _ in ranges)), strict=True
        ):
            found = hashlib.sha256(segment).digest()
            if wanted is not None and found != wanted:
                damage.append(Damage(offset, length, DIGEST_PREFIX + found.hex()))
    except ContentError as error:
        if error.code == "object-missing":
            return "part-missing", [Damage(0, 0, None)]
        if error.code == "object-truncated":
            return "segment-size", damage
        raise
    return ("segment-digest", damage[:8]) if damage else (None, [])


def _gap(start: int, end: int) -> list[tuple[int, int, bytes | None]]:
    """Bytes that belong to no file are read over, a segment at a time."""
    return [(at, min(SEGMENT_BYTES, end - at), None) for at in range(start, end, SEGMENT_BYTES)]


async def _heal(connections: Connections, name: str, row: dict[str, Any], files: Sequence[IndexFile]) -> bool:
    group = Group(row["package_id"], row["version"], row["profile"], "bulk")
    try:
        contents = await read_contents(connections, name, group)
        known = await content_keys(connections, name, row["package_id"], {row["scope"]: row["epoch"]})
        keys = {key.kid: key for key in known[row["scope"]]}
        await asyncio.to_thread(
            heal,
            connections.objects,
            places.bundles(name),
            row["path"],
            row["size_bytes"],
            files,
            contents.sources,
            keys,
        )
    except ContentError as error:
        if error.retryable and error.code != "object-truncated":  # that is an asset which is damaged, too
            raise
        log.error("part not healed", tenant=name, path=row["path"], code=error.code)
        return False
    return True


async def _report(
    connections: Connections,
    name: str,
    row: dict[str, Any],
    path: str,
    code: str,
    damage: Sequence[Damage],
    now: datetime,
    *,
    healed: bool,
) -> None:
    log.error("stored blob is not what it was", tenant=name, path=path, code=code, healed=healed)
    details = {
        "package_id": row["package_id"],
        "version": row["version"],
        "ranges": [vars(each) for each in damage],
    }
    async with connections.db.tenant(name) as tx:
        await tampering.found_by_scrub(
            tx,
            name,
            derive_id("tmp", name, path, code, int(now.timestamp())),
            code=code,
            path=path,
            details=details,
            healed=healed,
            observed_at=now,
        )


async def summary(tx: Transaction) -> dict[str, Any]:
    """How much of a tenant's parts was read lately, for operators."""
    row = await fetch_one(
        tx,
        """select count(*) as parts, count(scrubbed_at) as scrubbed, min(scrubbed_at) as oldest from parts""",
    )
    return dict(row or {})
