"""Calls about what is trusted and what is taken back: keys, revocations, the life of a licence, tamper reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serve_app.client.connection import Connection, Query
from serve_app.client.rows import LicenceStatus, Revocation, Rotation, TamperReport


class TrustCalls(Connection):
    """What operators do in a bad hour, and what devices ask of their licences."""

    def rotate_keys(
        self, tenant: str, kind: str, reason: str, *, kid: str | None = None, lead_s: int | None = None
    ) -> Rotation:
        """`scheduled`, `root`, `emergency` or `drill` (scope operator). When an emergency answers, both lists are out; its
        job signs licences again."""
        body = {"kind": kind, "reason": reason, "kid": kid, "lead_s": lead_s}
        return self.post(f"/v1/tenants/{tenant}/keys/rotations", body)

    def revoke(self, kind: str, subject: str, reason: str, *, version: int | None = None) -> Revocation:
        """Take back a `bundle`, `device`, `package`, or `version` of a package."""
        return self.post("/v1/revocations", {"kind": kind, "id": subject, "version": version, "reason": reason})

    def revocations(self, **query: Query) -> Iterator[Revocation]:
        """Newest first; filter `kind`."""
        return self.items("/v1/revocations", **query)

    def begin_epoch(self, package_id: str, reason: str) -> dict[str, Any]:
        """Other content keys from the next version on."""
        return self.post(f"/v1/packages/{package_id}/epochs", {"reason": reason})

    def licence(self, bundle_id: str) -> LicenceStatus:
        return self.get(f"/v1/bundles/{bundle_id}/licence")

    def register_licence(self, bundle_id: str) -> LicenceStatus:
        """Its device has installed it."""
        return self.post(f"/v1/bundles/{bundle_id}/licence/registrations")

    def renew_licence(self, bundle_id: str, end: str | None = None) -> LicenceStatus:
        """Ask for a longer one; it comes in a moment, with the next issue number."""
        return self.post(f"/v1/bundles/{bundle_id}/licence/renewals", {"end": end})

    def return_licence(self, bundle_id: str) -> LicenceStatus:
        """Give the course back, for good."""
        return self.post(f"/v1/bundles/{bundle_id}/licence/returns")

    def report_tampering(self, report: str) -> TamperReport:
        """Send a report that the device has signed."""
        return self.post("/v1/tamper-reports", {"report": report})

    def tamper_reports(self, **query: Query) -> Iterator[TamperReport]:
        """Newest first; filter `device_id`."""
        return self.items("/v1/tamper-reports", **query)
