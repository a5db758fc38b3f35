"""Which version of an imported package a course embeds: the newest that is published when the course is built.

It is chosen in one transaction for all blocks of a draft, named in the course's manifest by its digest, and looked at again when
the course is published: what was taken back meanwhile goes into no new version. Before: a draft that was read. After: `build`,
`preview`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cluster import places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_all
from content.canonical import digest
from content.drafts import Draft
from content.errors import ContentError
from content.packages import Embedded, Manifest, embedded_packages, parse, refuse_unbuildable
from content.packages.embedded import UNPLAYABLE
from content.packages.manifest import SCORM

NEWEST = """
    select p.package_id, p.kind, p.revoked_at, v.version, v.manifest_digest from packages p
    left join lateral (select version, manifest_digest from package_versions
                       where package_id = p.package_id and state = 'published' order by version desc limit 1) v on true
    where p.package_id = any(%s)
"""
STILL = """
    select v.package_id from package_versions v join packages p using (tenant, package_id)
    where v.package_id = %s and v.version = %s and v.state = 'published' and p.revoked_at is null for share of v
"""


async def resolve(connections: Connections, tenant: str, draft: Draft) -> dict[str, Embedded]:
    """The packages that a draft embeds, by id. Raises InvalidInput `draft-not-buildable` with every block whose package cannot be
    had."""
    names = embedded_packages(draft)
    if not names:
        return {}
    async with connections.db.tenant(tenant) as tx:
        rows = {row["package_id"]: row for row in await fetch_all(tx, NEWEST, [list(names)])}
    why = {name: told for name in names if (told := _why_not(rows.get(name))) is not None}
    refuse_unbuildable(draft, why)
    found = {name: Embedded(await asyncio.to_thread(_read, connections, tenant, rows[name])) for name in names}
    told = "Its content reports to a record store (xAPI), which it would not find in a course: take this block out."
    refuse_unbuildable(
        draft, {name: ("embed-edition", told) for name, each in found.items() if each.edition in UNPLAYABLE}
    )
    return found


async def require_published(tx: Transaction, packages: Mapping[str, Embedded]) -> None:
    """Raises ContentError `embed-withdrawn` (retryable: another attempt finds another version) if one is published no more. None
    of them is withdrawn before the transaction ends."""
    for name, each in packages.items():
        if not await fetch_all(tx, STILL, [name, each.manifest.version]):
            told = f"Version {each.manifest.version} of the package {name}, which the course embeds, was taken back."
            raise ContentError("embed-withdrawn", told, "Publish the course again.", True)


def _why_not(row: Mapping[str, Any] | None) -> tuple[str, str] | None:
    if row is None:
        return "embed-unknown", "There is no such package: import it first, or take this block out."
    if row["kind"] != SCORM:
        return (
            "embed-kind",
            "This is a course of its own, and only imported packages can be embedded: take this block out.",
        )
    if row["revoked_at"] is not None:
        return "embed-withdrawn", "The package was taken back: take this block out."
    if row["version"] is None:
        return (
            "embed-withdrawn",
            "No version of the package is published any more: import it again, or take this block out.",
        )
    return None


def _read(connections: Connections, tenant: str, row: Mapping[str, Any]) -> Manifest:
    key = places.manifest(tenant, row["package_id"], row["version"], row["manifest_digest"])
    body = connections.objects.get(key)
    if digest(body) != row["manifest_digest"]:
        raise ContentError("manifest-changed", "The stored manifest is not the one that was signed.")
    return parse(body)
