"""Withdrawing a version: its manifest and exports are answered with 410, and nothing new is made of it or handed out.

Its manifest's blob moves to `withdrawn/`, out of reach of the edge: copied before the rows change, removed after they
did (a crash between leaves a copy that garbage collection finds). The event tells the neighbours and, by way of the outbox,
every cache that missed the direct word. Bundles that devices have installed go on opening: no revocation names them yet.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from cluster import places
from cluster.connections import Connections
from cluster.database import Transaction, fetch_one
from cluster.outbox import Outgoing, emit
from content.canonical import rfc3339
from content.errors import ContentError
from tasks import exports, planning, plans

WITHDRAWN = "content.play_package.withdrawn.v1"


async def prepare(connections: Connections, tenant: str, package_id: str, version: int) -> None:
    """Copy the manifest to where a withdrawn one is kept; before `withdraw`, outside of its transaction."""
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx,
            """select manifest_digest from package_versions
               where package_id = %s and version = %s and state = 'published'""",
            [package_id, version],
        )
    if row is not None:
        await asyncio.to_thread(_copy, connections, tenant, package_id, version, row["manifest_digest"])


async def withdraw(tx: Transaction, tenant: str, package_id: str, version: int, reason: str, now: datetime) -> bool:
    """Withdraw a published version. False if it is withdrawn already.

    Raises ContentError `not-found`, or `version-not-published` for one that was never published.
    """
    # The package's row before the course, as a build locks them.
    package = await fetch_one(
        tx, "select course_id from packages where package_id = %s for no key update", [package_id]
    )
    if package is None:
        raise _missing()
    # Whoever plans bundles of this course has committed or waits: none can be planned of this version any more.
    await planning.meet_course(tx, tenant, package["course_id"])
    row = await fetch_one(
        tx,
        """select state, manifest_digest from package_versions
           where package_id = %s and version = %s for no key update""",
        [package_id, version],
    )
    if row is None:
        raise _missing()
    if row["state"] == "withdrawn":
        return False
    if row["state"] != "published":
        raise ContentError(
            "version-not-published", f"Version {version} is {row['state']}.", "Withdraw a published one."
        )
    await tx.execute(
        b"""update package_versions set state = 'withdrawn', withdrawn_at = %s, withdrawn_reason = %s
            where package_id = %s and version = %s""",
        [now, reason, package_id, version],
    )
    await tx.execute(
        b"""update bundles set state = 'cancelled', claimed_by = null, claimed_until = null
            where package_id = %s and version = %s and state in ('planned', 'claimed')""",
        [package_id, version],
    )
    await exports.withdraw(tx, package_id, version, now)
    data = _event(tenant, package_id, package["course_id"], version, row["manifest_digest"], now)
    await emit(tx, tenant, [Outgoing(WITHDRAWN, package_id, data)])
    # Devices that have nothing newer get the version before, where there is one.
    await planning.for_package(tx, tenant, package_id, package["course_id"])
    return True


async def finish(connections: Connections, tenant: str, package_id: str, version: int) -> None:
    """Remove the manifest and all exports from where the edge would find them, and plan for devices that asked for a space what they get in its
    place; after the commit of `withdraw`."""
    async with connections.db.tenant(tenant) as tx:
        row = await fetch_one(
            tx,
            """select manifest_digest from package_versions
               where package_id = %s and version = %s and state = 'withdrawn'""",
            [package_id, version],
        )
    if row is not None:
        key = places.manifest(tenant, package_id, version, row["manifest_digest"])
        await asyncio.to_thread(
            connections.objects.delete, [key]
        )  # a move: the copy is below `withdrawn/`, hold or not
        await exports.remove_files(connections, tenant, package_id, version)
        await plans.settle(connections, tenant, package_id)


async def require_published(tx: Transaction, package_id: str, version: int) -> None:
    """Raises ContentError `not-found` or `version-not-published` for what was never published."""
    row = await fetch_one(
        tx, "select state from package_versions where package_id = %s and version = %s", [package_id, version]
    )
    if row is None:
        raise _missing()
    if row["state"] not in ("published", "withdrawn"):
        raise ContentError(
            "version-not-published", f"Version {version} is {row['state']}.", "Withdraw a published one."
        )


def _copy(connections: Connections, tenant: str, package_id: str, version: int, digest: str) -> None:
    try:
        body = connections.objects.get(places.manifest(tenant, package_id, version, digest))
    except ContentError as error:
        if error.code != "object-missing":
            raise
        return  # lost already: there is nothing to keep, and what is wrong must still be taken back
    connections.objects.put(places.withdrawn(tenant, package_id, version, digest), body, "application/json")


def _event(tenant: str, package_id: str, course_id: str, version: int, digest: str, now: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "package_id": package_id,
        "course_id": course_id,
        "version": version,
        "manifest_digest": digest,
        "withdrawn_at": rfc3339(now),
    }


def _missing() -> ContentError:
    return ContentError("not-found", "There is no such version.", "Check the id, and that the token is of its tenant.")
