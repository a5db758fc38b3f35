"""Work outside Ray: the migration of a release, and what runs by the calendar or by hand. Each has secrets and peers of its own.

A job's pod carries the job's name as its label of a pool, by which NetworkPolicies find it. It has no token for the API server,
except the promoter, which changes one HTTPRoute; that token is mounted by name, not by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cluster import topology
from cluster.topology import GI, MI
from kuberay import names, pods
from kuberay.duties import variable
from kuberay.guards import account
from kuberay.settings import SERVICE_MAP

PROMOTER, ROLLBACK = "content-release", "content-release-rollback"
JOBS = "content-jobs"
"""What stands in the label of a cluster at pods of jobs."""
SECRETS = "/var/run/secrets/content"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path


@dataclass(frozen=True)
class Task:
    """One job. `schedule` None: `kubectl create job --from=cronjob/NAME` starts it; `first`: a Job that a release begins with.

    `files` are Secrets that are mounted below `SECRETS`; `may` are rules of a Role (its own, or of whom it runs as), and with them
    comes the token.
    """

    name: str
    command: tuple[str, ...]
    why: str
    schedule: str | None = None
    first: bool = False
    image: str = names.SERVICE_IMAGE
    secrets: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    reaches: tuple[str, ...] = ()
    may: tuple[dict[str, Any], ...] = ()
    cpu: tuple[int, int] = (100, 1000)
    memory: tuple[int, int] = (256 * MI, 512 * MI)
    parallel: int = 1
    runs_as: str = ""
    """Whose account it has; empty: its own."""
    deadline_s: int = 3600
    retries: int = 3
    environment: tuple[tuple[str, str], ...] = ()
    decides: tuple[int, ...] = ()
    """Exit codes that are an answer: with them the job has failed, and is not tried again."""


_RESTORE = ("content-service", "restore", "--from", "s3://$(CONTENT_S3_BUCKET)")
_NATS = ("nats_user", "nats_password")
_ROUTE = {
    "apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "resourceNames": [names.API],
    "verbs": ["get", "patch"],
}  # fmt: skip
_LOGINS = ("postgres_worker", "postgres_ops", "postgres_relay")


def _large(name: str, command: tuple[str, ...], why: str, secrets: tuple[str, ...] = _LOGINS, **rest: Any) -> Task:
    """A job that seals and signs as a bundler does, and is as large as one."""
    row = topology.BUNDLER
    return Task(
        name, command, why,
        secrets=secrets, cpu=(row.cpu_request, row.cpu_limit), memory=(row.memory_request, row.memory_limit), **rest,
    )  # fmt: skip


TASKS = (
    _large(
        "content-restore", _RESTORE,
        "rebuilds a region from its event log into an empty, migrated database; goes on where it stopped (docs/recovery.md)",
        reaches=("postgres", "store", "keys", "nats"), deadline_s=12 * 3600, retries=50, secrets=(*_LOGINS, *_NATS),
    ),
    _large(
        "content-restore-help", (*_RESTORE, "--join"),
        "helps a restore that is under way with making blobs again",
        reaches=("postgres", "store", "keys"), deadline_s=12 * 3600, retries=200, parallel=topology.BUNDLER.maximum,
        runs_as="content-restore",
    ),
    _large(
        "content-reconcile", ("content-service", "reconcile"),
        "brings a database that was set back up to what its event log and NATS have (docs/recovery.md)",
        reaches=("postgres", "store", "keys", "nats"), deadline_s=6 * 3600, retries=10, secrets=(*_LOGINS, *_NATS),
    ),
    _large(
        "content-reconcile-anyway", ("content-service", "reconcile", "--anyway"),
        "the same after a restore to a moment, whose log may show nothing of it",
        reaches=("postgres", "store", "keys", "nats"), deadline_s=6 * 3600, retries=10, secrets=(*_LOGINS, *_NATS),
        runs_as="content-reconcile",
    ),
    Task(
        "content-migrate",
        ("python", "-m", "cluster.migrations"),
        "the expanding step of a release: what the release before may ignore",
        first=True, secrets=("postgres_owner",), reaches=("postgres",), deadline_s=1800, retries=2,
    ),
    Task(
        "content-streams",
        ("python", "-m", "cluster.streams"),
        "has NATS' streams and the consumers of other regions as they must be, and asks those again who did not answer (docs/regions.md)",
        schedule="*/10 * * * *", secrets=("nats_operator_user", "nats_operator_password"), reaches=("nats",),
        deadline_s=300, retries=2,
    ),
    Task(
        PROMOTER,
        (
            "content-service", "release", "promote",
            "--prometheus", "http://prometheus.monitoring.svc.cluster.local:9090",
            "--stable-url", f"http://{names.API}-serve-svc:{names.SERVE}",
            "--canary-url", f"http://{names.CANARY}-serve-svc:{names.SERVE}",
            "--namespace", names.NAMESPACE, "--route", names.API,
            "--probe-token-file", f"{SECRETS}/content-release-probe/token",
        ),
        "promotes the canary, or takes it back; goes on from the route's annotations when it is started again",
        image=names.CLI_IMAGE, files=("content-release-probe",), reaches=("control-plane", "prometheus", "api"),
        may=(_ROUTE,),
        deadline_s=6 * 3600, retries=20, decides=(1, 2), environment=(("CONTENT_METRICS_PORT", str(names.COMMAND_METRICS)),),
    ),
    Task(
        ROLLBACK,
        (
            "content-service", "release", "rollback", "--reason", f"somebody started {ROLLBACK}",
            "--namespace", names.NAMESPACE, "--route", names.API,
        ),
        "gives the stable version of the API all the traffic at once; asks neither Prometheus nor the versions (docs/release.md)",
        image=names.CLI_IMAGE, reaches=("control-plane",), may=(_ROUTE,), runs_as=PROMOTER, deadline_s=3600, retries=20,
    ),
)  # fmt: skip


def reaches() -> dict[str, tuple[str, ...]]:
    """What each job reaches, for the policies."""
    return {task.name: task.reaches for task in TASKS}


def all_jobs() -> list[dict[str, Any]]:
    """Jobs with their accounts and, where they have any, roles."""
    found: list[dict[str, Any]] = []
    for task in TASKS:
        if not task.runs_as:
            found.append(account(task.name))
        if task.may and not task.runs_as:
            found += _role(task)
        found.append(_job(task) if task.first else cron_job(task))
    return found


def _job(task: Task) -> dict[str, Any]:
    """It goes a day after its end; a release deletes the one before first, since a Job cannot be changed."""
    spec = {**_job_spec(task), "ttlSecondsAfterFinished": 86_400}
    return names.manifest("batch/v1", "Job", task.name, labels={names.APPLY: "first"}, spec=spec)


def cron_job(task: Task) -> dict[str, Any]:
    """By the calendar or, suspended, by hand: `kubectl create job --from=cronjob/NAME ANY`."""
    spec: dict[str, Any] = {
        "schedule": task.schedule or "0 0 1 1 *",
        "timeZone": "Etc/UTC",
        "suspend": task.schedule is None,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 5,
        "jobTemplate": {"spec": _job_spec(task)},
    }
    return names.manifest("batch/v1", "CronJob", task.name, annotations={"content-service/why": task.why}, spec=spec)


def _job_spec(task: Task) -> dict[str, Any]:
    spec: dict[str, Any] = {"backoffLimit": task.retries, "activeDeadlineSeconds": task.deadline_s}
    if task.parallel > 1:
        spec["parallelism"] = task.parallel  # done when one of them finds nothing left to do
    if task.decides:
        codes = {"containerName": _container(task), "operator": "In", "values": list(task.decides)}
        spec["podFailurePolicy"] = {"rules": [{"action": "FailJob", "onExitCodes": codes}]}
    return {**spec, "template": _template(task)}


def _container(task: Task) -> str:
    return task.name.removeprefix("content-")


def _template(task: Task) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [pods.scratch("tmp", GI)]
    mounts: list[dict[str, Any]] = [{"name": "tmp", "mountPath": names.TMP}]
    for secret in task.files:
        volumes.append({"name": secret, "secret": {"secretName": secret, "defaultMode": 0o440}})
        mounts.append({"name": secret, "mountPath": f"{SECRETS}/{secret}", "readOnly": True})
    if task.may:
        volumes.append(pods.control_plane_token("control-plane-token"))
        mounts.append({"name": "control-plane-token", "mountPath": TOKEN, "readOnly": True})
    container = {
        "name": _container(task),
        "image": task.image,
        "imagePullPolicy": pods.PULL,
        "command": list(task.command),
        "envFrom": [{"configMapRef": {"name": SERVICE_MAP}}],
        "env": [
            {"name": "HOME", "value": names.TMP},
            {"name": variable("workspace"), "value": f"{names.TMP}/work"},
            *({"name": name, "value": value} for name, value in task.environment),
            *(pods.from_secret(task.name, setting) for setting in task.secrets),
        ],
        "resources": pods.resources(
            task.cpu[0], task.memory[0], task.cpu[1], task.memory[1], disk=64 * MI, disk_limit=2 * GI
        ),
        "securityContext": pods.confined(),
        "volumeMounts": mounts,
    }
    if task.environment:
        container["ports"] = [{"name": "command-metrics", "containerPort": names.COMMAND_METRICS}]
    return {
        "metadata": {"labels": names.labels(JOBS, task.name)},
        "spec": {
            "restartPolicy": "Never" if task.decides else "OnFailure",
            "serviceAccountName": task.runs_as or task.name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "priorityClassName": "content-background",
            "terminationGracePeriodSeconds": 30,
            "securityContext": pods.security(),
            "containers": [container],
            "volumes": volumes,
        },
    }


def _role(task: Task) -> list[dict[str, Any]]:
    api = "rbac.authorization.k8s.io"
    return [
        names.manifest(f"{api}/v1", "Role", task.name, rules=list(task.may)),
        names.manifest(
            f"{api}/v1", "RoleBinding", task.name,
            roleRef={"apiGroup": api, "kind": "Role", "name": task.name},
            subjects=[{"kind": "ServiceAccount", "name": task.name, "namespace": names.NAMESPACE}],
        ),
    ]  # fmt: skip
