"""Pods of Ray: what every one of them has in common, and what a worker of each pool adds.

KubeRay completes these templates: it writes the command (`ray start …` with the group's resources and labels), an init container
that waits for the head, Ray's token, and on the head the container of the autoscaler. What it only adds where it is missing
stands here, with limits: probes (its own ask a proxy that the workers' cluster has not), /dev/shm and /tmp/ray.
"""

from __future__ import annotations

from typing import Any

from cluster import topology
from cluster.topology import GI, MI, Pool
from kuberay import names
from kuberay.duties import Duty, variable
from kuberay.settings import DRAIN_S, IMPORTER_MAP, LEASE_S, SERVICE_MAP, WORKSPACE_MAX_BYTES
from kuberay.text import cpu, memory

PLASMA = 128 * MI
"""Ray's object store: tasks hand over small values, large content goes through S3."""
SHARED, LOG, SCRATCH = 256 * MI, 2 * GI, 2 * GI
SPARE_S = 45
"""Between what a replica may take to leave and the end of the wait for it, and again until the end of the grace period."""
HEAD_REQUEST, HEAD_LIMIT = (500, 2 * GI), (2000, 4 * GI)
PULL = "IfNotPresent"
STARTS_S, PERIOD_S = 300, 5


def drain_s(pool: Pool, longest_read_s: int) -> int:
    """How long a pod of the pool may take to leave: what it holds is finished or given back by then, and no lease is left."""
    if pool.name == topology.IMPORTER.name:
        return longest_read_s * 2 + SPARE_S  # a package that is being read is read to the end
    return DRAIN_S + SPARE_S


def grace_s(drain: int) -> int:
    """Above the drain and above the lease: a pod that is killed at its end holds nothing that anybody waits for."""
    return max(drain, LEASE_S) + SPARE_S


def security(*, host_users: bool = True) -> dict[str, Any]:
    """Of the pod. With a user namespace of its own, its sandboxes may make others, which the runtime's filter forbids."""
    profile: dict[str, Any] = {"type": "RuntimeDefault"}
    if not host_users:
        profile = {"type": "Localhost", "localhostProfile": "content-service/bubblewrap.json"}
    return {
        "runAsNonRoot": True,
        "runAsUser": names.USER,
        "runAsGroup": names.USER,
        "fsGroup": names.USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": profile,
    }


def confined() -> dict[str, Any]:
    """Of every container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }


def scratch(name: str, size_bytes: int, *, in_memory: bool = False) -> dict[str, Any]:
    """An empty folder with a limit: over it, the kubelet evicts the pod."""
    found: dict[str, Any] = {"sizeLimit": memory(size_bytes)}
    if in_memory:
        found = {"medium": "Memory", **found}
    return {"name": name, "emptyDir": found}


def control_plane_token(name: str) -> dict[str, Any]:
    """The token of the pod's account, to be mounted into the one container that speaks with the API server."""
    sources: list[dict[str, Any]] = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    return {"name": name, "projected": {"sources": sources}}


def from_secret(secret: str, setting: str, *, optional: bool = False) -> dict[str, Any]:
    """An environment variable out of the Secret of a role."""
    key = variable(setting)
    reference: dict[str, Any] = {"name": secret, "key": key}
    if optional:
        reference["optional"] = True
    return {"name": key, "valueFrom": {"secretKeyRef": reference}}


def ray_start(**own: str) -> dict[str, str]:
    """Ray's parameters: no port is left to chance, or no policy could name it."""
    return {
        "node-manager-port": str(names.NODE_MANAGER),
        "object-manager-port": str(names.OBJECT_MANAGER),
        "runtime-env-agent-port": str(names.RUNTIME_ENV),
        "dashboard-agent-grpc-port": str(names.AGENT_GRPC),
        "dashboard-agent-listen-port": str(names.AGENT),
        "metrics-export-port": str(names.METRICS),
        "min-worker-port": str(names.WORKER_FROM),
        "max-worker-port": str(names.WORKER_TO),
        "object-store-memory": str(PLASMA),
        **own,
    }


