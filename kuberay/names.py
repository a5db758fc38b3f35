"""What things are called in the cluster: namespace, labels, images, ports. Others find ours by these, and we find theirs."""

from __future__ import annotations

from typing import Any

NAMESPACE = "content"

SERVICE_IMAGE = "registry.example/content-service/service"
CANARY_IMAGE = "registry.example/content-service/canary"
"""The service's image, too, under a name of its own: `images:` of kustomize goes by names, and the canary is another release."""
IMPORTER_IMAGE = "registry.example/content-service/importer"
CLI_IMAGE = "registry.example/content-service/cli"
IMAGES = (SERVICE_IMAGE, CANARY_IMAGE, IMPORTER_IMAGE, CLI_IMAGE)

CLUSTER, POOL, TRACK = "content-service/cluster", "content-service/pool", "content-service/track"
"""Labels of pods. KubeRay's own name the generated cluster, whose name changes with each roll-out: nothing can select by them."""
APPLY = "content-service/apply"
"""Label of what a release applies before the rest (`first`) or never again (`once`)."""
NODES, SANDBOX_TAINT = "content-service/nodes", "content-service/sandbox"
"""Labels of node groups (`media`, `sandbox`), and the taint that keeps everything but the importer off the latter."""

API, CANARY, WORKERS, IMPORTER = "content-api", "content-api-canary", "content-workers", "content-importer"
"""The RayServices."""
HEAD = "head"
"""What stands in the label of a pool at a head."""

USER = 65532
"""Of every process (as the images have it), and of the group that owns the volumes."""
TMP, WORKSPACE, SHARED, LOGS = "/tmp", "/var/tmp/content", "/dev/shm", "/tmp/ray"
IDENTITY = "/etc/content/identity"
"""Where the public keys of the identity provider are mounted."""

# Ray's ports. Those that Ray would choose at random are fixed, so that a NetworkPolicy can name them.
GCS, DASHBOARD, SERVE = 6379, 8265, 8000
NODE_MANAGER, OBJECT_MANAGER, RUNTIME_ENV, AGENT_GRPC, AGENT = 6380, 6381, 6382, 6383, 52365
WORKER_FROM, WORKER_TO = 10002, 10999
METRICS, AUTOSCALER_METRICS, DASHBOARD_METRICS, HAPROXY_METRICS = 8080, 44217, 44227, 9101
DIRECT_HTTP, DIRECT_GRPC = (30000, 31000), (40000, 41000)
"""Where replicas listen for HAProxy, which throughput mode puts in front of them."""
COMMAND_METRICS = 9464
"""Where commands and jobs tell their numbers (setting `metrics_port`)."""


def labels(cluster: str, pool: str | None = None, track: str | None = None) -> dict[str, str]:
    """Labels of a pod, and what selects it."""
    found = {CLUSTER: cluster}
    if pool is not None:
        found[POOL] = pool
    if track is not None:
        found[TRACK] = track
    return found


def manifest(api_version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    """The head of every object; `labels` and `annotations` go into its metadata."""
    metadata: dict[str, Any] = {"name": name}
    for key in ("labels", "annotations"):
        if value := rest.pop(key, None):
            metadata[key] = value
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
