"""The pool table of the deployment topology, once. Serve options and manifests are derived from or checked against it."""

from __future__ import annotations

import math
from dataclasses import dataclass

MI, GI = 1 << 20, 1 << 30


@dataclass(frozen=True)
class Pool:
    """One row: how many replicas, when one more, and what each may use (cpu in millicores, memory in bytes)."""

    name: str
    minimum: int
    maximum: int
    per_replica: int | None
    cpu_request: int
    cpu_limit: int
    memory_request: int
    memory_limit: int
    runs: str

    def wanted(self, depth: float, *, minimum: int | None = None) -> int:
        """Replicas for a depth, as an HPA with an AverageValue target counts: clamp(ceil(depth / per replica))."""
        least = self.minimum if minimum is None else minimum
        if self.per_replica is None:
            return least
        return max(least, min(self.maximum, math.ceil(max(depth, 0) / self.per_replica)))


API = Pool("content-api", 3, 20, None, 500, 2000, 512 * MI, 3 * GI // 2, "HTTP")
BUILDER = Pool("content-builder", 2, 30, 50, 1000, 4000, 2 * GI, 8 * GI, "draft → PlayPackage")
BUNDLER = Pool("content-bundler", 3, 50, 200, 500, 2000, 1 * GI, 2 * GI, "encrypt + sign")
IMPORTER = Pool("content-scorm-importer", 1, 10, 5, 1000, 4000, 2 * GI, 4 * GI, "SCORM zips, sandboxed")
EXPORTER = Pool("content-exporter", 1, 10, 20, 500, 2000, 1 * GI, 4 * GI, "exports")
RELAY = Pool("content-outbox-relay", 2, 5, 5000, 250, 500, 512 * MI, 1 * GI, "outbox → NATS, NATS → inbox")

POOLS = (API, BUILDER, BUNDLER, IMPORTER, EXPORTER, RELAY)
API_CPU_TARGET = 0.6
"""One more API replica when the mean CPU is over this share of its request."""

DEVELOPMENT_MINIMUM, DEVELOPMENT_MAXIMUM = 1, 2
"""What the development profile makes of the table, so that it all runs on two cores."""
REGIONS = ("us", "eu", "me", "ap")
