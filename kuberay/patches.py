"""How overlays and components change what the base says: patches by kustomize, with paths worked out from the base itself.

Kustomize replaces lists of kinds that it does not know, so a RayService is changed by JSON patches (RFC 6902) whose indexes are
computed here: a pool that moves within its cluster moves in every patch.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from typing import Any

from kuberay import names
from kuberay.duties import Duty, of_cluster
from kuberay.text import inner_yaml

CLUSTER_SPEC = "/spec/rayClusterConfig"
SERVICES = {names.API: names.API, names.CANARY: names.API, names.WORKERS: names.WORKERS, names.IMPORTER: names.IMPORTER}
"""RayServices, with the cluster in the labels of their pods."""
Operation = dict[str, Any]


def patch(kind: str, name: str, operations: Iterable[Operation]) -> dict[str, Any]:
    """One entry of `patches:`."""
    return {"target": {"kind": kind, "name": name}, "patch": inner_yaml(list(operations))}


def delete(api_version: str, kind: str, name: str) -> dict[str, Any]:
    document = {"$patch": "delete", "apiVersion": api_version, "kind": kind, "metadata": {"name": name}}
    return {"patch": inner_yaml(document)}


def replace(path: str, value: Any) -> Operation:
    return {"op": "replace", "path": path, "value": value}


def add(path: str, value: Any) -> Operation:
    return {"op": "add", "path": path, "value": value}


def remove(path: str) -> Operation:
    return {"op": "remove", "path": path}


def head_pod() -> str:
    return f"{CLUSTER_SPEC}/headGroupSpec/template/spec"


def worker_pod(index: int) -> str:
    return f"{CLUSTER_SPEC}/workerGroupSpecs/{index}/template/spec"


def workers(service: str) -> list[tuple[str, Duty]]:
    """The path of each group's pod in a RayService, with its pool's duty."""
    return [(worker_pod(index), duty) for index, duty in enumerate(of_cluster(SERVICES[service]))]


def kustomization(kind: str = "Kustomization", **rest: Any) -> dict[str, Any]:
    version = "v1beta1" if kind == "Kustomization" else "v1alpha1"
    return {"apiVersion": f"kustomize.config.k8s.io/{version}", "kind": kind, **rest}


def images() -> list[dict[str, Any]]:
    """`images:` with the tag of this release."""
    tag = importlib.metadata.version("content-service")
    return [{"name": image, "newTag": tag} for image in names.IMAGES]


def settings(name: str, values: dict[str, str], *, merge: bool = True) -> dict[str, Any]:
    """One entry of `configMapGenerator:`."""
    # With the migration, which reads them: a job whose settings are not there yet would wait for ever.
    behavior: dict[str, Any] = {"behavior": "merge"} if merge else {"options": {"labels": {names.APPLY: "first"}}}
    return {"name": name, **behavior, "literals": [f"{key}={value}" for key, value in values.items()]}
