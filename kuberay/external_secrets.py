"""Secrets by role: which exist, and what is in each. `components/external-secrets` has the External Secrets Operator fetch them.

Without that component an installation makes Secrets of these names itself (docs/kubernetes.md lists them). Each pool's and
each job's is its own, so the same login may stand in two of them, and one can be changed or taken away alone.
"""

from __future__ import annotations

from typing import Any

from kuberay import names
from kuberay.duties import DUTIES, variable
from kuberay.jobs import TASKS

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
    return found


def all_secrets() -> list[dict[str, Any]]:
    """`remoteRef` is `content/SECRET`, property KEY."""
    return [_external(name, keys) for name, keys in keys_by_secret().items()]


def _external(name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    return names.manifest(
        "external-secrets.io/v1", "ExternalSecret", name,
        spec={
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE},
            "target": {"name": name, "creationPolicy": "Owner", "deletionPolicy": "Retain"},
            "data": [{"secretKey": key, "remoteRef": {"key": f"content/{name}", "property": key}} for key in keys],
        },
    )  # fmt: skip