def _environment(cluster: str) -> list[dict[str, Any]]:
    """What Ray itself reads."""
    own = {
        "HOME": names.TMP,
        "USER": "content",  # there is no such line in /etc/passwd to look it up in
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "2",
        "RAY_idle_worker_killing_time_threshold_ms": "600000",
    }
    if cluster == names.API:
        own |= {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}
    return [{"name": name, "value": value} for name, value in own.items()]


def _spread(selector: dict[str, str]) -> list[dict[str, Any]]:
    """Over zones and nodes, as far as there are any: a pod that cannot be placed evenly is placed all the same."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def _probe(path: str, port: int, failures: int, timeout_s: int = 5) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": PERIOD_S,
        "timeoutSeconds": timeout_s,
        "failureThreshold": failures,
    }


def _pod(
    cluster: str, pool: str, container: dict[str, Any], volumes: list[dict[str, Any]], *,
    track: str | None, account: str, priority: str, grace: int, nodes: str | None, host_users: bool = True,
) -> dict[str, Any]:  # fmt: skip
    labels = names.labels(cluster, pool, track)
    spec: dict[str, Any] = {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "priorityClassName": priority,
        "terminationGracePeriodSeconds": grace,
        "securityContext": security(host_users=host_users),
        "topologySpreadConstraints": _spread(labels),
        "containers": [container],
        "volumes": volumes,
    }
    if not host_users:
        spec["hostUsers"] = False
    if cluster == names.IMPORTER:
        spec["runtimeClassName"] = "gvisor"
    if nodes is not None:
        spec["nodeSelector"] = {names.NODES: nodes}
    if nodes == "sandbox":
        spec["tolerations"] = [{"key": names.SANDBOX_TAINT, "operator": "Exists", "effect": "NoSchedule"}]
    return {"metadata": {"labels": labels}, "spec": spec}


def _volumes(identity: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes and mounts that head and workers have alike."""
    volumes = [
        scratch("tmp", SCRATCH),
        scratch("ray-logs", LOG),  # KubeRay's name: the autoscaler's container is given the same folder
        scratch("shared-mem", SHARED, in_memory=True),
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "tmp", "mountPath": names.TMP},
        {"name": "ray-logs", "mountPath": names.LOGS},
        {"name": "shared-mem", "mountPath": names.SHARED},
    ]
    if identity:
        volumes.append({"name": "identity", "configMap": {"name": "content-identity"}})
        mounts.append({"name": "identity", "mountPath": names.IDENTITY, "readOnly": True})
    return volumes, mounts


def image_of(cluster: str) -> str:
    return names.IMPORTER_IMAGE if cluster == names.IMPORTER else names.SERVICE_IMAGE


def _settings_of(cluster: str) -> list[dict[str, Any]]:
    return [{"configMapRef": {"name": IMPORTER_MAP if cluster == names.IMPORTER else SERVICE_MAP}}]


