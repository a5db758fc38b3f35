"""Garbage collection: every S3 key has a row and every row its key, but for what is younger than the grace time.

What a killed attempt uploaded is named by no row: it is removed once it is older than `gc_grace_s` (an attempt that is
still at work must not lose its blobs). A row whose key is gone is a loss: it is reported, never "repaired" away.
Blobs are listed before rows are read, so a blob written and committed meanwhile is not taken for an orphan. Nothing is removed
from under a database that was set back or is being restored, nor before the log says, too, that no row names it any more.

Of a tenant with any legal hold nothing is removed: whom an orphan belonged to cannot be told any more. A blob in cold storage is
where its row says, not missing.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import asdict, dataclass

from cluster import places
from cluster.connections import Connections
from cluster.database import fetch_all
from cluster.eventlog import state
from cluster.objects import COLD
from tasks import previews
from tasks.idempotency_keys import forget_expired
from tasks.importing import imports
from tasks.keeping import holds
from tasks.recovery import archived
from tasks.workspace import sweep

KINDS = ("assets/", "packages/", "withdrawn/", "bundles/", "exports/", "previews/", "imports/")
BATCH = 1000
SET_ASIDE = (COLD, places.HELD)
"""Where the same blobs lie that are cold, or kept by a hold after they had to leave their place."""


@dataclass(frozen=True)
class Report:
    """What was looked at, what was removed, what a legal hold keeps, and which rows lack their blob."""

    keys: int
    rows: int
    removed: int
    aborted_uploads: int
    swept_folders: int
    young: int
    ended_previews: int
    ended_imports: int
    kept: int
    missing: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


async def collect(connections: Connections, *, grace_s: float | None = None, dry_run: bool = False) -> Report:
    """Compare the bucket with the rows of all tenants and remove orphans older than `grace_s`."""
    grace_s = connections.settings.gc_grace_s if grace_s is None else grace_s
    async with connections.ops.connection() as ops:
        await state.require_whole(ops)
    ended = 0 if dry_run else await previews.end_old(connections)
    expired = 0 if dry_run else await imports.end_old(connections)
    found = await asyncio.to_thread(_list, connections)
    wanted = await named(connections)
    border = time.time() - grace_s
    orphans = {key: changed for key, changed in found.items() if key not in wanted}
    held = await _held(connections)
    old = sorted(key for key, changed in orphans.items() if changed <= border)
    kept = sum(_tenant_of(key) in held for key in old)
    old = [key for key in old if _tenant_of(key) not in held]
    aborted = 0
    if not dry_run:
        await archived.require_archived(connections)
        again = await named(connections)  # what came back under an old name meanwhile is no orphan any more
        old = [key for key in old if key not in again]
        removed = await _remove(connections, old)
        kept, old = kept + len(old) - len(removed), removed
        aborted = await asyncio.to_thread(_abort_uploads, connections, again.uploads, border)
        await forget_expired(connections)
        # The workspace of a job that runs is touched by its work; its lease is far shorter than a day.
    swept = 0 if dry_run else sweep(connections.settings.workspace, max(grace_s, connections.settings.lease_s))
    # A blob and its row may both have come after the listing: ask for each before it is called missing.
    gone = wanted.keys - found.keys() - wanted.cold
    missing = tuple([key for key in sorted(gone) if await _absent(connections, key)])
    return Report(
        len(found),
        len(wanted.keys),
        len(old),
        aborted,
        swept,
        len(orphans) - len(old) - kept,
        ended,
        expired,
        kept,
        missing,
    )


@dataclass(frozen=True)
class Named:
    """The keys that rows name. A file of a site has the row of its preview, or of the zip beside it if that is published. `maybe`
    are keys that may be there: of uploads that somebody is about to complete, as `uploads` are multipart uploads under way. `cold`
    are those of `keys` that lie elsewhere, or are on their way."""

    keys: set[str]
    sites: set[str]
    maybe: set[str]
    uploads: set[str]
    cold: set[str]

    def __contains__(self, key: str) -> bool:
        if key.startswith(COLD):
            return key.removeprefix(COLD) in self
        if key in self.maybe:
            return True
        if key in self.keys or not key.startswith(("exports/", "previews/")):
            return key in self.keys
        attempt = places.attempt_of(key)
        return any(key.startswith(site := attempt + place) and site in self.sites for place in places.SITES)


async def _absent(connections: Connections, key: str) -> bool:
    return await asyncio.to_thread(connections.objects.size, key) is None


def _list(connections: Connections) -> dict[str, float]:
    return {key: changed for kind in (*KINDS, *SET_ASIDE) for key, changed in connections.objects.keys(kind)}


def _tenant_of(key: str) -> str:
    """Each key has it behind its kind."""
    for front in SET_ASIDE:
        key = key.removeprefix(front)
    return key.split("/")[1]


async def _held(connections: Connections) -> set[str]:
    """Tenants with a legal hold on anything."""
    async with connections.ops.connection() as ops:
        rows = await fetch_all(ops, "select distinct tenant from holds where released_at is null")
    return {row["tenant"] for row in rows}


async def _remove(connections: Connections, keys: list[str]) -> list[str]:
    """Remove what no hold covers by now, tenant by tenant; says what."""
    removed: list[str] = []
    for tenant, own in itertools.groupby(sorted(keys, key=_tenant_of), key=_tenant_of):
        mine = list(own)
        for start in range(0, len(mine), BATCH):
            batch = mine[start : start + BATCH]
            async with connections.db.tenant(tenant) as tx:
                if await holds.held(tx, tenant):
                    break
                await asyncio.to_thread(connections.objects.delete, batch)
                hot = [key.removeprefix(COLD) for key in batch]
                await tx.execute(b"delete from cold_objects where key = any(%s) and state = 'cold'", [hot])
            removed += batch
    return removed


def _abort_uploads(connections: Connections, wanted: set[str], border: float) -> int:
    stale = [
        (key, upload)
        for kind in ("bundles/", "exports/", "imports/", "assets/")
        for key, upload, begun in connections.objects.uploads(kind)
        if begun <= border and upload not in wanted
    ]
    for key, upload in stale:
        connections.objects.abort(key, upload)
    return len(stale)


async def named(connections: Connections) -> Named:
    """The keys that rows name, over all tenants (role ops)."""
    async with connections.ops.connection() as connection:
        assets = await fetch_all(connection, "select tenant, digest from assets")
        versions = await fetch_all(
            connection,
            """select tenant, package_id, version, state, manifest_digest from package_versions
               where manifest_digest is not null""",
        )
        indexes = await fetch_all(connection, "select tenant, index_path from seals where index_path is not null")
        parts = await fetch_all(connection, "select tenant, path from parts")
        exports = await fetch_all(connection, "select key, published from exports where state = 'ready'")
        shown = await fetch_all(connection, "select folder from previews where state = 'ready'")
        cold = await fetch_all(connection, "select key from cold_objects")
        kept = await fetch_all(
            connection, "select tenant, import_id, state, upload_id from imports where removed_at is null"
        )
    keys = {
        *(places.asset(row["tenant"], row["digest"]) for row in assets),
        *(
            (places.withdrawn if row["state"] == "withdrawn" else places.manifest)(
                row["tenant"], row["package_id"], row["version"], row["manifest_digest"]
            )
            for row in versions
        ),
        *(places.bundles(row["tenant"]) + row["index_path"] for row in indexes),
        *(places.bundles(row["tenant"]) + row["path"] for row in parts),
        *(row["key"] for row in exports),
        *(row["folder"] + places.SITE + "index.html" for row in shown),
        *(places.uploaded(row["tenant"], row["import_id"]) for row in kept if row["state"] != "uploading"),
    }
    coming = [row for row in kept if row["state"] == "uploading"]
    maybe = {places.uploaded(row["tenant"], row["import_id"]) for row in coming}
    sites = [places.attempt_of(row["key"]) for row in exports if row["published"]] + [row["folder"] for row in shown]
    uploads = {row["upload_id"] for row in coming}
    return Named(
        keys,
        {folder + place for folder in sites for place in places.SITES},
        maybe,
        uploads,
        {row["key"] for row in cold},
    )
