"""Calls about what is kept: holds, erasures, restores, a tenant's end, the archive of the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serve_app.client.connection import Connection, Query
from serve_app.client.rows import ArchiveVerification, Deletion, Erasure, Hold, Restore


class StorageCalls(Connection):
    """Scopes `tenant:admin`; `operator` for the end of a tenant."""

    def hold(self, reason: str, package_id: str | None = None) -> Hold:
        """Place a legal hold on a package, or on the whole tenant."""
        return self.post("/v1/holds", {"package_id": package_id, "reason": reason})

    def holds(self, **query: Query) -> Iterator[Hold]:
        """Newest first, released ones too; filter `package_id`."""
        return self.items("/v1/holds", **query)

    def release_hold(self, hold_id: str, reason: str) -> Hold:
        return self.post(f"/v1/holds/{hold_id}/release", {"reason": reason})

    def erase_learner(self, learner_id: str) -> Erasure:
        """Cannot be undone."""
        return self.post("/v1/erasures", {"learner_id": learner_id})

    def erasures(self, **query: Query) -> Iterator[Erasure]:
        """Newest first; filter `state`."""
        return self.items("/v1/erasures", **query)

    def erasure(self, erasure_id: str) -> Erasure:
        return self.get(f"/v1/erasures/{erasure_id}")

    def restore_version(self, package_id: str, version: int, tier: str | None = None) -> Restore | None:
        """Bring a version back from cold storage; None if it is hot."""
        found: dict[str, Any] = self.post(f"/v1/packages/{package_id}/versions/{version}/restore", {"tier": tier})
        return None if found.get("hot") else Restore(**found)

    def delete_tenant(self, tenant: str, reason: str, *, partial: bool = False) -> Deletion:
        """For good (scope operator)."""
        body = {"confirm": tenant, "partial": partial, "reason": reason}
        return self.post(f"/v1/tenants/{tenant}/deletion", body)

    def deletion(self, tenant: str) -> Deletion:
        return self.get(f"/v1/tenants/{tenant}/deletion")

    def verify_audit_archive(self) -> ArchiveVerification:
        return self.get("/v1/audit/archive/verify")
