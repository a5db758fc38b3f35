"""NetworkPolicies: nothing is allowed but what stands here. One small policy per arrow, so that each can be read and proven.

Allowed at all: names (DNS), Ray's ports between the pods of one cluster, the operator and Prometheus in, the gateway in to the API,
builders in to the importer's head, heads out to the API server (their autoscalers), and each pool to the parts of
`duties.py`. The importer's workers reach DNS, their own head and the object store. Ray's dashboard is open to the operator alone.
"""

from __future__ import annotations

from typing import Any

from kuberay import names
from kuberay.duties import DUTIES, NEIGHBOURS
from kuberay.regions import EXAMPLE, Region

Peer = dict[str, Any]
Ports = list[dict[str, Any]]


def tcp(*ports: int | tuple[int, int]) -> Ports:
    """Ports and ranges, as a policy writes them."""
    return [
        {"protocol": "TCP", "port": each}
        if isinstance(each, int)
        else {"protocol": "TCP", "port": each[0], "endPort": each[1]}
        for each in ports
    ]


def in_namespace(namespace: str, app: str | None = None, **labels: str) -> Peer:
    """Pods of another namespace, by what they are called there."""
    found: Peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    wanted = {**({"app.kubernetes.io/name": app} if app else {}), **labels}
    if wanted:
        found["podSelector"] = {"matchLabels": wanted}
    return found


def block(cidr: str) -> Peer:
    return {"ipBlock": {"cidr": cidr}}


def ours(**labels: str) -> Peer:
    return {"podSelector": {"matchLabels": labels}}


RAY: Ports = tcp(
    names.GCS, names.NODE_MANAGER, names.OBJECT_MANAGER, names.RUNTIME_ENV, names.AGENT_GRPC, names.AGENT,
    (names.WORKER_FROM, names.WORKER_TO),
)  # fmt: skip
"""Between pods of one cluster. The dashboard is not among them: its agents speak gRPC with the head's store."""
HAPROXY: Ports = tcp(names.SERVE, names.DIRECT_HTTP, names.DIRECT_GRPC)
"""Besides, where HAProxy on each node hands requests to the replicas of all nodes."""
GATEWAY = in_namespace("gateway-system")
OPERATOR = in_namespace("kuberay-operator", "kuberay-operator")
PROMETHEUS = in_namespace("monitoring", "prometheus")
DNS = in_namespace("kube-system", **{"k8s-app": "kube-dns"})
NATS = in_namespace("nats", "nats")

NETWORKS = {"postgres": 5432, "store": 443, "keys": 443}
"""Peers outside the cluster, by the network of their region, with their port: Postgres, and endpoints of S3 and KMS in the VPC."""
AGENT = "169.254.170.23/32"
"""Where EKS' agent on each node gives a pod the credentials of its account's role. The importer has no role."""


WITHIN: dict[str, tuple[list[Peer], Ports]] = {
    "role": ([block(AGENT)], tcp(80)),
    "nats": ([NATS], tcp(4222)),
    "prometheus": ([PROMETHEUS], tcp(9090)),
    "api": ([ours(**names.labels(names.API, names.API))], tcp(names.SERVE)),
}
"""Peers that are the same in every region."""


