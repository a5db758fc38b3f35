"""Blobs that rows name and the bucket lacks: found by one listing, noted as items, taken by however many processes help.

What the source's bucket still has is copied; the rest is made again (`tasks.recovery.restore_packages`, `tasks.recovery.restore_seals`). What is
there is never written again. An item says what became of it: `copied`, `same` (made again byte for byte), `anew` (another
version or bundle takes its place, since it could not be made equal), `lost`, or `left` to the builders, who are at work when the
restore has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog

from cluster import places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all, fetch_one
from cluster.objects import Objects
from content.errors import ContentError

KINDS = ("version", "seal", "export", "import")
"""In this order: seals are made from what versions are made of. The subject of a seal begins with its version and profile, so
that those which are made in one go are claimed together."""
ITEM = b"""insert into restore_items (tenant, kind, subject, missing) values (%s, %s, %s, %s)
           on conflict (tenant, kind, subject) do nothing"""
CLAIM = """
    update restore_items i set claimed_until = now() + make_interval(secs => %(lease)s)
    from (select kind, subject from restore_items where state = 'waiting' and kind = %(kind)s
          and (claimed_until is null or claimed_until < now()) order by subject limit %(limit)s for update skip locked) c
    where i.kind = c.kind and i.subject = c.subject returning i.subject
"""
END = b"""update restore_items set state = %s, reason = %s, bytes = %s, claimed_until = null
          where kind = %s and subject = %s and state = 'waiting'"""
LATER_S = 2.0
LATER = b"""update restore_items set claimed_until = now() + make_interval(secs => %s)
            where kind = %s and subject = %s and state = 'waiting'"""
MOST_TRIES = 5
AGAIN = """
    update restore_items set tries = tries + 1, reason = %s, claimed_until = now() + make_interval(secs => %s * 2 ^ tries)
    where kind = %s and subject = %s and state = 'waiting' returning tries
"""
GIVEN_UP = {"version": "left", "seal": "anew"}
"""What becomes of an item that failed again and again; of all others there is nothing that could take their place."""
VERSIONS = """
    select v.package_id, v.version, v.state, v.manifest_digest,
           array(select a.digest from version_assets a where a.package_id = v.package_id and a.version = v.version) as assets
    from package_versions v where v.manifest_digest is not null and v.state in ('published', 'withdrawn')
"""
SEALS = """
    select s.package_id || '/' || s.version || '/' || s.profile || '/' || s.seal_id as subject, s.index_path,
           array(select p.path from seal_parts p where p.seal_id = s.seal_id) as parts
    from seals s where s.state = 'ready'
"""
# Asked for again, one that has failed is made again; its bytes are the same, since they follow from the version.
EXPORT_LOST = b"""update exports set state = 'failed', key = null, ready_at = null,
                  problem = '{"code": "export-lost", "title": "Its file was lost.", "detail": "Ask for it again."}'
                  where export_id = %s and state = 'ready'"""
UPLOAD_LOST = b"update imports set removed_at = now() where import_id = %s and removed_at is null"
log = structlog.get_logger()


@dataclass(frozen=True)
class Outcome:
    """What became of an item, and how many bytes were written for it."""

    state: str
    bytes: int = 0
    reason: str = ""


async def present(objects: Objects, tenant: str) -> set[str]:
    """Every key of the tenant's blobs that is in the bucket."""

    def listed() -> set[str]:
        kinds = ("assets", "packages", "withdrawn", "bundles", "exports", "imports")
        return {key for kind in kinds for key, _ in objects.keys(f"{kind}/{tenant}/")}

    return await asyncio.to_thread(listed)


async def note_missing(tx: Transaction, tenant: str, there: set[str], *, note: bool = True) -> dict[str, int]:
    """Note an item for whatever lacks a blob (or only count); returns how many blobs are wanted, and missing."""
    cold = {row["key"] for row in await fetch_all(tx, "select key from cold_objects where state <> 'cooling'")}
    there = there | cold
    items: list[tuple[str, str, int]] = []
    wanted: set[str] = set()

    def look(kind: str, subject: str, keys: Iterable[str]) -> None:
        keys = set(keys)
        wanted.update(keys)
        if lacking := keys - there:
            items.append((kind, subject, len(lacking)))

    for row in await fetch_all(tx, VERSIONS):
        place = places.withdrawn if row["state"] == "withdrawn" else places.manifest
        manifest = place(tenant, row["package_id"], row["version"], row["manifest_digest"])
        assets = (places.asset(tenant, digest) for digest in row["assets"])
        look("version", f"{row['package_id']}/{row['version']}", [manifest, *assets])
    for row in await fetch_all(tx, SEALS):
        # A part is made again by the seal that had brought it; where that is gone, by the one that goes on using it.
        prefix = places.bundles(tenant)
        look("seal", row["subject"], [prefix + row["index_path"], *(prefix + path for path in row["parts"])])
    for row in await fetch_all(tx, "select export_id, key from exports where state = 'ready'"):
        look("export", row["export_id"], [row["key"]])
    uploads = "select import_id from imports where removed_at is null and state <> 'uploading'"
    for row in await fetch_all(tx, uploads):
        look("import", row["import_id"], [places.uploaded(tenant, row["import_id"])])
    async with tx.cursor() as cursor:
        if note:
            await cursor.executemany(ITEM, [(tenant, kind, subject, count) for kind, subject, count in items])
    return {"wanted": len(wanted), "missing": len(wanted - there), "items": len(items)}


