"""Rules for NetworkPolicies: every arrow that is open is one of the topology, and every arrow of the topology is open.

What is wanted is written down here from `duties.py`, apart from how `kuberay.network` writes policies, and compared with what the
policies that came out of kustomize open for each pod.
"""

from __future__ import annotations

from collections.abc import Iterator

from kuberay import edge, names
from kuberay.check.finding import Finding, Manifest, Pod, of_kind, pods_of
from kuberay.check.flows import ANY, open_arrows
from kuberay.components import CLOUDFLARE, NOT_PUBLIC
from kuberay.duties import BY_POOL, NEIGHBOURS
from kuberay.jobs import TASKS
from kuberay.regions import ALL, Region

RAY = ("6379", "6380", "6381", "6382", "6383", "52365", "10002-10999")
HAPROXY = ("8000", "30000-31000", "40000-41000")
SCRAPED = ("8080", "9101", "9464", "44217", "44227")
PUBLIC = f"0.0.0.0/0 but {len(NOT_PUBLIC)} networks"
IMPORTER_HEAD, IMPORTER_WORKER = "content-importer/head", "content-importer/content-scorm-importer"
Found = Iterator[Finding]


def judge(manifests: list[Manifest], region: str, components: tuple[str, ...]) -> Found:
    place = next(each for each in ALL if each.name == region)
    yield from _denied(manifests)
    for pod in pods_of(manifests):
        for direction, wanted in (("Egress", _out(pod, place, components)), ("Ingress", _in(pod))):
            found = open_arrows(pod, manifests, direction)
            for arrow in sorted(found - wanted):
                yield Finding(direction.lower(), pod.where, f"open, and not in the topology: {arrow}")
            for arrow in sorted(wanted - found):
                yield Finding(direction.lower(), pod.where, f"shut, and in the topology: {arrow}")


def _denied(manifests: list[Manifest]) -> Found:
    """A policy that selects every pod and allows nothing, so that what nobody thought of is shut."""
    for policy in of_kind(manifests, "NetworkPolicy"):
        spec = policy["spec"]
        shut = (
            set(spec.get("policyTypes", [])) == {"Ingress", "Egress"}
            and not spec.get("ingress")
            and not spec.get("egress")
        )
        if spec["podSelector"] == {} and shut:
            return
    yield Finding("default-deny", "NetworkPolicy", "nothing denies what no policy allows")


def _tcp(peer: str, *ports: str) -> set[str]:
    return {f"{peer} {port}/TCP" for port in ports}


def _own(pod: Pod) -> str:
    """The pods of its own cluster, as a peer."""
    labels = [pod.labels.get(key) for key in (names.CLUSTER, names.TRACK)]
    return "/".join(part for part in labels if part)


def _ray(pod: Pod) -> set[str]:
    """Ray's ports, in and out."""
    match pod.labels.get(names.CLUSTER):
        case names.API:
            return _tcp(_own(pod), *RAY, *HAPROXY)
        case names.WORKERS:
            return _tcp(_own(pod), *RAY)
        case names.IMPORTER:
            return _tcp(IMPORTER_WORKER if pod.group == "head" else IMPORTER_HEAD, *RAY)
        case _:
            return set()


def _out(pod: Pod, region: Region, components: tuple[str, ...]) -> set[str]:
    wanted = {f"kube-system/kube-dns 53/{protocol}" for protocol in ("UDP", "TCP")} | _ray(pod)
    if pod.group == "head":
        return wanted | _tcp(region.control_plane, "443")
    duty = BY_POOL.get(pod.group)
    jobs = {task.name: task.reaches for task in TASKS} | edge.REACHES
    reached = duty.reaches if duty else jobs.get(pod.group, ())
    for peer in reached:
        wanted |= _to(peer, region, "r2" in components)
    if pod.group != "content-scorm-importer" and {"store", "keys"} & set(reached) and "r2" not in components:
        wanted |= _tcp("169.254.170.23/32", "80")
    if "webhooks" in components and pod.group == "content-bundler":
        wanted |= _tcp(PUBLIC, "443")
    if "cloudfront" in components and pod.group in edge.WHO:
        wanted |= _tcp(PUBLIC, "443") | _tcp("169.254.170.23/32", "80")
    if "cloudflare" in components and pod.group in edge.WHO:
        wanted |= set().union(*(_tcp(each, "443") for each in CLOUDFLARE))
    if "traces" in components and duty is not None and duty.cluster != names.IMPORTER:
        wanted |= _tcp("monitoring/opentelemetry-collector", "4318")
    return wanted


def _to(peer: str, region: Region, in_r2: bool) -> set[str]:
    match peer:
        case "postgres":
            return _tcp(region.postgres, "5432")
        case "store":
            return set().union(*(_tcp(each, "443") for each in CLOUDFLARE)) if in_r2 else _tcp(region.store, "443")
        case "keys":
            return (
                _tcp("openbao/openbao", "8200")
                if in_r2
                else _tcp(region.keys, "443") | _tcp(region.replica_keys, "443")
            )
        case "control-plane":
            return _tcp(region.control_plane, "443")
        case "nats":
            return _tcp("nats/nats", "4222")
        case "prometheus":
            return _tcp("monitoring/prometheus", "9090")
        case "importer":
            return _tcp(IMPORTER_HEAD, "8000")
        case "api":
            return _tcp("content-api/content-api", "8000")
        case _:
            return _tcp(f"{NEIGHBOURS[peer]}/{NEIGHBOURS[peer]}", "8443") if peer in NEIGHBOURS else {f"{ANY} {peer}"}


def _in(pod: Pod) -> set[str]:
    wanted = _tcp("monitoring/prometheus", *SCRAPED) | _ray(pod)
    if pod.group == "head":
        wanted |= _tcp("kuberay-operator/kuberay-operator", "8265", "8000")
        if pod.labels.get(names.CLUSTER) == names.IMPORTER:
            wanted |= _tcp("content-workers/content-builder", "8000")
    if pod.group == "content-api":
        wanted |= _tcp("gateway-system", "8000")
        for task in TASKS:
            if "api" in task.reaches:
                wanted |= _tcp(task.name, "8000")
    return wanted