def policy(
    name: str, pods: dict[str, Any], *, ingress: Any = None, egress: Any = None, types: list[str] | None = None
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "podSelector": pods,
        "policyTypes": types or [*(["Ingress"] if ingress else []), *(["Egress"] if egress else [])],
    }
    if ingress:
        spec["ingress"] = [{"from": peers, "ports": ports} for peers, ports in ingress]
    if egress:
        spec["egress"] = [{"to": peers, "ports": ports} for peers, ports in egress]
    return names.manifest("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def of_pools(*pools: str) -> dict[str, Any]:
    """Selects the pods of several pools (jobs carry the label, too)."""
    return {"matchExpressions": [{"key": names.POOL, "operator": "In", "values": sorted(pools)}]}


def one(**labels: str) -> dict[str, Any]:
    return {"matchLabels": labels}


def all_policies(jobs: dict[str, tuple[str, ...]], region: Region = EXAMPLE) -> list[dict[str, Any]]:
    """Every policy; `jobs` are what jobs of ours reach, by the name in their label of a pool."""
    reaching: dict[str, set[str]] = {}
    for name, reached in [*((duty.pool.name, duty.reaches) for duty in DUTIES), *jobs.items()]:
        for peer in (*reached, *(["role"] if _has_role(name, reached) else [])):
            reaching.setdefault(peer, set()).add(name)
    return [
        policy("default-deny", {}, types=["Ingress", "Egress"]),
        policy("names", {}, egress=[([DNS], [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")])]),
        *_within_clusters(),
        policy(
            "from-operator", of_pools(names.HEAD), ingress=[([OPERATOR], tcp(names.DASHBOARD, names.SERVE))]
        ),
        policy("heads-to-control-plane", of_pools(names.HEAD), egress=[([block(region.control_plane)], tcp(443))]),
        policy(
            "from-prometheus", {},
            ingress=[([PROMETHEUS], tcp(names.METRICS, names.HAPROXY_METRICS, names.COMMAND_METRICS,
                                        names.AUTOSCALER_METRICS, names.DASHBOARD_METRICS))],
        ),
        policy(
            "from-gateway", one(**names.labels(names.API, names.API)),
            ingress=[([GATEWAY, *_askers(reaching)], tcp(names.SERVE))],
        ),
        *_importer(),
        *(_to(peer, pools, region) for peer, pools in sorted(reaching.items()) if peer not in OWN),
    ]  # fmt: skip


IMPORTER = "content-scorm-importer"
OWN = {"importer"}
"""Peers with policies that are written out."""


def _askers(reaching: dict[str, set[str]]) -> list[Peer]:
    """Jobs of ours that ask the API itself: the promoter looks at both tracks."""
    return [ours(**{names.POOL: name}) for name in sorted(reaching.get("api", set()))]


def _has_role(name: str, reached: tuple[str, ...]) -> bool:
    return name != IMPORTER and not {"store", "keys"}.isdisjoint(reached)


def _to(peer: str, pools: set[str], region: Region) -> dict[str, Any]:
    if peer in region.networks():
        networks = [region.networks()[peer], *([region.replica_keys] if peer == "keys" else [])]
        allowed = ([block(each) for each in networks], tcp(NETWORKS.get(peer, 443)))
    elif peer in WITHIN:
        allowed = WITHIN[peer]
    else:
        allowed = ([in_namespace(NEIGHBOURS[peer], NEIGHBOURS[peer])], tcp(8443))
    return policy(f"to-{peer}", of_pools(*pools), egress=[allowed])


def _within_clusters() -> list[dict[str, Any]]:
    """Each cluster on its own; stable and canary are two."""
    found = []
    for name, labels, ports in (
        (names.API, names.labels(names.API, track="stable"), [*RAY, *HAPROXY]),
        (names.CANARY, names.labels(names.API, track="canary"), [*RAY, *HAPROXY]),
        (names.WORKERS, names.labels(names.WORKERS), RAY),
    ):
        allowed = [([ours(**labels)], ports)]
        found.append(policy(f"within-{name}", one(**labels), ingress=allowed, egress=allowed))
    return found


def _importer() -> list[dict[str, Any]]:
    """Head and workers speak with each other; a worker with no other worker. Requests come to the head, from builders."""
    head = names.labels(names.IMPORTER, names.HEAD)
    worker = names.labels(names.IMPORTER, IMPORTER)
    builder = names.labels(names.WORKERS, "content-builder")
    to_worker, to_head = [([ours(**worker)], RAY)], [([ours(**head)], RAY)]
    return [
        policy("importer-head", one(**head), ingress=to_worker, egress=to_worker),
        policy("importer-workers", one(**worker), ingress=to_head, egress=to_head),
        policy("importer-from-builders", one(**head), ingress=[([ours(**builder)], tcp(names.SERVE))]),
        policy("builders-to-importer", one(**builder), egress=[([ours(**head)], tcp(names.SERVE))]),
    ]
