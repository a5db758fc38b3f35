"""What every bundle of a group holds: the manifest, and of each asset the one rendition that the profile gets.

Before: a published version. After: `tasks.sealing` reads each of these files once for a whole batch.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from cluster import places
from cluster.connections import Connections
from cluster.database import fetch_one
from content.bundles.index import media_class
from content.errors import ContentError
from content.packages import parse
from tasks.planning import Group
from tasks.sealing import Source

REMEMBERED = 64
_contents: dict[tuple[str, str, int, str], Contents] = {}


@dataclass(frozen=True)
class Contents:
    """What every bundle of a group holds."""

    manifest_digest: str
    sources: tuple[Source, ...]

    @property
    def size(self) -> int:
        return sum(source.size for source in self.sources)


async def read_contents(connections: Connections, tenant: str, group: Group) -> Contents:
    """Manifest and, of each asset, the one rendition that this profile gets; by digest, each once.

    A published version never changes, so the last few are remembered: a batch then reads each file once, not twice.
    """
    known = _contents.get((tenant, group.package_id, group.version, group.profile))
    if known is not None:
        return known
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx,
            """select manifest_digest, manifest_bytes from package_versions
               where package_id = %s and version = %s and state = 'published'""",
            [group.package_id, group.version],
        )
    if row is None:
        raise ContentError("version-not-published", f"Version {group.version} is not published.")
    key = places.manifest(tenant, group.package_id, group.version, row["manifest_digest"])
    manifest = parse(await asyncio.to_thread(connections.objects.get, key))
    chosen = {
        file.digest: Source(
            places.asset(tenant, file.digest), file.digest, file.size_bytes, media_class(file.media_type)
        )
        for file in manifest.files_for(group.profile)
    }
    first = Source(key, row["manifest_digest"], row["manifest_bytes"], "manifest")
    contents = Contents(row["manifest_digest"], (first, *(chosen[name] for name in sorted(chosen))))
    if len(_contents) >= REMEMBERED:
        _contents.clear()
    _contents[tenant, group.package_id, group.version, group.profile] = contents
    return contents
