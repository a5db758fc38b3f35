"""Secrets by role: which exist, and what is in each. `components/external-secrets` has the External Secrets Operator fetch them.

Without that component an installation makes Secrets of these names itself (docs/kubernetes.md lists them). Each pool's and
each job's is its own, so the same login may stand in two of them, and one can be changed or taken away alone.
"""

from __future__ import annotations

from typing import Any

from cluster import topology
from cluster.aws.edge_access import SIGNER
from kuberay import edge, names
from kuberay.duties import CLOUDFLARE_SECRET, DUTIES, variable
from kuberay.jobs import TASKS

OF_COMPONENTS = (edge.TELLS, CLOUDFLARE_SECRET)
"""Secrets that a component of a CDN wants: an installation that has one makes these itself."""
BESIDE = {topology.API.name: (SIGNER,)}
"""What is kept apart and comes into the same Secret: who rotates the edge's key shall not read, or write, the API's logins."""
STORE = "content"
"""The ClusterSecretStore of the installation."""
TOKEN_KEY = "auth_token"  # noqa: S105 - a name: where KubeRay looks for Ray's token


def keys_by_secret() -> dict[str, tuple[str, ...]]:
    """Every Secret with its keys, Ray's tokens and mounted files included."""
    found = {duty.pool.name: tuple(variable(setting) for setting in duty.secrets) for duty in DUTIES}
    for task in TASKS:
        if task.secrets:
            found[task.name] = tuple(variable(setting) for setting in task.secrets)
        found.update(dict.fromkeys(task.files, ("token",)))
    for cluster in (names.API, names.WORKERS, names.IMPORTER):
        found[f"{cluster}-ray"] = (TOKEN_KEY,)
    found[edge.TELLS] = tuple(variable(setting) for setting in edge.SECRETS)
    found[CLOUDFLARE_SECRET] = (variable("cloudflare_token"),)
    return found


def all_secrets() -> list[dict[str, Any]]:
    """All that the store keeps below `content/SECRET`: pods take out of it by key, so a key too many gets nowhere."""
    return [_external(name, *BESIDE.get(name, ())) for name in keys_by_secret() if name not in OF_COMPONENTS]


def _external(name: str, *beside: str) -> dict[str, Any]:
    return names.manifest(
        "external-secrets.io/v1", "ExternalSecret", name,
        spec={
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE},
            "target": {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"},
            "dataFrom": [{"extract": {"key": key}} for key in (f"content/{name}", *beside)],
        },
    )  # fmt: skip
