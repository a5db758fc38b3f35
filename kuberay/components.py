"""Components: what an installation adds to the overlay of its region. Each is one `Component` of kustomize.

`aws` or `r2` says where blobs and keys are, `cloudfront` or `cloudflare` which CDN is told what to forget; the others are choices:
`mtls`, `kata`, `gvisor-builders`, `webhooks`, `traces`, `external-secrets`, `monitoring`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kuberay import edge, external_secrets, guards, jobs, mtls, names
from kuberay.duties import CLOUDFLARE_SECRET, DUTIES
from kuberay.jobs import TASKS
from kuberay.monitoring import grafana, rules
from kuberay.network import AGENT, block, of_pools, policy, tcp
from kuberay.patches import (
    CLUSTER_SPEC,
    SERVICES,
    add,
    delete,
    head_pod,
    images,
    kustomization,
    patch,
    remove,
    replace,
    settings,
    workers,
)
from kuberay.pods import from_secret, security
from kuberay.settings import IMPORTER_MAP, SERVICE_MAP

Files = dict[str, list[Any]]
"""By file name, its documents."""

R2_ENDPOINT = "https://ACCOUNT.r2.cloudflarestorage.com"
CLOUDFLARE = (
    "173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18", "108.162.192.0/18",
    "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17", "162.158.0.0/15", "104.16.0.0/13",
    "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22",
)  # fmt: skip
"""Cloudflare's networks, as it publishes them: R2 has no endpoint in anybody's VPC."""
EVERYWHERE: dict[str, Any] = {"cidr": "0.0.0.0/0"}
NOT_PUBLIC = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/3",
)  # fmt: skip


def aws() -> Files:
    """Volumes of heads on gp3; credentials from EKS Pod Identity, never from the machine's metadata."""
    storage = f"{CLUSTER_SPEC}/gcsFaultToleranceOptions/storage/storageClassName"
    return _component(
        configMapGenerator=[settings(SERVICE_MAP, {"AWS_EC2_METADATA_DISABLED": "true"})],
        patches=[patch("RayService", name, [add(storage, "gp3")]) for name in SERVICES],
    )


def r2() -> Files:
    """Blobs in R2 with a key for each pool, and OpenBao for keys, since R2 comes without a key service."""
    changes: list[dict[str, Any]] = []
    for service in SERVICES:
        operations = [
            add(f"{pod}/containers/0/env/-", from_secret(duty.pool.name, setting))
            for pod, duty in workers(service)
            for setting in r2_secrets(duty.pool.name, duty.reaches)
        ]
        if operations:
            changes.append(patch("RayService", service, operations))
    for task in TASKS:
        path = "/spec/jobTemplate/spec/template/spec/containers/0/env/-"
        held = r2_secrets(task.name, task.reaches)
        if held:
            changes.append(patch("CronJob", task.name, [add(path, from_secret(task.name, each)) for each in held]))
    return _component(
        configMapGenerator=[
            settings(
                SERVICE_MAP,
                {
                    "CONTENT_S3_ENDPOINT": R2_ENDPOINT,
                    "CONTENT_S3_REGION": "auto",
                    "CONTENT_KEY_SERVICE": "openbao",
                    "CONTENT_COLD_STORAGE": "off",
                    "CONTENT_OPENBAO_URL": "https://openbao.openbao.svc.cluster.local:8200",
                },
            ),
            settings(IMPORTER_MAP, {"CONTENT_IMPORTER_ORIGINS": f'["{R2_ENDPOINT}"]'}),
        ],
        patches=[
            *changes,
            patch("NetworkPolicy", "to-store", [replace("/spec/egress/0/to", [block(each) for each in CLOUDFLARE])]),
            patch("NetworkPolicy", "to-keys", [replace("/spec/egress", [_openbao()])]),
            delete("networking.k8s.io/v1", "NetworkPolicy", "to-role"),
        ],
    )


def r2_secrets(pool: str, reaches: tuple[str, ...]) -> tuple[str, ...]:
    """What a pool holds besides, where there are no roles."""
    if pool == "content-scorm-importer":
        return ()
    return (
        *(("s3_access_key", "s3_secret_key") if "store" in reaches else ()),
        *(("openbao_token",) if "keys" in reaches else ()),
    )


def _openbao() -> dict[str, Any]:
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openbao"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "openbao"}},
    }
    return {"to": [peer], "ports": tcp(8200)}


def kata() -> Files:
    """The importer in a virtual machine of its own in place of gVisor."""
    importer = [head_pod(), *(pod for pod, _ in workers(names.IMPORTER))]
    return _component(
        {"runtime-class.yaml": [guards.kata()]},
        patches=[
            patch("RayService", names.IMPORTER, [replace(f"{pod}/runtimeClassName", "kata") for pod in importer]),
        ],
    )


def gvisor_builders() -> Files:
    """Builders under gVisor in place of a user namespace: for nodes whose AppArmor or SELinux forbids bubblewrap to mount."""
    pod = next(pod for pod, duty in workers(names.WORKERS) if duty.nodes == "media")
    return _component(
        patches=[
            patch(
                "RayService",
                names.WORKERS,
                [
                    remove(f"{pod}/hostUsers"),
                    add(f"{pod}/runtimeClassName", "gvisor"),
                    replace(f"{pod}/securityContext", security()),
                ],
            )
        ]
    )


