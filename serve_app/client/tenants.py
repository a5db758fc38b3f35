"""Calls about tenants, their lists and keys, the audit log, and schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serve_app.client.connection import Connection
from serve_app.client.rows import AuditEntry, Me, SignedLists, Tenant, TrustLists, Verification


class TenantCalls(Connection):
    """What operators and a tenant's administrators do."""

    def me(self) -> Me:
        """Tenant, subject and scopes of whoever asks."""
        return self.get("/v1/me")

    def create_tenant(self, tenant: str, *, region: str, policy: str | None = None) -> Tenant:
        return self.post("/v1/tenants", {"tenant": tenant, "region": region, "policy": policy})

    def tenants(self) -> Iterator[Tenant]:
        """All of the region, by name (scope operator)."""
        return self.items("/v1/tenants")

    def tenant(self, tenant: str) -> Tenant:
        return self.get(f"/v1/tenants/{tenant}")

    def change_tenant(
        self,
        tenant: str,
        *,
        settings: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        policy: str | None = None,
        etag: str | None = None,
    ) -> Tenant:
        """Change what is given; the policy `default` leaves it to the catalog. With the `etag` of a copy, `precondition-failed` if somebody else changed it meanwhile;
        without, whatever is there now is changed."""
        etag = etag or self.request("GET", f"/v1/tenants/{tenant}").headers["etag"]
        given = {"settings": settings, "limits": limits}
        body: dict[str, Any] = {name: dict(value) for name, value in given.items() if value is not None}
        if policy is not None:
            body["policy"] = None if policy == "default" else policy
        return self.request("PATCH", f"/v1/tenants/{tenant}", body=body, headers={"If-Match": etag}).json()

    def trust_lists(self, tenant: str, since: int = 0) -> TrustLists:
        """The lists above version `since`, and the newest revocation list."""
        found = self.signed_lists(tenant, since)
        document = found["revocations"]["document"] or ""  # always whole where no delta was asked for
        signature = found["revocations"]["signature"]
        return {"chain": found["chain"], "revocations": {"document": document, "signature": signature}}

    def signed_lists(self, tenant: str, since: int = 0, revocations_since: str | None = None) -> SignedLists:
        """The same as it is sent; with `revocations_since` (such as `1.4`), the revocation list as a delta from that one."""
        return self.get(f"/v1/tenants/{tenant}/trust-lists", since=since, revocations_since=revocations_since)

    def jwks(self, tenant: str) -> dict[str, Any]:
        """The public signing keys in use."""
        return self.get(f"/v1/tenants/{tenant}/jwks")

    def audit(self) -> Iterator[AuditEntry]:
        """Newest first."""
        return self.items("/v1/audit")

    def verify_audit(self) -> Verification:
        """Follow the whole chain; the last stretch looked at, from the first entry on."""
        found: Verification = self.get("/v1/audit/verify")
        first = found["first"]
        while found["next"] is not None:
            found = self.get("/v1/audit/verify", after=found["next"])
        return {**found, "first": first}

    def schemas(self) -> Iterator[dict[str, str]]:
        return self.items("/v1/schemas")

    def schema(self, name: str) -> dict[str, Any]:
        return self.get(f"/v1/schemas/{name}")
