"""Rules for every pod: what it may do on its node, what it needs to be placed and to leave, and which secrets it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from cluster.settings import Settings
from kuberay import edge, names
from kuberay.check.finding import Finding, Pod
from kuberay.components import r2_secrets
from kuberay.duties import BY_POOL, CLOUDFLARE_SECRET, variable
from kuberay.jobs import TASKS
from kuberay.settings import LEASE_S

SANDBOXES = ("gvisor", "kata")
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HOST = ("hostNetwork", "hostPID", "hostIPC")
VOLUMES = {"emptyDir", "configMap", "secret", "projected"}
Found = Iterator[Finding]


def non_root(pod: Pod) -> Found:
    context = pod.spec.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        yield Finding("non-root", pod.where, "the pod does not say runAsNonRoot and a runAsUser above 0")
    for container in pod.containers:
        if container.get("securityContext", {}).get("runAsUser", 1) == 0:
            yield Finding("non-root", pod.where, f"{container['name']} runs as root")


def read_only_root(pod: Pod) -> Found:
    for container in pod.containers:
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield Finding("read-only-root", pod.where, f"{container['name']} may write to its image")


def privileges(pod: Pod) -> Found:
    for container in pod.containers:
        context = container.get("securityContext", {})
        if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
            yield Finding("privileges", pod.where, f"{container['name']} may gain privileges")
        if context.get("capabilities", {}) != {"drop": ["ALL"]}:
            yield Finding("privileges", pod.where, f"{container['name']} keeps capabilities")
    for field in HOST:
        if pod.spec.get(field):
            yield Finding("privileges", pod.where, f"{field} is the node's")


def system_calls(pod: Pod) -> Found:
    """The runtime's filter, or ours for bubblewrap, which needs a user namespace of the pod's own."""
    profile = pod.spec.get("securityContext", {}).get("seccompProfile", {})
    match profile.get("type"):
        case "RuntimeDefault":
            pass
        case "Localhost" if pod.spec.get("hostUsers") is False:
            pass
        case "Localhost":
            yield Finding("seccomp", pod.where, "a wider filter without a user namespace of the pod's own")
        case other:
            yield Finding("seccomp", pod.where, f"the profile is {other}")
    for container in pod.containers:
        if "seccompProfile" in container.get("securityContext", {}):
            yield Finding("seccomp", pod.where, f"{container['name']} has a profile of its own")


def tokens(pod: Pod) -> Found:
    """No token of an account by itself. Heads and jobs with a role mount theirs by name, the importer's workers none."""
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield Finding("no-token", pod.where, "the account's token is mounted by itself")
    if pod.spec.get("serviceAccountName", "default") == "default":
        yield Finding("no-token", pod.where, "it runs as the namespace's default account")
    projected = {
        volume["name"]
        for volume in pod.spec.get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    }
    may = pod.group == "head" or any(task.may for task in TASKS if task.name == pod.group)
    if projected and not may:
        yield Finding("no-token", pod.where, "it mounts a token, and has nothing to ask the API server")
    if pod.group == "head":
        for container in pod.containers:
            if any(mount["name"] in projected for mount in container.get("volumeMounts", [])):
                yield Finding("no-token", pod.where, f"{container['name']} holds the autoscaler's token")


def resources(pod: Pod) -> Found:
    for container in pod.containers:
        given = container.get("resources", {})
        for part in ("requests", "limits"):
            missing = {"cpu", "memory", "ephemeral-storage"} - set(given.get(part, {}))
            if missing:
                yield Finding(
                    "resources", pod.where, f"{container['name']} has no {part} for {', '.join(sorted(missing))}"
                )


def probes(pod: Pod) -> Found:
    """All three in Ray's pods: KubeRay's own readiness asks a proxy, which the workers' cluster has none of."""
    if pod.owner["kind"] not in ("RayService", "Deployment"):
        return
    for name in PROBES:
        if name not in pod.spec["containers"][0]:
            yield Finding("probes", pod.where, f"there is no {name}")


def images(pod: Pod) -> Found:
    for container in pod.containers:
        image = container.get("image", "")
        name, tag = re.fullmatch(r"([^@]*?)((?::[^:/@]+)?(?:@sha256:[0-9a-f]{64})?)", image).groups()  # pyright: ignore[reportOptionalMemberAccess]
        if not tag or tag == ":latest":
            yield Finding("image-tag", pod.where, f"{image} names no release")
        if name not in names.IMAGES:
            yield Finding("image-tag", pod.where, f"{name} is no image of ours")
        if container.get("imagePullPolicy") != "IfNotPresent":
            yield Finding("image-tag", pod.where, f"{container['name']} is pulled anew each time")


def placed(pod: Pod) -> Found:
    """Spread over zones and nodes, by the pod's own labels; with a priority."""
    if not pod.spec.get("priorityClassName"):
        yield Finding("priority", pod.where, "there is no priority class")
    if not pod.in_ray:
        return
    constraints = pod.spec.get("topologySpreadConstraints", [])
    keys = {each["topologyKey"] for each in constraints}
    if not {"topology.kubernetes.io/zone", "kubernetes.io/hostname"} <= keys:
        yield Finding("spread", pod.where, "it is not spread over zones and nodes")
    for each in constraints:
        selector = each.get("labelSelector", {}).get("matchLabels", {})
        if not selector or any(pod.labels.get(key) != value for key, value in selector.items()):
            yield Finding("spread", pod.where, f"the constraint on {each['topologyKey']} does not count its own pods")


