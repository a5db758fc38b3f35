"""What every bundle of a group holds: the manifest, and of each asset the one rendition that the profile gets, or what the
plan chose that the group is named after.

Before: a published version. After: `tasks.sealing` reads each of these files once for a whole batch.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from cluster import places
from cluster.connections import Connections
from cluster.database import fetch_one
from content.bundles.delta import MOST_PARTS
from content.bundles.index import media_class
from content.errors import ContentError
from content.media.choose import PROFILES
from content.packages import AssetFile, Manifest, lite_variants, parse
from content.packages.menu import Menu
from content.packages.sealed_bytes import ENTRY_BYTES, index_bytes
from tasks import plans
from tasks.planning import Group
from tasks.sealing import Source

REMEMBERED = 64
_contents: dict[tuple[str, str, int, str, int | None], Contents] = {}


@dataclass(frozen=True)
class Contents:
    """What every bundle of a group holds. `within`: how many bytes all of its parts may have, where a device has asked for a
    space."""

    manifest_digest: str
    sources: tuple[Source, ...]
    within: int | None = None

    @property
    def size(self) -> int:
        return sum(source.size for source in self.sources)


def _planned(manifest: Manifest, plan: plans.Named) -> tuple[AssetFile, ...]:
    menu = Menu.of(manifest, plan.profile)
    return menu.carried(plan.choices, lite_variants(manifest, menu))


async def read_contents(connections: Connections, tenant: str, group: Group) -> Contents:
    """Manifest and, of each asset, the one rendition that this profile or plan gets; by digest, each once.

    A published version never changes, so the last few are remembered: a batch then reads each file once, not twice.
    """
    plan = None
    if group.profile not in PROFILES:
        async with connections.db.tenant(tenant) as tx:
            plan = await plans.named(tx, group)
    name = tenant, group.package_id, group.version, group.profile, plan.space_bytes if plan else None
    if (known := _contents.get(name)) is not None:
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
        for file in (_planned(manifest, plan) if plan else manifest.files_for(group.profile))
    }
    first = Source(key, row["manifest_digest"], row["manifest_bytes"], "manifest")
    sources = (first, *(chosen[name] for name in sorted(chosen)))
    within = None
    if plan is not None:
        index = index_bytes((source.size, source.media_class) for source in sources) + MOST_PARTS * ENTRY_BYTES
        within = plan.space_bytes - index
    contents = Contents(row["manifest_digest"], sources, within)
    if len(_contents) >= REMEMBERED:
        _contents.clear()
    _contents[name] = contents
    return contents