async def claim(connections: Connections, tenant: str, kind: str, limit: int, lease_s: float) -> list[str]:
    """The next items of a kind; whoever is killed at them loses them after the lease."""
    async with connections.db.tenant(tenant) as tx:
        rows = await fetch_all(tx, CLAIM, {"kind": kind, "limit": limit, "lease": lease_s})
    return [row["subject"] for row in rows]


async def end(connections: Connections, tenant: str, kind: str, subject: str, found: Outcome) -> None:
    """Note what became of an item; `again`: it is tried a few times more, and then given up."""
    async with connections.db.tenant(tenant) as tx:
        if found.state == "waiting":
            await tx.execute(LATER, [LATER_S, kind, subject])
            return
        if found.state == "again":
            row = await fetch_one(tx, AGAIN, [found.reason[:1000], LATER_S, kind, subject])
            if row is not None and row["tries"] < MOST_TRIES:
                return
            found = Outcome(GIVEN_UP.get(kind, "lost"), found.bytes, found.reason)
        if found.state in ("anew", "lost", "left"):
            log.warning("not as it was", tenant=tenant, kind=kind, subject=subject, state=found.state, why=found.reason)
        await tx.execute(END, [found.state, found.reason[:1000], found.bytes, kind, subject])


async def counts(tx: Transaction) -> dict[str, Any]:
    """By kind and state, how many items and bytes."""
    rows = await fetch_all(
        tx,
        "select kind, state, count(*)::int as items, sum(bytes)::bigint as bytes from restore_items group by 1, 2 order by 1, 2",
    )
    return {f"{row['kind']} {row['state']}": {"items": row["items"], "bytes": int(row["bytes"])} for row in rows}


async def file(connections: Connections, source: Objects | None, tenant: str, kind: str, subject: str) -> Outcome:
    """An export or an upload: copied if the source has it. Else an export is asked for anew by whoever wants it."""
    async with connections.db.tenant(tenant) as tx:
        row = (
            await fetch_one(tx, "select key from exports where export_id = %s", [subject]) if kind == "export" else None
        )
    key = row["key"] if row else places.uploaded(tenant, subject)
    left, written = await asyncio.to_thread(copied, connections.objects, source, [key])
    if not left:
        return Outcome("copied", written)
    async with connections.db.tenant(tenant) as tx:
        await tx.execute(EXPORT_LOST if kind == "export" else UPLOAD_LOST, [subject])
    return Outcome("anew", 0, "Whoever asks for it again gets it.") if kind == "export" else Outcome("lost")


def copied(objects: Objects, source: Objects | None, keys: Iterable[str]) -> tuple[list[str], int]:
    """Copy what the source's bucket has of these keys; returns which are missing still, and the bytes copied. Blocks."""
    left: list[str] = []
    written = 0
    for key in keys:
        if objects.size(key) is not None:
            continue
        stat = source.stat(key) if source is not None else None
        if source is None or stat is None:
            left.append(key)
            continue
        written += stat.size_bytes
        _copy(objects, source, key, stat)
    return left, written


def _copy(objects: Objects, source: Objects, key: str, stat: Any) -> None:
    kind = source.client.head_object(Bucket=source.bucket, Key=key).get("ContentType", "application/octet-stream")
    upload = objects.begin(key, kind)
    try:
        pieces = [
            objects.piece(key, upload, number, body) for number, body in enumerate(source.pinned(key, stat), 1)
        ] or [objects.piece(key, upload, 1, b"")]
        objects.finish(key, upload, pieces)
    except BaseException:
        objects.abort(key, upload)
        raise


def not_again(error: ContentError) -> Outcome:
    """What cannot be made again, and why. What may be better in a minute is raised."""
    if error.retryable:
        raise error
    return Outcome("lost", 0, f"{error.code}: {error.message}")
