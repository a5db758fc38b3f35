"""Rules for all objects together: what is named exists, budgets fit groups, weights add up, settings are settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cluster.settings import Settings
from kuberay import names
from kuberay.check.finding import Finding, Manifest, name_of, of_kind, pods_of
from kuberay.check.flows import selects
from kuberay.duties import variable
from kuberay.external_secrets import keys_by_secret

Found = Iterator[Finding]
CLUSTER_WIDE = {"Namespace", "PriorityClass", "RuntimeClass"}
BUILT_IN = {("ConfigMap", "kube-root-ca.crt")}
FORBIDDEN_KINDS = {
    "Secret": "values of secrets do not belong into manifests",
    "Ingress": "requests come in by the HTTPRoute",
    "ClusterRole": "nothing of ours asks for more than its namespace",
    "ClusterRoleBinding": "nothing of ours asks for more than its namespace",
}


def judge(manifests: list[Manifest]) -> Found:
    yield from _kinds(manifests)
    yield from _references(manifests)
    yield from _settings(manifests)
    yield from _budgets(manifests)
    yield from _routes(manifests)
    yield from _roles(manifests)
    yield from _namespace(manifests)


def _kinds(manifests: list[Manifest]) -> Found:
    seen: set[str] = set()
    for manifest in manifests:
        if manifest["kind"] in FORBIDDEN_KINDS:
            yield Finding("forbidden-kind", name_of(manifest), FORBIDDEN_KINDS[manifest["kind"]])
        if name_of(manifest) in seen:
            yield Finding("twice", name_of(manifest), "there are two of that name")
        seen.add(name_of(manifest))
        inside = manifest["metadata"].get("namespace")
        if (inside is None) != (manifest["kind"] in CLUSTER_WIDE) or inside not in (None, names.NAMESPACE):
            yield Finding("namespace", name_of(manifest), f"it is in {inside or 'no namespace'}")


def _references(manifests: list[Manifest]) -> Found:
    """Accounts, priorities, runtimes, ConfigMaps and Secrets that pods name are there (Secrets: are of the documented ones)."""
    there = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests} | BUILT_IN
    secrets = keys_by_secret()
    made = {manifest["spec"].get("secretName") for manifest in of_kind(manifests, "Certificate")}
    for pod in pods_of(manifests):
        named = [
            ("ServiceAccount", pod.spec.get("serviceAccountName")),
            ("PriorityClass", pod.spec.get("priorityClassName")),
            ("RuntimeClass", pod.spec.get("runtimeClassName")),
            *_named_by(pod.spec),
        ]
        for kind, name in named:
            if name is None or (kind, name) in there:
                continue
            if kind == "Secret" and (name in secrets or name in made):
                continue
            yield Finding("reference", pod.where, f"there is no {kind} {name}")
    for service in of_kind(manifests, "RayService"):
        token = service["spec"]["rayClusterConfig"].get("authOptions", {}).get("secretName")
        if token is not None and token not in secrets:
            yield Finding("reference", name_of(service), f"there is no Secret {token}")


def _named_by(spec: Manifest) -> Iterator[tuple[str, str]]:
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
    for container in spec["containers"]:
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                yield "ConfigMap", source["configMapRef"]["name"]
        for entry in container.get("env", []):
            if reference := entry.get("valueFrom", {}).get("secretKeyRef"):
                yield "Secret", reference["name"]


def _settings(manifests: list[Manifest]) -> Found:
    """Every `CONTENT_…` is a setting, and what all pods of a kind are told is accepted by `Settings` as it stands."""
    known = {variable(name) for name in Settings.model_fields}
    told: list[tuple[str, dict[str, Any]]] = [
        (name_of(each), each.get("data", {})) for each in of_kind(manifests, "ConfigMap")
    ]
    for pod in pods_of(manifests):
        told += [
            (pod.where, {entry["name"]: entry.get("value", "") for entry in each.get("env", [])})
            for each in pod.containers
        ]
    for where, values in told:
        for name in values:
            if name.startswith("CONTENT_") and name not in known:
                yield Finding("setting", where, f"{name} is no setting")
            if name in {variable(field) for field in ("failpoints", "learner_origin", "webhook_allow_private")}:
                yield Finding("setting", where, f"{name} is for tests and local stacks")


def _budgets(manifests: list[Manifest]) -> Found:
    """Exactly one budget per group. A number, or Kubernetes could not reckon with pods of KubeRay; below the minimum, or no node
    could be drained."""
    budgets = of_kind(manifests, "PodDisruptionBudget")
    for budget in budgets:
        least = budget["spec"].get("minAvailable")
        if not isinstance(least, int) or "maxUnavailable" in budget["spec"]:
            yield Finding(
                "budget-number", name_of(budget), "anything but minAvailable as a number lets no pod of KubeRay go"
            )
        if not budget["spec"].get("selector", {}).get("matchLabels"):
            yield Finding("budget", name_of(budget), "it selects every pod")
    for pod in pods_of(manifests):
        if not pod.in_ray:
            continue
        selecting = [each for each in budgets if selects(each["spec"].get("selector", {}), pod.labels)]
        if len(selecting) != 1:
            yield Finding("budget", pod.where, f"{len(selecting)} budgets select it")
            continue
        least, minimum = selecting[0]["spec"].get("minAvailable"), _minimum(pod.owner, pod.group)
        if isinstance(least, int) and least >= max(minimum, 1):
            yield Finding("budget", pod.where, f"of {minimum} pods at least {least} must stay: no node can be drained")


def _minimum(service: Manifest, group: str) -> int:
    if group == "head":
        return 1
    return next(
        each["minReplicas"]
        for each in service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
        if each["groupName"] == group
    )


def _routes(manifests: list[Manifest]) -> Found:
    """Stable and canary, all to stable; to services that KubeRay makes of a RayService, and never to a head."""
    services = {f"{each['metadata']['name']}-serve-svc" for each in of_kind(manifests, "RayService")}
    routes = of_kind(manifests, "HTTPRoute")
    if len(routes) != 1:
        yield Finding("route", "HTTPRoute", f"there are {len(routes)}, not one")
    for route in routes:
        if route["metadata"].get("labels", {}).get(names.APPLY) != "once":
            yield Finding("route", name_of(route), "a release would set its weights back")
        for rule in route["spec"]["rules"]:
            weights = {each["name"]: each.get("weight") for each in rule["backendRefs"]}
            for name in weights:
                if name not in services:
                    yield Finding("route", name_of(route), f"no RayService serves as {name}")
            if weights != {f"{names.API}-serve-svc": 100, f"{names.CANARY}-serve-svc": 0}:
                yield Finding("weights", name_of(route), f"they are {weights}, not 100 to stable and 0 to the canary")


def _roles(manifests: list[Manifest]) -> Found:
    """Rights are named: verbs, resources and objects, none of them a wildcard."""
    for role in of_kind(manifests, "Role"):
        for rule in role["rules"]:
            words = [word for part in ("apiGroups", "resources", "verbs") for word in rule.get(part, [])]
            if "*" in words or not rule.get("resourceNames"):
                yield Finding("role", name_of(role), "it grants more than what is named")
            if "secrets" in rule.get("resources", []):
                yield Finding("role", name_of(role), "it reads secrets")


def _namespace(manifests: list[Manifest]) -> Found:
    for namespace in of_kind(manifests, "Namespace"):
        labels = namespace["metadata"].get("labels", {})
        if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield Finding("pod-security", name_of(namespace), "pods that are not restricted are let in")
    if not of_kind(manifests, "Namespace"):
        yield Finding("pod-security", "Namespace", "there is none")
