"""Component mtls: an identity for every pool by cert-manager, and Ray's own gRPC under TLS by KubeRay.

Each account gets a certificate with a SPIFFE name in it, mounted at `/etc/content/tls`: what it shows to Postgres, NATS and the
neighbours, and by which they know it. Between the pods of a cluster KubeRay makes certificates itself (gate RayClusterMTLS).
Serve's HAProxy speaks no TLS, so from the gateway on it is the mesh's, or the node network's encryption, that protects requests.
"""

from __future__ import annotations

from typing import Any

from kuberay import names
from kuberay.duties import DUTIES
from kuberay.patches import CLUSTER_SPEC, SERVICES, add, patch, workers

TLS = "/etc/content/tls"
TRUST_DOMAIN = "content.example"
CA = "content-ca"


def certificates() -> list[dict[str, Any]]:
    """An issuer on the installation's CA (Secret `content-ca`), and a certificate for each pool."""
    issuer = names.manifest("cert-manager.io/v1", "Issuer", CA, spec={"ca": {"secretName": CA}})
    return [issuer, *(_certificate(duty.pool.name) for duty in DUTIES)]


def identity(account: str) -> str:
    """The SPIFFE name of an account."""
    return f"spiffe://{TRUST_DOMAIN}/ns/{names.NAMESPACE}/sa/{account}"


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
    """Mount each pool's certificate (a changed one appears in place), and switch Ray's own TLS on."""
    found = []
    for service in SERVICES:
        operations = [add(f"{CLUSTER_SPEC}/tlsOptions", {"enabled": True})]
        for pod, duty in workers(service):
            secret = {"secretName": f"{duty.pool.name}-tls", "defaultMode": 0o440}
            operations.append(add(f"{pod}/volumes/-", {"name": "tls", "secret": secret}))
            mount = {"name": "tls", "mountPath": TLS, "readOnly": True}
            operations.append(add(f"{pod}/containers/0/volumeMounts/-", mount))
        found.append(patch("RayService", service, operations))
    return found