def leaving(pod: Pod) -> Found:
    """A pod of Ray drains before it is told to end, and its end comes after the drain and after any lease that it holds."""
    if not pod.in_ray:
        return
    grace = pod.spec.get("terminationGracePeriodSeconds", 30)
    hook = pod.spec["containers"][0].get("lifecycle", {}).get("preStop", {})
    command = [str(word) for word in hook.get("exec", {}).get("command", [])]
    waits = int(hook["sleep"]["seconds"]) if "sleep" in hook else 0
    if "--wait-s" in command:
        waits = int(command[command.index("--wait-s") + 1])
    if not waits or (pod.group != "head" and command[:3] != ["python", "-m", "actors.drain"]):
        yield Finding("pre-stop", pod.where, "it does not drain before it ends")
    if grace <= max(waits, LEASE_S):
        yield Finding(
            "grace-period", pod.where, f"{grace} s are not more than the drain ({waits} s) and the lease ({LEASE_S} s)"
        )


def scratch(pod: Pod) -> Found:
    for volume in pod.spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield Finding("volumes", pod.where, f"{volume['name']} is of the kind {', '.join(sorted(kinds))}")
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield Finding("scratch-limit", pod.where, f"{volume['name']} has no size limit")


def sandboxed(pod: Pod) -> Found:
    """What reads strangers' bytes: the importer under gVisor or Kata on nodes of its own, builders at least in a user namespace."""
    cluster, pool = pod.labels.get(names.CLUSTER), pod.labels.get(names.POOL)
    runtime = pod.spec.get("runtimeClassName")
    if cluster == names.IMPORTER:
        if runtime not in SANDBOXES:
            yield Finding("importer-sandbox", pod.where, f"its runtime is {runtime or 'the node’s own'}")
        tolerated = {each.get("key") for each in pod.spec.get("tolerations", [])}
        if pod.spec.get("nodeSelector", {}).get(names.NODES) != "sandbox" or names.SANDBOX_TAINT not in tolerated:
            yield Finding("importer-sandbox", pod.where, "it is not on the tainted nodes")
    if pool == "content-builder" and pod.spec.get("hostUsers") is not False and runtime not in SANDBOXES:
        yield Finding("builder-sandbox", pod.where, "bubblewrap needs a user namespace of the pod's, or gVisor")


def secrets(pod: Pod) -> Found:
    """Each pool and job holds the secrets of its duty, each out of its own Secret, and no value of one stands in a manifest."""
    held: set[str] = set()
    for container in pod.containers:
        for entry in container.get("env", []):
            reference = entry.get("valueFrom", {}).get("secretKeyRef")
            if reference is not None:
                held.add(entry["name"])
                if reference["key"] != entry["name"] or reference["name"] not in (_own_secret(pod), CLOUDFLARE_SECRET):
                    yield Finding("least-privilege", pod.where, f"{entry['name']} comes from {reference['name']}")
            elif entry["name"] in SECRET_VARIABLES:
                yield Finding("secret-in-clear", pod.where, f"{entry['name']} stands in the manifest")
        for source in container.get("envFrom", []):
            if "secretRef" in source:
                yield Finding("least-privilege", pod.where, f"all of {source['secretRef']['name']} is let in")
    allowed, needed = _duty(pod)
    for name in sorted(held - allowed):
        yield Finding("least-privilege", pod.where, f"it holds {name}, which its work does not need")
    for name in sorted(needed - held):
        yield Finding("least-privilege", pod.where, f"it lacks {name}")


SECRET_VARIABLES = {
    variable(name) for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
}


def _own_secret(pod: Pod) -> str:
    if pod.group == "head":
        return "content-scorm-importer"  # the digest, which the importer is bound with
    return pod.group


def _duty(pod: Pod) -> tuple[set[str], set[str]]:
    """What a pod may hold, and what it must."""
    if pod.group == "head":
        digest = {"CONTENT_IMPORTER_TOKEN_SHA256"} if pod.labels.get(names.CLUSTER) == names.IMPORTER else set()
        return digest, digest
    duty = BY_POOL.get(pod.group)
    if duty is not None:
        needed = {variable(setting) for setting in duty.secrets}
        allowed = {variable(setting) for setting in r2_secrets(duty.pool.name, duty.reaches)}
        return needed | allowed, needed
    if pod.group == edge.TELLS:
        needed = {variable(setting) for setting in edge.SECRETS}
        return needed | _cdn(pod) | {variable("s3_access_key"), variable("s3_secret_key")}, needed
    tasks = [task for task in TASKS if task.name == pod.group]
    needed = {variable(setting) for task in tasks for setting in task.secrets}
    allowed = {variable(setting) for task in tasks for setting in r2_secrets(task.name, task.reaches)}
    return needed | allowed | _cdn(pod), needed


def _cdn(pod: Pod) -> set[str]:
    return {variable("cloudflare_token")} if pod.group in edge.WHO else set()


RULES: tuple[Callable[[Pod], Any], ...] = (
    non_root, read_only_root, privileges, system_calls, tokens, resources, probes, images, placed, leaving, scratch, sandboxed,
    secrets,
)  # fmt: skip
