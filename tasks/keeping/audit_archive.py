"""The audit log copied to the archive, stretch by stretch: a chain of segments that needs no database to be verified.

A segment is JSON lines: a head (tenant, first and last entry, the digest of the segment before, the hash of the entry before), then
the entries as they are hashed. Its own digest stands in the head of the next one and in `audit_segments`, and both chains, of entries and of
segments, run through all of them. Where the archive's bucket has Object Lock nobody can delete one before its time. Entries name people by
pseudonyms only, so nothing here stands against an erasure. `docs/storage.md` has the format.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cluster import database, failpoints, places
from cluster.archive import Archive
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from content.audit import chained
from content.canonical import canonical, digest, rfc3339
from content.errors import ContentError

MOST = 5000
"""Entries of a segment."""
FORMAT = "content-audit/1"


@dataclass(frozen=True)
class ArchiveVerified:
    """What the archive looks like: `broken` names the segment and what is wrong with it."""

    segments: int
    entries: int
    last: int | None
    head: str | None
    broken: str | None


async def archive(connections: Connections, tenant: str) -> int:
    """Copy what is not there yet; returns how many segments that were. Twice at once is harmless: a segment is what its entries
    are, and the row of whoever is second finds the first one's."""
    store = Archive(connections.settings, connections.objects)
    written = 0
    while True:
        async with connections.db.tenant(tenant) as tx:
            made = await _next(tx, tenant)
            until = await database.now(tx) + timedelta(days=connections.settings.archive_lock_days)
        if made is None:
            return written
        first, last, before, body = made
        key = places.audit_segment(tenant, first, last)
        await asyncio.to_thread(store.put, key, body, until if connections.settings.archive_lock_days else None)
        await asyncio.to_thread(failpoints.hit, "audit.after_segment", connections.settings)
        async with connections.db.tenant(tenant) as tx:
            await tx.execute(
                b"""insert into audit_segments (tenant, first, last, key, digest, previous_digest)
                    values (%s, %s, %s, %s, %s, %s) on conflict do nothing""",
                [tenant, first, last, key, digest(body), before],
            )
        written += 1


async def verify(connections: Connections, tenant: str) -> ArchiveVerified:
    """Read every segment and follow both chains; then compare with what the database says of segments and entries."""
    store = Archive(connections.settings, connections.objects)
    async with connections.db.tenant(tenant) as tx:
        rows = await fetch_all(tx, "select first, last, key, digest from audit_segments order by first")
        first = await fetch_one(tx, "select hash from audit_log where n = %s", [rows[-1]["last"] if rows else 0])
    count, last, segment, head = 0, None, "", ""
    for number, row in enumerate(rows):
        try:
            body = await asyncio.to_thread(store.get, row["key"])
            head = check(body, tenant, segment, (last or 0) + 1, head)
            if digest(body) != row["digest"]:
                raise ContentError("audit-segment", "It is not the one that the database names.")
        except ContentError as error:
            return ArchiveVerified(number, count, last, head or None, f"{row['key']}: {error.message}")
        count, last, segment = count + row["last"] - row["first"] + 1, row["last"], digest(body)
    if first is not None and first["hash"] != head:
        return ArchiveVerified(len(rows), count, last, head, "The database's entries are others than the archive's.")
    return ArchiveVerified(len(rows), count, last, head or None, None)


def check(body: bytes, tenant: str, previous_segment: str, first: int, previous_hash: str) -> str:
    """The hash of a segment's last entry. Raises ContentError `audit-segment` unless it follows the one before, entry by entry."""
    lines = list(_lines(body))
    head, entries = lines[:1], lines[1:]
    wanted = {
        "format": FORMAT, "tenant": tenant, "first": first, "last": first + len(entries) - 1,
        "previous_segment": previous_segment, "previous_hash": previous_hash,
    }  # fmt: skip
    if head != [wanted] or not entries:
        raise ContentError("audit-segment", "It does not follow the segment before.")
    for n, entry in enumerate(entries, first):
        at = datetime.fromisoformat(entry["at"])
        hash_ = chained(tenant, entry["n"], at, entry["actor"], entry["action"], entry["details"], previous_hash)
        if entry["n"] != n or entry["hash"] != hash_:
            raise ContentError("audit-segment", f"Entry {n} is not as it was written.")
        previous_hash = hash_
    return previous_hash


async def _next(tx: Transaction, tenant: str) -> tuple[int, int, str, bytes] | None:
    """(first, last, digest of the segment before, bytes) of the next segment; None where all is archived."""
    known = await fetch_one(tx, "select last, digest from audit_segments order by first desc limit 1")
    after, before = (known["last"], known["digest"]) if known else (0, "")
    rows = await fetch_all(
        tx,
        "select n, at, actor, action, details, previous, hash from audit_log where n > %s order by n limit %s",
        [after, MOST],
    )
    if not rows:
        return None
    head = {
        "format": FORMAT, "tenant": tenant, "first": rows[0]["n"], "last": rows[-1]["n"],
        "previous_segment": before, "previous_hash": rows[0]["previous"],
    }  # fmt: skip
    entries = [
        {"n": row["n"], "at": rfc3339(row["at"].astimezone(UTC)), "actor": row["actor"], "action": row["action"],
         "details": row["details"], "hash": row["hash"]}
        for row in rows
    ]  # fmt: skip
    return rows[0]["n"], rows[-1]["n"], before, b"".join(canonical(line) + b"\n" for line in (head, *entries))


def _lines(body: bytes) -> Iterator[dict[str, Any]]:
    try:
        for line in body.splitlines():
            yield json.loads(line)
    except ValueError as error:
        raise ContentError("audit-segment", "It is not JSON.") from error
