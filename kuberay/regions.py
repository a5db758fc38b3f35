"""What differs from region to region: addresses and networks. Everything else is the base.

Names of hosts, buckets and networks are examples of ours: an installation writes its own here and renders, or patches them in
a kustomization of its own (docs/kubernetes.md). The cloud's region comes from `cluster.topology.REPLICAS`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from cluster.aws import bucket
from cluster.topology import REGIONS, REPLICAS

DOMAIN = "content.example"
FIRST_OCTETS = {"us": "10.16", "eu": "10.32", "me": "10.48", "ap": "10.64"}
REPLICA_OCTETS = {"us": "10.24", "eu": "10.40", "me": "10.56", "ap": "10.72"}


@dataclass(frozen=True)
class Region:
    """One region. Networks are those of its VPC: the control plane, Postgres, and the interface endpoints of each service; and of
    KMS in the region of its copies, which is asked where the first is away."""

    name: str
    cloud: str
    control_plane: str
    postgres: str
    store: str
    keys: str
    replica_keys: str

    @property
    def api_host(self) -> str:
        return f"api.{self.name}.{DOMAIN}"

    def networks(self) -> dict[str, str]:
        """By peer of `kuberay.network`."""
        return {
            "control-plane": self.control_plane,
            "postgres": self.postgres,
            "store": self.store,
            "keys": self.keys,
            "replica-keys": self.replica_keys,
        }

    def settings(self) -> dict[str, str]:
        """Settings that are this region's own, by environment variable."""
        urls = {name: f"https://api.{name}.{DOMAIN}" for name in REGIONS}
        return {
            "CONTENT_REGION": self.name,
            "CONTENT_REGION_URLS": json.dumps(urls, separators=(",", ":")),
            "CONTENT_API_URL": f"https://{self.api_host}",
            "CONTENT_EDGE_URL": f"https://edge.{self.name}.{DOMAIN}",
            "CONTENT_SITE_URL": f"https://{{tenant}}.sites.{self.name}.{DOMAIN}",
            "AWS_REGION": self.cloud,
            "CONTENT_S3_REGION": self.cloud,
            "CONTENT_S3_BUCKET": bucket(self.name),
            "CONTENT_S3_ARCHIVE_BUCKET": f"{bucket(self.name)}-archive",
        }

    def importer_settings(self) -> dict[str, str]:
        """All that the importer is told of its region."""
        return {
            "CONTENT_REGION": self.name,
            "CONTENT_IMPORTER_ORIGINS": json.dumps([f"https://s3.{self.cloud}.amazonaws.com"]),
        }


def _region(name: str) -> Region:
    net = FIRST_OCTETS[name]
    return Region(
        name,
        REPLICAS[name].primary,
        control_plane=f"{net}.0.0/28",
        postgres=f"{net}.8.0/24",
        store=f"{net}.9.0/26",
        keys=f"{net}.9.64/26",
        replica_keys=f"{REPLICA_OCTETS[name]}.9.64/26",
    )


ALL = tuple(_region(name) for name in REGIONS)
EXAMPLE = Region("unset", "unset", *(["192.0.2.0/24"] * 5))
"""What the base says: a network that is nobody's (RFC 5737), so that a base applied by mistake reaches nothing."""
