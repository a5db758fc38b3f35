"""The pool table of the deployment topology, once. Serve options and manifests are derived from or checked against it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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

    def wanted(self, depth: float) -> int:
        """Replicas for a depth; the minimum where the pool does not grow by depth."""
        if self.per_replica is None:
            return self.minimum
        return replicas_for(depth, self.per_replica, self.minimum, self.maximum)

    def in_profile(self, profile: str) -> Pool:
        """The row as it is used: the development profile narrows it, so that it all runs on two cores."""
        if profile != "development":
            return self
        most = min(self.maximum, DEVELOPMENT_MAXIMUM)
        return replace(self, minimum=min(self.minimum, DEVELOPMENT_MINIMUM), maximum=most)

    def within(self, bounds: tuple[int, int] | None) -> Pool:
        """The row with other bounds, where an installation has its own."""
        return self if bounds is None else replace(self, minimum=bounds[0], maximum=bounds[1])


def replicas_for(depth: float, per_replica: int, least: int, most: int) -> int:
    """clamp(ceil(depth / per replica), least, most), as a Kubernetes HPA with an AverageValue target counts."""
    return max(least, min(most, math.ceil(max(depth, 0) / per_replica)))


API = Pool("content-api", 3, 20, None, 500, 2000, 512 * MI, 3 * GI // 2, "HTTP")
BUILDER = Pool("content-builder", 2, 30, 50, 1000, 4000, 2 * GI, 8 * GI, "draft → PlayPackage")
BUNDLER = Pool("content-bundler", 3, 50, 200, 500, 2000, 1 * GI, 2 * GI, "encrypt + sign")
IMPORTER = Pool("content-scorm-importer", 1, 10, 5, 1000, 4000, 2 * GI, 4 * GI, "SCORM zips, sandboxed")
EXPORTER = Pool("content-exporter", 1, 10, 20, 500, 2000, 1 * GI, 4 * GI, "exports")
RELAY = Pool("content-outbox-relay", 2, 5, 5000, 250, 500, 512 * MI, 1 * GI, "outbox → NATS, NATS → inbox")

POOLS = (API, BUILDER, BUNDLER, IMPORTER, EXPORTER, RELAY)
IMPORTER_AT_ONCE = 2
"""Packages that a replica of the importer reads at once, of which one may be large (ADR 0033)."""
API_CPU_TARGET = 0.6
"""One more API replica when the mean CPU is over this share of its request."""

POOL_LABEL = "pool"
"""The label of a Ray node, whose value is the name of the pool that it is for."""
LEAVING_S, API_LEAVING_S = 15, 35
"""What a worker that leaves may take beyond `drain_s`; and what an API replica may take in all."""

DEVELOPMENT_MINIMUM, DEVELOPMENT_MAXIMUM = 1, 2
REGIONS = ("us", "eu", "me", "ap")


@dataclass(frozen=True)
class CloudRegions:
    """Where a region of ours stands in the cloud, and where its copies for disaster recovery are kept."""

    primary: str
    replica: str


REPLICAS = {
    "us": CloudRegions("us-east-1", "us-west-2"),
    "eu": CloudRegions("eu-central-1", "eu-west-1"),
    "me": CloudRegions("me-central-1", "me-south-1"),
    "ap": CloudRegions("ap-southeast-1", "ap-southeast-2"),
}
"""Both of a pair stand in the same jurisdiction (platform.md, Regions); which pair that is, a settings file may change."""
