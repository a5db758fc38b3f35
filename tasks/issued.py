"""Licences as they are kept, and what the neighbours hear of each: the same for a first issue, a renewal, a new signature and
a bundle that was made anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from cluster.outbox import Outgoing
from content.bundles.licence import Licence
from content.canonical import rfc3339
from content.signatures import head_kid

PUBLISHED = "content.play_package.bundle.published.v1"
INSERT = b"""
    insert into licences (tenant, bundle_id, issue, document, signature, not_after, issued_at, kid)
    values (%(tenant)s, %(bundle_id)s, %(issue)s, %(document)s, %(signature)s, %(not_after)s, %(issued_at)s, %(kid)s)
"""
INSERT_ONCE = INSERT + b" on conflict do nothing"


def row(licence: Licence, document: bytes, signature: Mapping[str, Any]) -> dict[str, Any]:
    """What `INSERT` takes; `document` is the licence as it was signed."""
    return {
        "tenant": licence.tenant,
        "bundle_id": licence.bundle_id,
        "issue": licence.issue,
        "document": document.decode(),
        "signature": Jsonb(dict(signature)),
        "not_after": licence.not_after,
        "issued_at": licence.issued_at,
        "kid": head_kid(signature),
    }


def event(
    licence: Licence, bundle: Mapping[str, Any], index: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]
) -> Outgoing:
    """That a bundle has a licence. `bundle` is its row; `index` and `parts` are blobs: path, size, digest."""
    return Outgoing(
        PUBLISHED,
        bundle["device_id"],
        {
            "tenant_id": licence.tenant,
            "bundle_id": licence.bundle_id,
            "issue": licence.issue,
            "package_id": licence.package_id,
            "version": licence.version,
            "enrollment_id": bundle["enrollment_id"],
            "learner_id": bundle["learner_id"],
            "device_id": bundle["device_id"],
            "sequence": list(licence.sequence),
            "policy": bundle["policy"],
            "profile": licence.profile,
            "index": dict(index),
            "parts": [dict(part) for part in parts],
            "not_after": rfc3339(licence.not_after),
        },
        bundle.get("traceparent"),
    )
