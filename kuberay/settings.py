"""Settings of production that are no secrets: the same in all regions here, a region's own in `regions.py`.

They become ConfigMaps with a digest in their name, so a changed setting is a changed pod, which KubeRay rolls out.
"""

from __future__ import annotations

from cluster.aws import ACCOUNT
from cluster.settings import MIB
from kuberay import names
from kuberay.duties import NEIGHBOURS
from kuberay.regions import DOMAIN

DRAIN_S = 60
"""How long a worker that leaves goes on with what it holds."""
LEASE_S = 60
WORKSPACE_MAX_BYTES = 16384 * MIB

IMPORTS = "/importer"
"""Where the importer's application answers."""

_BOTH = {
    "CONTENT_PROFILE": "production",
    "CONTENT_WORKSPACE": names.WORKSPACE,
    "CONTENT_WORKSPACE_MAX_BYTES": str(WORKSPACE_MAX_BYTES),
    "CONTENT_LOG_FORMAT": "json",
    "CONTENT_SANDBOX": "bubblewrap",
    "CONTENT_IMPORTER_URL": f"http://{names.IMPORTER}-head-svc.{names.NAMESPACE}.svc.cluster.local:{names.SERVE}{IMPORTS}",
}

SERVICE = {
    **_BOTH,
    "CONTENT_LEASE_S": str(LEASE_S),
    "CONTENT_DRAIN_S": str(DRAIN_S),
    "CONTENT_NATS_URL": "tls://nats.nats.svc.cluster.local:4222",
    "CONTENT_KEY_SERVICE": "kms",
    "CONTENT_KMS_ACCOUNT": ACCOUNT,
    "CONTENT_COLD_STORAGE": "glacier",
    **{
        f"CONTENT_{key.replace('-', '_').upper()}_URL": f"https://{service}.{service}.svc.cluster.local:8443"
        for key, service in NEIGHBOURS.items()
    },
    "CONTENT_JWT_ISSUER": f"https://identity.{DOMAIN}",
    "CONTENT_JWT_AUDIENCE": "content-service",
    "CONTENT_JWT_JWKS_FILE": f"{names.IDENTITY}/jwks.json",
    "CONTENT_TRUSTED_PROXIES": "1",
    "CONTENT_SERVE_MODE": "throughput",
}
"""Of API, workers and jobs."""

IMPORTER = _BOTH
"""Of the importer: nothing of databases, events, keys or neighbours."""

SERVICE_MAP, IMPORTER_MAP = "content-settings", "content-importer-settings"
