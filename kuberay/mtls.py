"""Component mtls: an identity for every pool and job by cert-manager, and Ray's own gRPC under TLS by KubeRay.

Each account gets a certificate with a SPIFFE name in it, mounted at `/etc/content/tls` (setting `mesh_folder`): what it shows to
NATS, to the neighbours and to a Postgres that wants one, whose names are in `mesh_peers` (docs/mesh.md). Between the pods of a
cluster KubeRay makes certificates itself (gate RayClusterMTLS). Serve's HAProxy speaks no TLS: before the API and the importer
it ends at the mesh's sidecar or at the gateway, or the node network's encryption protects requests.
"""

from __future__ import annotations

import json
from typing import Any

from kuberay import edge, names
from kuberay.duties import DUTIES, NEIGHBOURS
from kuberay.jobs import TASKS
from kuberay.patches import CLUSTER_SPEC, SERVICES, add, patch, workers

TLS = "/etc/content/tls"
TRUST_DOMAIN = "content.example"
CA = "content-ca"


JOBS = tuple(task for task in TASKS if not task.first and {"nats", "postgres"} & set(task.reaches))
"""Jobs that show a certificate. Not the migration, which a release begins with, before there is one."""


def certificates() -> list[dict[str, Any]]:
    """An issuer on the installation's CA (Secret `content-ca`), and a certificate for each account."""
    issuer = names.manifest("cert-manager.io/v1", "Issuer", CA, spec={"ca": {"secretName": CA}})
    accounts = [
        *(duty.pool.name for duty in DUTIES),
        *dict.fromkeys(task.runs_as or task.name for task in JOBS),
        edge.TELLS,
    ]
    return [issuer, *(_certificate(account) for account in accounts)]


def identity(account: str, namespace: str = names.NAMESPACE) -> str:
    """The SPIFFE name of an account."""
    return f"spiffe://{TRUST_DOMAIN}/ns/{namespace}/sa/{account}"


def settings() -> dict[str, str]:
    """What our pods are told: where their certificate is, and who the others are."""
    peers = {"nats": identity("nats", "nats"), "importer": identity(names.IMPORTER)}
    peers |= {key: identity(service, service) for key, service in NEIGHBOURS.items()}
    return {"CONTENT_MESH_FOLDER": TLS, "CONTENT_MESH_PEERS": json.dumps(peers, separators=(",", ":"))}


def _certificate(account: str) -> dict[str, Any]:
    return names.manifest(
        "cert-manager.io/v1", "Certificate", account,
        spec={
            "secretName": f"{account}-tls",
            "duration": "24h",
            "renewBefore": "8h",
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "usages": ["digital signature", "client auth", "server auth"],
            "uris": [identity(account)],
            "dnsNames": [f"{account}.{names.NAMESPACE}.svc"],
            "issuerRef": {"name": CA, "kind": "Issuer"},
        },
    )  # fmt: skip


def patches() -> list[dict[str, Any]]:
    """Mount each account's certificate (a changed one appears in place), and switch Ray's own TLS on."""
    found = []
    for service in SERVICES:
        operations = [add(f"{CLUSTER_SPEC}/tlsOptions", {"enabled": True})]
        for pod, duty in workers(service):
            operations += _mounted(pod, duty.pool.name)
        found.append(patch("RayService", service, operations))
    for task in JOBS:
        pod = "/spec/jobTemplate/spec/template/spec"
        found.append(patch("CronJob", task.name, _mounted(pod, task.runs_as or task.name)))
    return [*found, patch("Deployment", edge.TELLS, _mounted("/spec/template/spec", edge.TELLS))]


def _mounted(pod: str, account: str) -> list[dict[str, Any]]:
    secret = {"secretName": f"{account}-tls", "defaultMode": 0o440}
    return [
        add(f"{pod}/volumes/-", {"name": "tls", "secret": secret}),
        add(f"{pod}/containers/0/volumeMounts/-", {"name": "tls", "mountPath": TLS, "readOnly": True}),
    ]
