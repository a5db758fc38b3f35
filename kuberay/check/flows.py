"""NetworkPolicies read as a cluster reads them: for a pod, the arrows that are open, as text that can be compared.

A pod that no policy of a direction selects is open in that direction; several policies add up. An arrow is `peer port`, say
`10.32.8.0/24 5432/TCP`, `kube-system/kube-dns 53/UDP` or `content-api/head 6379/TCP`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kuberay import names
from kuberay.check.finding import Manifest, Pod, of_kind

ANY = "anything"


def open_arrows(pod: Pod, manifests: list[Manifest], direction: str) -> frozenset[str]:
    """Arrows of a pod; `direction` is Ingress or Egress. `anything` is among them where nothing holds it back."""
    field, side = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    selecting = [
        policy
        for policy in of_kind(manifests, "NetworkPolicy")
        if direction in policy["spec"].get("policyTypes", ["Ingress"])
        and selects(policy["spec"]["podSelector"], pod.labels)
    ]
    if not selecting:
        return frozenset({ANY})
    rules = [rule for policy in selecting for rule in policy["spec"].get(field, [])]
    return frozenset(arrow for rule in rules for arrow in _arrows(rule, side))


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", []):
        value, values = labels.get(each["key"]), each.get("values", [])
        matches = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not matches[each["operator"]]:
            return False
    return True


def _arrows(rule: Manifest, side: str) -> Iterator[str]:
    ports = [_port(port) for port in rule.get("ports", [])] or [ANY]
    peers = [_peer(peer) for peer in rule.get(side, [])] or [ANY]
    for peer in peers:
        for port in ports:
            yield f"{peer} {port}"


def _port(port: Manifest) -> str:
    number = str(port.get("port", ANY))
    if "endPort" in port:
        number += f"-{port['endPort']}"
    return f"{number}/{port.get('protocol', 'TCP')}"


def _peer(peer: Manifest) -> str:
    if "ipBlock" in peer:
        without = peer["ipBlock"].get("except", [])
        return peer["ipBlock"]["cidr"] + (f" but {len(without)} networks" if without else "")
    inside = peer.get("podSelector", {}).get("matchLabels", {})
    if "namespaceSelector" in peer:
        space = peer["namespaceSelector"].get("matchLabels", {}).get("kubernetes.io/metadata.name", ANY)
        named = inside.get("app.kubernetes.io/name") or inside.get("k8s-app")
        return f"{space}/{named}" if named else space
    parts = [inside.get(key) for key in (names.CLUSTER, names.POOL, names.TRACK)]
    return "/".join(part for part in parts if part) or ANY
