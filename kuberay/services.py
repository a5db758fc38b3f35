"""The RayServices: one cluster each, with a group of workers per pool, Serve's configuration, and the autoscaler.

Two of the API, stable and canary, alike but for their name and track: weights of the HTTPRoute say who gets the traffic. A group
offers Ray its CPU limit and one unit of a resource named after its pool; a replica takes that unit, so there is one replica
per pod, a replica that waits makes the autoscaler add a pod, and the CPUs that are left are for the tasks of its job.
"""

from __future__ import annotations

import importlib.metadata
import math
from typing import Any

from cluster.settings import Settings
from cluster.topology import POOL_LABEL, Pool
from kuberay import names, pods
from kuberay.duties import Duty, of_cluster
from kuberay.settings import IMPORTS as IMPORTS_AT
from kuberay.text import inner_yaml, memory

IMPORTS = {
    "content-api": "api",
    "content-builder": "builder",
    "content-bundler": "bundler",
    "content-exporter": "exporter",
    "content-outbox-relay": "relay",
    "content-scorm-importer": "importer",
}
"""Functions of `serve_app.production`, by pool."""
PROXIES = {names.API: "EveryNode", names.WORKERS: "Disabled", names.IMPORTER: "HeadOnly"}
"""The importer's workers may be reached by their head alone, so requests come in there; other workers take none."""
ROUTES = {"EveryNode": "/", "HeadOnly": IMPORTS_AT, "Disabled": None}
RAY = importlib.metadata.version("ray")


def all_services() -> list[dict[str, Any]]:
    """Every RayService of the base."""
    return [
        service(names.API, names.API, "stable"),
        service(names.CANARY, names.API, "canary"),
        service(names.WORKERS, names.WORKERS, None),
        service(names.IMPORTER, names.IMPORTER, None),
    ]


def longest_read_s() -> int:
    """The longest time that reading one package takes, by the settings' default."""
    return int(Settings.model_fields["import_timeout_s"].default)


def service(name: str, cluster: str, track: str | None) -> dict[str, Any]:
    """A RayService. The cluster it makes has a generated name; pods are found by our labels."""
    duties = of_cluster(cluster)
    drains = {duty.pool.name: pods.drain_s(duty.pool, longest_read_s()) for duty in duties}
    environment = []
    if track is not None:
        # Empty, the promoter halts: the transformer kuberay/release fills it in with the image, after all images are known.
        environment = [{"name": "CONTENT_RELEASE", "value": ""}, {"name": "CONTENT_RELEASE_TRACK", "value": track}]
    head = pods.head(cluster, track, max(drains.values()))
    workers = [_group(duty, pods.worker(duty, track, drains[duty.pool.name])) for duty in duties]
    for template in (head, *(group["template"] for group in workers)):
        container = template["spec"]["containers"][0]
        container["env"] += environment
        if track == "canary":
            container["image"] = names.CANARY_IMAGE
    return names.manifest(
        "ray.io/v1", "RayService", name,
        labels=names.labels(cluster, track=track),
        spec={
            # A new cluster beside the old one, which goes when the new one is healthy; what it holds is given back.
            "upgradeStrategy": {"type": "NewCluster"},
            "rayClusterDeletionDelaySeconds": 60,
            "excludeHeadPodFromServeSvc": PROXIES[cluster] == "EveryNode",
            "serveConfigV2": inner_yaml(_serve_config(cluster, duties)),
            "rayClusterConfig": {
                "rayVersion": RAY,
                "authOptions": {"mode": "token", "secretName": f"{cluster}-ray"},
                "enableInTreeAutoscaling": True,
                "autoscalerOptions": _autoscaler(),
                # Only the head's memory of who runs where: what the service knows is in Postgres (ADR 0036).
                "gcsFaultToleranceOptions": {
                    "backend": "rocksdb",
                    "storage": {"size": "2Gi", "accessModes": ["ReadWriteOnce"], "deletionPolicy": "DeleteWithCluster"},
                },
                "headGroupSpec": {
                    "serviceType": "ClusterIP",
                    "enableIngress": False,
                    "rayStartParams": pods.ray_start(**{"dashboard-host": "0.0.0.0"}),  # noqa: S104 - for the operator; a policy says who may
                    "resources": {"CPU": "0"},
                    "template": head,
                },
                "workerGroupSpecs": workers,
            },
        },
    )  # fmt: skip


def _group(duty: Duty, template: dict[str, Any]) -> dict[str, Any]:
    pool = duty.pool
    return {
        "groupName": pool.name,
        "replicas": pool.minimum,
        "minReplicas": pool.minimum,
        "maxReplicas": pool.maximum,
        "idleTimeoutSeconds": 120,
        "labels": {POOL_LABEL: pool.name},
        "resources": offered(pool),
        "rayStartParams": pods.ray_start(),
        "template": template,
    }


def offered(pool: Pool) -> dict[str, str]:
    """What a pod of the pool offers Ray. CPUs are whole: the relay's half is one, of which a replica takes a quarter."""
    return {"CPU": str(math.ceil(pool.cpu_limit / 1000)), "memory": memory(pool.memory_limit), pool.name: "1"}


def _serve_config(cluster: str, duties: tuple[Duty, ...]) -> dict[str, Any]:
    proxy = PROXIES[cluster]
    config: dict[str, Any] = {"proxy_location": proxy}
    if proxy != "Disabled":
        # An import says how far it is for as long as it takes: no limit on that request, its client has its own.
        limit = {} if cluster == names.IMPORTER else {"request_timeout_s": 60}
        config["http_options"] = {"host": "0.0.0.0", "port": names.SERVE, **limit}  # noqa: S104 - the pod's own address
    config["logging_config"] = {"encoding": "JSON", "log_level": "WARNING", "enable_access_log": False}
    config["applications"] = [
        {
            "name": names.IMPORTER if cluster == names.IMPORTER else duty.pool.name,
            "route_prefix": ROUTES[proxy],
            "import_path": f"serve_app.production:{IMPORTS[duty.pool.name]}",
        }
        for duty in duties
    ]
    return config


def _autoscaler() -> dict[str, Any]:
    """The container beside the head. Ray's token comes from KubeRay, the API server's is mounted here and nowhere else."""
    return {
        "version": "v2",
        "upscalingMode": "Default",
        "idleTimeoutSeconds": 120,
        "imagePullPolicy": pods.PULL,
        "resources": {
            "requests": {"cpu": "200m", "memory": "512Mi"},
            "limits": {"cpu": "1000m", "memory": "1Gi"},
        },
        "env": [{"name": "HOME", "value": names.TMP}, {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"}],
        "securityContext": pods.confined(),
        "volumeMounts": [
            {
                "name": "autoscaler-token",
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                "readOnly": True,
            },
            {"name": "autoscaler-tmp", "mountPath": names.TMP},
        ],
    }
