"""Who speaks with a CDN: `content-edge`, which has it forget what was withdrawn, and the job that rotates its key. Nobody else.

Both are part of the component of their CDN alone, since without one there is nothing to tell. What they reach inside is in the
base's policies (`REACHES`); the way to the CDN comes with the component.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cluster.aws.edge_access import SIGNER
from cluster.topology import GI, MI
from kuberay import jobs, names, pods
from kuberay.duties import CLOUDFLARE_SECRET
from kuberay.guards import account
from kuberay.jobs import JOBS, Task
from kuberay.settings import SERVICE_MAP

TELLS, ROTATES, ROTATES_NOW = "content-edge", "content-edge-keys", "content-edge-keys-emergency"
REACHES: dict[str, tuple[str, ...]] = {TELLS: ("nats", "store")}
WHO = (TELLS, ROTATES, ROTATES_NOW, jobs.PROMOTER, jobs.ROLLBACK)
"""Who reaches the CDN: for a change of the manifests' shape, who promotes and who takes back does, too."""
EDGE_MAP = "content-edge-settings"
"""Settings of the CDN: in these pods and in no other, since whoever has them talks to it."""
ROTATION = Task(
    ROTATES,
    ("content-service", "edge", "rotate", "--secret", SIGNER),
    "one step of a rotation of the key that signs addresses (docs/edge.md); started by hand, once per step",
    memory=(256 * MI, 512 * MI), deadline_s=900, retries=3,
)  # fmt: skip

EMERGENCY = replace(
    ROTATION, name=ROTATES_NOW, command=(*ROTATION.command, "--emergency"), runs_as=ROTATES,
    why="the same when the key got out: waits for the edge alone; what the old key signed is refused from the third step on",
)  # fmt: skip


def objects(token: bool) -> list[dict[str, Any]]:
    """Accounts, the deployment, the jobs; `token`: with Cloudflare's. The jobs keep the key in AWS Secrets Manager, so there are
    none for Cloudflare: an operator rotates its key from where it is kept (docs/edge.md)."""
    if token:
        return [account(TELLS), _deployment([pods.from_secret(CLOUDFLARE_SECRET, "cloudflare_token")])]
    return [account(TELLS), account(ROTATES), _deployment([]), _rotation(ROTATION), _rotation(EMERGENCY)]


def _rotation(task: Task) -> dict[str, Any]:
    made = jobs.cron_job(task)
    container = made["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    container["envFrom"].append({"configMapRef": {"name": EDGE_MAP}})
    return made


def _deployment(extra: list[dict[str, Any]]) -> dict[str, Any]:
    """One, since what it has not told waits in NATS; another one would tell the same."""
    labels = names.labels(JOBS, TELLS)
    # In a bucket without roles (component r2) it has a key of its own; elsewhere the Secret has none.
    stored = [pods.from_secret(TELLS, setting, optional=True) for setting in ("s3_access_key", "s3_secret_key")]
    probe = {"httpGet": {"path": "/metrics", "port": names.COMMAND_METRICS}, "timeoutSeconds": 5}
    container: dict[str, Any] = {
        "name": "edge",
        "image": names.SERVICE_IMAGE,
        "imagePullPolicy": pods.PULL,
        "command": ["content-service", "edge", "tell"],
        "envFrom": [{"configMapRef": {"name": name}} for name in (SERVICE_MAP, EDGE_MAP)],
        "env": [
            {"name": "HOME", "value": names.TMP},
            {"name": "CONTENT_METRICS_PORT", "value": str(names.COMMAND_METRICS)},
            *(pods.from_secret(TELLS, setting) for setting in SECRETS),
            *stored,
            *extra,
        ],
        "ports": [{"name": "command-metrics", "containerPort": names.COMMAND_METRICS}],
        "resources": pods.resources(100, 256 * MI, 500, 512 * MI, disk=64 * MI, disk_limit=2 * GI),
        "startupProbe": {**probe, "periodSeconds": 5, "failureThreshold": 24},
        "livenessProbe": {**probe, "periodSeconds": 20, "failureThreshold": 6},
        "readinessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 3},
        "securityContext": pods.confined(),
        "volumeMounts": [{"name": "tmp", "mountPath": names.TMP}],
    }
    spec = {
        "serviceAccountName": TELLS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "priorityClassName": "content-serving",
        "terminationGracePeriodSeconds": 30,
        "securityContext": pods.security(),
        "containers": [container],
        "volumes": [pods.scratch("tmp", GI)],
    }
    return names.manifest(
        "apps/v1", "Deployment", TELLS,
        spec={
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    )  # fmt: skip


SECRETS = ("nats_user", "nats_password")
"""A login of its own: it consumes what is published, and publishes nothing."""
