"""What keeps the pods apart and alive: priorities, disruption budgets, runtimes of sandboxes, accounts, and the namespace itself."""

from __future__ import annotations

from typing import Any

from kuberay import names
from kuberay.duties import DUTIES, of_cluster

PRIORITIES = {
    "content-serving": (100_000, "what callers wait for: the API, and every head"),
    "content-bundling": (90_000, "what learners wait for: bundles, and events"),
    "content-background": (50_000, "what authors and operators wait for: builds, imports, exports, jobs"),
}


def namespace() -> dict[str, Any]:
    """Every pod of ours passes the strictest of Kubernetes' own standards, so nothing else is let in."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return names.manifest("v1", "Namespace", names.NAMESPACE, labels=levels)


def priorities() -> list[dict[str, Any]]:
    return [
        names.manifest(
            "scheduling.k8s.io/v1", "PriorityClass", name, value=value, globalDefault=False, description=text
        )
        for name, (value, text) in PRIORITIES.items()
    ]


def runtimes() -> list[dict[str, Any]]:
    """gVisor, on the node group of the importer: its pods go nowhere else, and nothing else goes there."""
    return [_runtime("gvisor", "runsc")]


def kata() -> dict[str, Any]:
    return _runtime("kata", "kata")


def _runtime(name: str, handler: str) -> dict[str, Any]:
    return names.manifest("node.k8s.io/v1", "RuntimeClass", name, handler=handler)


def budgets() -> list[dict[str, Any]]:
    """One per group, and one per kind of head.

    `minAvailable` as a number, always: pods of KubeRay belong to a RayCluster, which has no scale that Kubernetes could read,
    and for such pods `maxUnavailable` and percentages allow nothing at all: no node could ever be drained.
    A pool that may shrink to one, and a head, have 0: they may go, since what they hold is given back and made again elsewhere.
    """
    found = []
    for name, track in ((names.API, "stable"), (names.CANARY, "canary"), (names.WORKERS, None), (names.IMPORTER, None)):
        cluster = names.API if name == names.CANARY else name
        found.append(_budget(f"{name}-head", names.labels(cluster, names.HEAD, track), 0))
        for duty in of_cluster(cluster):
            pool = duty.pool
            own = f"{pool.name}-canary" if track == "canary" else pool.name
            found.append(_budget(own, names.labels(cluster, pool.name, track), pool.minimum - 1))
    return found


def _budget(name: str, labels: dict[str, str], least: int) -> dict[str, Any]:
    return names.manifest(
        "policy/v1", "PodDisruptionBudget", name,
        spec={"minAvailable": least, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": {"matchLabels": labels}},
    )  # fmt: skip


def accounts() -> list[dict[str, Any]]:
    """One per pool and head. None has a right of its own: KubeRay binds the heads' to what their autoscaler may do."""
    heads = [f"{cluster}-head" for cluster in (names.API, names.WORKERS, names.IMPORTER)]
    return [account(name) for name in [*(duty.pool.name for duty in DUTIES), *heads]]


def account(name: str) -> dict[str, Any]:
    return names.manifest("v1", "ServiceAccount", name, automountServiceAccountToken=False)
