"""Licences of a batch, and their signatures by one call of the key service."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cluster import database
from cluster.connections import Connections
from content.bundles.keys import ContentKey, wrap_for_device
from content.bundles.licence import Device, Licence
from content.bundles.licence import Sequence as LicenceSequence
from content.jwk import thumbprint
from content.signatures import sign_documents
from tasks.contents import Contents
from tasks.planning import Group
from tasks.seals import Seal, scope_of
from tasks.signed_lists import newest_version
from tasks.signing import current_signer


async def issue(
    connections: Connections,
    tenant: str,
    group: Group,
    contents: Contents,
    rows: Sequence[dict[str, Any]],
    sequences: dict[str, tuple[int, int, int]],
    seals: Mapping[str, Seal],
    keys: Mapping[str, tuple[ContentKey, ...]],
) -> list[tuple[Licence, dict[str, Any]]]:
    """A licence for each row and its signature; one call of the key service for all of them. `seals` and `keys` by scope."""
    settings = connections.settings
    async with connections.db.tenant(tenant) as tx:
        now = await database.now(tx)
        signer = await current_signer(tx, connections.keys, now)
        least = await newest_version(tx)
    licences: list[Licence] = []
    for row in rows:
        scope = scope_of(group, row["device_id"])
        begins = max(now, row["starts_at"] or now)
        ends = min(now + timedelta(seconds=settings.licence_ttl_s), row["ends_at"] or datetime.max.replace(tzinfo=UTC))
        licences.append(
            Licence(
                bundle_id=row["bundle_id"],
                issue=row.get("issue", 1),  # bundles that are made anew go on counting, and keep their end
                tenant=tenant,
                package_id=group.package_id,
                version=group.version,
                manifest=contents.manifest_digest,
                device=Device(row["device_id"], thumbprint(row["encryption_jwk"])),
                sequence=LicenceSequence(*sequences[row["device_id"]]),
                issued_at=now,
                not_before=begins,
                not_after=max(begins, row.get("not_after") or ends),
                offline_grace_s=settings.offline_grace_s,
                min_revocations=least,
                profile=group.profile,
                keys={key.kid: wrap_for_device(key, row["encryption_jwk"], os.urandom) for key in keys[scope]},
                index=seals[scope].index,
            )
        )
    documents = [licence.to_bytes() for licence in licences]
    signatures = await asyncio.to_thread(sign_documents, documents, signer, iss=tenant, iat=now)
    return list(zip(licences, signatures, strict=True))
