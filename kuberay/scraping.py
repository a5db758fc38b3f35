"""What Prometheus scrapes. Names of metrics are Ray's (`ray_content_…`, `ray_serve_…`); who a pod is becomes a label of ours."""

from __future__ import annotations

from typing import Any

from kuberay import names
from kuberay.regions import EXAMPLE

INTERVAL = "15s"


def monitors() -> list[dict[str, Any]]:
    """One for the pods of Ray, one for jobs that tell numbers."""
    return [
        _monitor("content-ray", ("metrics", "haproxy-metrics", "as-metrics", "dash-metrics"), jobs=False),
        _monitor("content-jobs", ("command-metrics",), jobs=True),
    ]


def _monitor(name: str, ports: tuple[str, ...], *, jobs: bool) -> dict[str, Any]:
    selector = {"key": names.CLUSTER, "operator": "In" if jobs else "NotIn", "values": ["content-jobs"]}
    return names.manifest(
        "monitoring.coreos.com/v1", "PodMonitor", name,
        spec={
            "selector": {"matchExpressions": [{"key": names.CLUSTER, "operator": "Exists"}, selector]},
            "podMetricsEndpoints": [
                {"port": port, "path": "/metrics", "interval": INTERVAL, "relabelings": _relabelings()} for port in ports
            ],
        },
    )  # fmt: skip


def _relabelings() -> list[dict[str, Any]]:
    """`cluster`, `pool` and `track` out of the pod's labels; the region, which an overlay fills in, first."""
    told: list[dict[str, Any]] = [{"targetLabel": "region", "replacement": EXAMPLE.name}]
    for label in (names.CLUSTER, names.POOL, names.TRACK):
        source = "__meta_kubernetes_pod_label_" + label.replace("-", "_").replace("/", "_")
        told.append({"sourceLabels": [source], "targetLabel": label.rpartition("/")[2]})
    return told