def webhooks() -> Files:
    """Bundlers call tenants' webhooks: public addresses, HTTPS, and nothing private, whatever a name resolves to."""
    to_public = policy("to-webhooks", of_pools("content-bundler"), egress=[([public()], tcp(443))])
    return _component({"to-webhooks.yaml": [to_public]})


def public() -> dict[str, Any]:
    """Every address but those that are somebody's own."""
    return {"ipBlock": {**EVERYWHERE, "except": list(NOT_PUBLIC)}}


def cloudfront() -> Files:
    """CloudFront is told what to forget. Its interface is public, and in no VPC, so the way there is open to every public
    address; who may do what there is said by the role."""
    return _cdn(
        "cloudfront",
        [([public()], tcp(443)), ([block(AGENT)], tcp(80))],
        {
            "CONTENT_CLOUDFRONT_DISTRIBUTION_IDS": "{}",
            "CONTENT_CLOUDFRONT_KEY_GROUP_ID": "",
            "CONTENT_CLOUDFRONT_SITES_STORE": "",
        },
        token=False,
    )


def cloudflare() -> Files:
    """Cloudflare is, with a token."""
    return _cdn(
        "cloudflare",
        [([block(each) for each in CLOUDFLARE], tcp(443))],
        {
            "CONTENT_CLOUDFLARE_ZONE_ID": "",
            "CONTENT_CLOUDFLARE_ACCOUNT_ID": "",
            "CONTENT_CLOUDFLARE_KEYS_NAMESPACE": "",
        },
        token=True,
    )


def _cdn(name: str, allowed: list[Any], ids: dict[str, str], *, token: bool) -> Files:
    """`ids` are the installation's to fill in, by a ConfigMap merged over this one."""
    job = "/spec/jobTemplate/spec/template/spec/containers/0"
    promoter = [add(f"{job}/envFrom/-", {"configMapRef": {"name": edge.EDGE_MAP}})]
    if token:
        promoter.append(add(f"{job}/env/-", from_secret(CLOUDFLARE_SECRET, "cloudflare_token")))
    else:  # AWS is spoken to with boto3, which the slim image has not
        promoter.append(replace(f"{job}/image", names.SERVICE_IMAGE))
    return _component(
        {
            "edge.yaml": edge.objects(token),
            "to-cdn.yaml": [policy("to-cdn", of_pools(*edge.WHO), egress=allowed)],
        },
        images=images(),
        configMapGenerator=[settings(edge.EDGE_MAP, {"CONTENT_EDGE_CDN": name, **ids}, merge=False)],
        patches=[patch("CronJob", name, promoter) for name in (jobs.PROMOTER, jobs.ROLLBACK)],
    )


def traces() -> Files:
    """Spans to a collector (docs/telemetry.md)."""
    collector = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "opentelemetry-collector"}},
    }
    told = {
        "CONTENT_TRACE_EXPORTER": "otlp",
        "CONTENT_TRACE_ENDPOINT": "http://opentelemetry-collector.monitoring.svc.cluster.local:4318/v1/traces",
        "CONTENT_TRACE_SAMPLE_RATIO": "0.05",
    }
    pods = of_pools(*(duty.pool.name for duty in DUTIES if duty.cluster != names.IMPORTER))
    return _component(
        {"to-collector.yaml": [policy("to-collector", pods, egress=[([collector], tcp(4318))])]},
        configMapGenerator=[settings(SERVICE_MAP, told)],
    )


def mtls_component() -> Files:
    """After the CDN's component, whose pod gets a certificate as well."""
    return _component(
        {"certificates.yaml": mtls.certificates()},
        configMapGenerator=[settings(SERVICE_MAP, mtls.settings())],
        patches=mtls.patches(),
    )


def secrets_component() -> Files:
    return _component({"external-secrets.yaml": external_secrets.all_secrets()})


def monitoring() -> Files:
    """Alerts for the Prometheus operator, dashboards for Grafana's sidecar."""
    return _component({"alerts.yaml": [rules.rule()], "dashboards.yaml": grafana.config_maps()})


def _component(resources: Files | None = None, **rest: Any) -> Files:
    resources = resources or {}
    named = {"resources": list(resources)} if resources else {}
    named = {"namespace": names.NAMESPACE, **named} if resources else named
    return {"kustomization.yaml": [kustomization("Component", **named, **rest)], **resources}


COMPONENTS: dict[str, Callable[[], Files]] = {
    "aws": aws,
    "r2": r2,
    "cloudfront": cloudfront,
    "cloudflare": cloudflare,
    "mtls": mtls_component,
    "kata": kata,
    "gvisor-builders": gvisor_builders,
    "webhooks": webhooks,
    "traces": traces,
    "external-secrets": secrets_component,
    "monitoring": monitoring,
}
PLATFORMS, CDNS = ("aws", "r2"), ("cloudfront", "cloudflare")
"""Of each an installation takes one (of the second, or none)."""
CHOICES = tuple(name for name in COMPONENTS if name not in PLATFORMS + CDNS)
"""Of these, any."""
