"""Rules for RayServices: the numbers of the table, what Ray is told of them, and what keeps a cluster going and closed."""

from __future__ import annotations

import importlib.util
import inspect
import math
from collections.abc import Iterator

import yaml

from cluster.topology import POOL_LABEL, POOLS
from kuberay import names
from kuberay.check.finding import Finding, Manifest, groups_of, name_of
from kuberay.duties import of_cluster
from kuberay.patches import SERVICES
from kuberay.text import cpu, memory

PORT_PARAMETERS = (
    "node-manager-port", "object-manager-port", "runtime-env-agent-port", "dashboard-agent-grpc-port",
    "dashboard-agent-listen-port", "metrics-export-port", "min-worker-port", "max-worker-port",
)  # fmt: skip
LONGEST_NAME = 41
"""KubeRay refuses longer names of RayServices, since it makes names of clusters, pods and services from them."""
Found = Iterator[Finding]
TABLE = {pool.name: pool for pool in POOLS}


def judge(service: Manifest) -> Found:
    where, spec = name_of(service), service["spec"]
    cluster = spec["rayClusterConfig"]
    if len(service["metadata"]["name"]) > LONGEST_NAME:
        yield Finding("name-length", where, f"the name is longer than {LONGEST_NAME} characters")
    yield from _groups(service)
    for group in groups_of(service):
        yield from numbers(f"{where}/{group['groupName']}", group)
        yield from offered(f"{where}/{group['groupName']}", group)
    yield from _head(where, cluster)
    yield from _scaled(where, cluster)
    yield from _closed(where, cluster)
    yield from _serve(where, service)


def _groups(service: Manifest) -> Found:
    """The groups are the pools of the cluster, no more and no fewer."""
    wanted = [duty.pool.name for duty in of_cluster(SERVICES.get(service["metadata"]["name"], "?"))]
    if [group["groupName"] for group in groups_of(service)] != wanted:
        yield Finding("groups", name_of(service), f"its groups are not {', '.join(wanted) or 'known'}")


def numbers(where: str, group: Manifest) -> Found:
    """Minimum, maximum, requests and limits of the table."""
    pool = TABLE.get(group["groupName"])
    if pool is None:
        return
    given = group["template"]["spec"]["containers"][0].get("resources", {})
    requests, limits = given.get("requests", {}), given.get("limits", {})
    compared = {
        "minReplicas": (group.get("minReplicas"), pool.minimum),
        "replicas": (group.get("replicas"), pool.minimum),
        "maxReplicas": (group.get("maxReplicas"), pool.maximum),
        "cpu request": (requests.get("cpu"), cpu(pool.cpu_request)),
        "cpu limit": (limits.get("cpu"), cpu(pool.cpu_limit)),
        "memory request": (requests.get("memory"), memory(pool.memory_request)),
        "memory limit": (limits.get("memory"), memory(pool.memory_limit)),
    }
    for name, (found, wanted) in compared.items():
        if found != wanted:
            yield Finding("numbers", where, f"{name} is {found}, the table says {wanted}")


def offered(where: str, group: Manifest) -> Found:
    """One unit of the pool, whole CPUs of the limit, and the label that replicas and tasks look for."""
    pool = TABLE.get(group["groupName"])
    if pool is None:
        return
    wanted = {"CPU": str(math.ceil(pool.cpu_limit / 1000)), "memory": memory(pool.memory_limit), pool.name: "1"}
    if group.get("resources") != wanted:
        yield Finding("offered", where, f"Ray is offered {group.get('resources')}, not {wanted}")
    if group.get("labels", {}).get(POOL_LABEL) != pool.name:
        yield Finding("offered", where, f"its nodes lack the label {POOL_LABEL}={pool.name}")
    if clash := {"num-cpus", "num-gpus", "memory", "resources", "labels"} & set(group.get("rayStartParams", {})):
        yield Finding("offered", where, f"KubeRay refuses {', '.join(sorted(clash))} beside resources and labels")


def _head(where: str, cluster: Manifest) -> Found:
    head = cluster["headGroupSpec"]
    if head.get("resources", {}).get("CPU") != "0" or set(head.get("resources", {})) != {"CPU"}:
        yield Finding("head-idle", where, "the head offers Ray what work could be placed on")
    if any(name in head.get("rayStartParams", {}) for name in ("num-cpus", "resources")):
        yield Finding("head-idle", where, "the head's parameters and resources contradict each other")
    for group in (head, *cluster.get("workerGroupSpecs", [])):
        missing = [name for name in PORT_PARAMETERS if name not in group.get("rayStartParams", {})]
        if missing:
            yield Finding("ray-ports", where, f"{group.get('groupName', 'head')} leaves {missing[0]} to chance")
        if group["template"]["spec"].get("restartPolicy", "Never") != "Never":
            yield Finding("restart-policy", where, "KubeRay refuses it with autoscaler v2")


def _scaled(where: str, cluster: Manifest) -> Found:
    options = cluster.get("autoscalerOptions", {})
    if cluster.get("enableInTreeAutoscaling") is not True or options.get("version") != "v2":
        yield Finding("autoscaler", where, "the in-tree autoscaler v2 is off")
    context = options.get("securityContext", {})
    if context.get("readOnlyRootFilesystem") is not True or context.get("capabilities") != {"drop": ["ALL"]}:
        yield Finding("autoscaler", where, "the autoscaler's container is not confined")
    if not options.get("resources", {}).get("limits"):
        yield Finding("autoscaler", where, "the autoscaler's container has no limits")
    tolerance = cluster.get("gcsFaultToleranceOptions", {})
    if tolerance.get("backend") != "rocksdb" or not tolerance.get("storage", {}).get("size"):
        yield Finding("gcs-tolerance", where, "a head that is replaced forgets its cluster")


def _closed(where: str, cluster: Manifest) -> Found:
    auth = cluster.get("authOptions", {})
    if auth.get("mode") != "token" or not auth.get("secretName"):
        yield Finding("token-auth", where, "whoever reaches the cluster may run code in it")
    head = cluster["headGroupSpec"]
    if head.get("enableIngress") or head.get("serviceType", "ClusterIP") != "ClusterIP":
        yield Finding("dashboard-private", where, "the head's service leads out of the cluster")


def _serve(where: str, service: Manifest) -> Found:
    config = yaml.safe_load(service["spec"].get("serveConfigV2", "")) or {}
    applications = config.get("applications", [])
    wanted = len(groups_of(service))
    if len(applications) != wanted:
        yield Finding("serve-config", where, f"{len(applications)} applications for {wanted} groups")
    for application in applications:
        path = application.get("import_path", "")
        if not _exists(path):
            yield Finding("serve-config", where, f"{application.get('name')}: there is no {path}")
        if "args" in application or "deployments" in application:
            yield Finding("serve-config", where, f"{application.get('name')}: sizes and settings do not belong here")
    if SERVICES.get(service["metadata"]["name"]) == names.IMPORTER and config.get("proxy_location") != "HeadOnly":
        yield Finding("serve-config", where, "the importer's workers may be reached by their head alone")
    if config.get("proxy_location") == "Disabled" and any(each.get("route_prefix") for each in applications):
        yield Finding("serve-config", where, "a route without a proxy")


def _exists(import_path: str) -> bool:
    module, _, function = import_path.partition(":")
    if importlib.util.find_spec("serve_app") is None or module != "serve_app.production":
        return False
    from serve_app import production

    return inspect.isfunction(getattr(production, function, None)) and not function.startswith("_")