def head(cluster: str, track: str | None, drain: int) -> dict[str, Any]:
    """A head: Ray's own processes and Serve's controller, no work. Its token for the API server is the autoscaler's alone."""
    volumes, mounts = _volumes(identity=False)
    volumes.append(control_plane_token("autoscaler-token"))
    volumes.append(scratch("autoscaler-tmp", 256 * MI))
    environment = _environment(cluster)
    if cluster == names.IMPORTER:
        environment.append(from_secret("content-scorm-importer", "importer_token_sha256"))
    health = "/api/gcs_healthz"
    container: dict[str, Any] = {
        "name": "ray-head",
        "image": image_of(cluster),
        "imagePullPolicy": PULL,
        "envFrom": _settings_of(cluster),
        "env": environment,
        "ports": [
            {"name": "gcs-server", "containerPort": names.GCS},
            {"name": "dashboard", "containerPort": names.DASHBOARD},
            {"name": "serve", "containerPort": names.SERVE},
            {"name": "metrics", "containerPort": names.METRICS},
            {"name": "as-metrics", "containerPort": names.AUTOSCALER_METRICS},
            {"name": "dash-metrics", "containerPort": names.DASHBOARD_METRICS},
        ],
        "resources": resources(*HEAD_REQUEST, *HEAD_LIMIT, disk=2 * GI, disk_limit=8 * GI),
        "startupProbe": _probe(health, names.DASHBOARD, STARTS_S // PERIOD_S),
        "livenessProbe": _probe(health, names.DASHBOARD, 24),
        "readinessProbe": _probe(health, names.DASHBOARD, 3),
        # The cluster goes down all at once: the head stays until its workers have given back what they hold.
        "lifecycle": {"preStop": {"sleep": {"seconds": drain}}},
        "securityContext": confined(),
        "volumeMounts": mounts,
    }
    nodes = "sandbox" if cluster == names.IMPORTER else None
    return _pod(
        cluster, names.HEAD, container, volumes,
        track=track, account=f"{cluster}-head", priority="content-serving", grace=drain + SPARE_S, nodes=nodes,
    )  # fmt: skip


def worker(duty: Duty, track: str | None, drain: int) -> dict[str, Any]:
    """A worker of a pool: the numbers of its row, the secrets of its duty and no others."""
    pool, cluster = duty.pool, duty.cluster
    volumes, mounts = _volumes(identity=cluster == names.API)
    workspace = GI + WORKSPACE_MAX_BYTES * duty.jobs_on_disk
    volumes.append(scratch("workspace", workspace))
    mounts.append({"name": "workspace", "mountPath": names.WORKSPACE})
    ports = [{"name": "metrics", "containerPort": names.METRICS}]
    health = _probe("/api/local_raylet_healthz", names.AGENT, 3)
    if cluster == names.API:
        ports = [{"name": "serve", "containerPort": names.SERVE}, *ports]
        ports.append({"name": "haproxy-metrics", "containerPort": names.HAPROXY_METRICS})
        health = _probe("/-/healthz", names.SERVE, 2)
    container: dict[str, Any] = {
        "name": "ray-worker",
        "image": image_of(cluster),
        "imagePullPolicy": PULL,
        "envFrom": _settings_of(cluster),
        "env": [*_environment(cluster), *(from_secret(pool.name, setting) for setting in duty.secrets)],
        "ports": ports,
        "resources": resources(
            pool.cpu_request, pool.memory_request, pool.cpu_limit, pool.memory_limit,
            disk=workspace // 4 + GI, disk_limit=workspace + SCRATCH + LOG + GI,
        ),
        "startupProbe": _probe("/api/local_raylet_healthz", names.AGENT, STARTS_S // PERIOD_S),
        "livenessProbe": _probe("/api/local_raylet_healthz", names.AGENT, 24),
        "readinessProbe": health,
        "lifecycle": {"preStop": {"exec": {"command": ["python", "-m", "actors.drain", "--wait-s", str(drain)]}}},
        "securityContext": confined(),
        "volumeMounts": mounts,
    }  # fmt: skip
    return _pod(
        cluster, pool.name, container, volumes,
        track=track, account=pool.name, priority=duty.priority, grace=grace_s(drain), nodes=duty.nodes,
        host_users=duty.nodes != "media",
    )  # fmt: skip


def resources(
    cpu_request: int, memory_request: int, cpu_limit: int, memory_limit: int, *, disk: int, disk_limit: int
) -> dict[str, Any]:
    return {
        "requests": {"cpu": cpu(cpu_request), "memory": memory(memory_request), "ephemeral-storage": memory(disk)},
        "limits": {"cpu": cpu(cpu_limit), "memory": memory(memory_limit), "ephemeral-storage": memory(disk_limit)},
    }
