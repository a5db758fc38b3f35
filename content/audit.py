"""The hash chain of a tenant's audit log: each row's hash covers the row and the hash before it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from content.canonical import canonical, digest, rfc3339


def chained(tenant: str, n: int, at: datetime, actor: str, action: str, details: dict[str, Any], previous: str) -> str:
    """`sha256:<hex>` of the canonical row; `previous` is the hash of row n-1, or empty for the first."""
    return digest(canonical([tenant, n, rfc3339(at), actor, action, details, previous]))
