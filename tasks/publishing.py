"""What follows from a version that is published, wherever it came from: its files are noted, everybody is told, and whoever is
enrolled has a bundle planned. All in the transaction that publishes it.
"""

from __future__ import annotations

from cluster.database import Transaction
from cluster.outbox import Outgoing, emit
from content.packages import Manifest
from tasks import planning, plans

PUBLISHED = "content.play_package.published.v1"


async def record(tx: Transaction, manifest: Manifest, course_id: str) -> None:
    """Note the files of a version whose row says that it is published, send its event, plan its bundles. The package's row is
    locked by the caller."""
    tenant, package_id, version = manifest.tenant, manifest.package_id, manifest.version
    async with tx.cursor() as cursor:
        await cursor.executemany(
            b"insert into version_assets (tenant, package_id, version, digest) values (%s, %s, %s, %s)",
            [
                (tenant, package_id, version, found)
                for found in sorted({file.digest for file in manifest.asset_files()})
            ],
        )
    data = {
        "tenant_id": tenant,
        "package_id": package_id,
        "course_id": course_id,
        "version": version,
        "manifest_digest": manifest.digest,
        "languages": list(manifest.languages),
        "bytes": manifest.size_bytes,
    }
    await emit(tx, tenant, [Outgoing(PUBLISHED, package_id, data)])
    await planning.meet_course(tx, tenant, course_id)
    await plans.for_version(tx, tenant, manifest)
    await planning.for_package(tx, tenant, package_id, course_id)
