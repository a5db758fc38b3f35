"""Every rule catches at least one wrong manifest, under its own name.

Each wrong manifest is the right one with one thing changed, as a tired person would change it. What is changed here is checked to be
there first, so that a case cannot pass by changing nothing.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kuberay import check
from kuberay.check import __main__ as command
from kuberay.check import schemas, verdict
from kuberay.check.build import BuildError, Variant, kustomize
from kuberay.check.finding import groups_of, of_kind
from tests.kuberay.conftest import WRONG, Manifests, built

Change = Callable[[Manifests], Any]
CASES: list[tuple[str, str, Change]] = []


def wrong(rule: str, what: str) -> Callable[[Change], Change]:
    def keep(change: Change) -> Change:
        CASES.append((rule, what, change))
        return change

    return keep


def find(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    return next(each for each in of_kind(manifests, kind) if each["metadata"]["name"] == name)


def cluster(manifests: Manifests, name: str = "content-workers") -> dict[str, Any]:
    return find(manifests, "RayService", name)["spec"]["rayClusterConfig"]


def group(manifests: Manifests, pool: str, service: str = "content-workers") -> dict[str, Any]:
    return next(each for each in groups_of(find(manifests, "RayService", service)) if each["groupName"] == pool)


def pod(manifests: Manifests, pool: str = "content-bundler", service: str = "content-workers") -> dict[str, Any]:
    return group(manifests, pool, service)["template"]["spec"]


def importer(manifests: Manifests) -> dict[str, Any]:
    return pod(manifests, "content-scorm-importer", "content-importer")


def head(manifests: Manifests, service: str = "content-workers") -> dict[str, Any]:
    return cluster(manifests, service)["headGroupSpec"]["template"]["spec"]


def main(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["containers"][0]


def job(manifests: Manifests) -> dict[str, Any]:
    return find(manifests, "Job", "content-migrate")["spec"]["template"]["spec"]


def mounted(spec: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in spec["volumes"] if each["name"] == name)


def serve(manifests: Manifests, change: Callable[[dict[str, Any]], Any], service: str = "content-workers") -> None:
    spec = find(manifests, "RayService", service)["spec"]
    config = yaml.safe_load(spec["serveConfigV2"])
    change(config)
    spec["serveConfigV2"] = yaml.safe_dump(config)


def policy(manifests: Manifests, name: str) -> dict[str, Any]:
    return find(manifests, "NetworkPolicy", name)["spec"]


# -- schemas ----------------------------------------------------------------------------------------------------------

wrong("schema-crd", "a field that KubeRay does not know")(lambda m: cluster(m).update(enableAutoscaling=True))
wrong("schema-crd", "a number as text")(lambda m: group(m, "content-bundler").update(minReplicas="3"))
wrong("schema-crd", "a mode of authentication that there is not")(
    lambda m: cluster(m)["authOptions"].update(mode="password")
)
wrong("schema-crd", "a misspelt field deep in a pod")(lambda m: pod(m).update(terminationGracePeriod=90))
wrong("schema-builtin", "a misspelt field")(lambda m: policy(m, "default-deny").update(policyType=["Egress"]))
wrong("schema-builtin", "a port as text")(
    lambda m: policy(m, "to-postgres")["egress"][0]["ports"][0].update(endPort="5433")
)
wrong("schema-builtin", "a Job without a template")(lambda m: find(m, "Job", "content-migrate")["spec"].pop("template"))
wrong("schema-own", "a route without backends")(
    lambda m: find(m, "HTTPRoute", "content-api")["spec"]["rules"][0].pop("backendRefs")
)
wrong("schema-own", "a misspelt weight")(
    lambda m: find(m, "HTTPRoute", "content-api")["spec"]["rules"][0]["backendRefs"][1].update(wieght=5)
)
wrong("schema-own", "a monitor with an interval that is none")(
    lambda m: find(m, "PodMonitor", "content-ray")["spec"]["podMetricsEndpoints"][0].update(interval="soon")
)
wrong("schema-own", "an alert that also records")(
    lambda m: of_kind(m, "PrometheusRule")[0]["spec"]["groups"][0]["rules"][0].update(record="a:b", alert="A")
)
wrong("schema-own", "a certificate whose name is no SPIFFE name")(
    lambda m: find(m, "Certificate", "content-bundler")["spec"].update(uris=["https://content.example/bundler"])
)
wrong("schema-own", "a secret without its store")(
    lambda m: find(m, "ExternalSecret", "content-bundler")["spec"].pop("secretStoreRef")
)
wrong("unknown-kind", "a kind that nobody knows")(
    lambda m: m.append({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}})
)
wrong("unknown-kind", "an API that was taken away")(
    lambda m: find(m, "PodDisruptionBudget", "content-bundler").update(apiVersion="policy/v1beta1")
)

# -- pods -------------------------------------------------------------------------------------------------------------

wrong("non-root", "root by default")(lambda m: pod(m)["securityContext"].pop("runAsUser"))
wrong("non-root", "root allowed")(lambda m: pod(m)["securityContext"].update(runAsNonRoot=False))
wrong("non-root", "root in one container")(lambda m: main(pod(m))["securityContext"].update(runAsUser=0))
wrong("read-only-root", "an image that may be written to")(
    lambda m: main(importer(m))["securityContext"].update(readOnlyRootFilesystem=False)
)
wrong("privileges", "escalation not forbidden")(
    lambda m: main(pod(m))["securityContext"].pop("allowPrivilegeEscalation")
)
wrong("privileges", "a capability too many")(
    lambda m: main(pod(m))["securityContext"]["capabilities"].update(add=["SYS_ADMIN"])
)
wrong("privileges", "a privileged container")(lambda m: main(job(m))["securityContext"].update(privileged=True))
wrong("privileges", "the node's network")(lambda m: importer(m).update(hostNetwork=True))
wrong("seccomp", "no filter of system calls")(lambda m: pod(m)["securityContext"].pop("seccompProfile"))
wrong("seccomp", "the filter switched off")(
    lambda m: pod(m)["securityContext"].update(seccompProfile={"type": "Unconfined"})
)
wrong("seccomp", "the builders' wide filter without a user namespace")(
    lambda m: pod(m)["securityContext"].update(
        seccompProfile={"type": "Localhost", "localhostProfile": "content-service/bubblewrap.json"}
    )
)
wrong("seccomp", "a container with a filter of its own")(
    lambda m: main(pod(m))["securityContext"].update(seccompProfile={"type": "Unconfined"})
)
wrong("no-token", "the account's token in a worker")(lambda m: pod(m).update(automountServiceAccountToken=True))
wrong("no-token", "the default account")(lambda m: importer(m).pop("serviceAccountName"))
wrong("no-token", "the autoscaler's token in the head's own container")(
    lambda m: main(head(m))["volumeMounts"].append({"name": "autoscaler-token", "mountPath": "/token"})
)


@wrong("no-token", "a token mounted by name where there is nothing to ask")
def _(manifests: Manifests) -> None:
    importer(manifests)["volumes"].append(copy.deepcopy(mounted(head(manifests), "autoscaler-token")))


wrong("resources", "no limit of memory")(lambda m: main(pod(m))["resources"]["limits"].pop("memory"))
wrong("resources", "no requests at all")(lambda m: main(job(m))["resources"].pop("requests"))
wrong("probes", "KubeRay's own readiness, which asks a proxy that is not there")(
    lambda m: main(pod(m)).pop("readinessProbe")
)
wrong("probes", "a head whose death nobody sees")(lambda m: main(head(m)).pop("livenessProbe"))
wrong("image-tag", "latest")(lambda m: main(pod(m)).update(image="registry.example/content-service/service:latest"))
wrong("image-tag", "no tag")(lambda m: main(pod(m)).update(image="registry.example/content-service/service"))
wrong("image-tag", "somebody else's image")(lambda m: main(pod(m)).update(image="registry.example/other/image:1.0"))
wrong("image-tag", "pulled anew each time")(lambda m: main(pod(m)).update(imagePullPolicy="Always"))
wrong("priority", "no priority")(lambda m: pod(m).pop("priorityClassName"))
wrong("spread", "all on one node")(lambda m: pod(m).pop("topologySpreadConstraints"))
wrong("spread", "spread among the pods of another pool")(
    lambda m: pod(m)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"].update(
        {"content-service/pool": "content-builder"}
    )
)
wrong("pre-stop", "ended without a drain")(lambda m: main(pod(m)).pop("lifecycle"))
wrong("pre-stop", "a sleep in place of a drain")(
    lambda m: main(pod(m)).update(lifecycle={"preStop": {"sleep": {"seconds": 105}}})
)
wrong("grace-period", "the default of 30 s")(lambda m: pod(m).pop("terminationGracePeriodSeconds"))
wrong("grace-period", "shorter than a package takes to read")(
    lambda m: importer(m).update(terminationGracePeriodSeconds=900)
)


@wrong("grace-period", "shorter than a lease, however short the drain")
def _(manifests: Manifests) -> None:
    command = main(pod(manifests))["lifecycle"]["preStop"]["exec"]["command"]
    command[command.index("--wait-s") + 1] = "10"
    pod(manifests)["terminationGracePeriodSeconds"] = 45


wrong("volumes", "a folder of the node")(
    lambda m: importer(m)["volumes"].append({"name": "node", "hostPath": {"path": "/"}})
)
wrong("scratch-limit", "a workspace that fills the node's disk")(
    lambda m: mounted(pod(m, "content-builder"), "workspace").update(emptyDir={})
)
wrong("importer-sandbox", "the node's own kernel")(lambda m: importer(m).pop("runtimeClassName"))
wrong("importer-sandbox", "its head on the node's own kernel")(
    lambda m: head(m, "content-importer").pop("runtimeClassName")
)
wrong("importer-sandbox", "any node")(lambda m: importer(m).pop("nodeSelector"))
wrong("importer-sandbox", "not on the tainted nodes")(lambda m: importer(m).pop("tolerations"))
wrong("builder-sandbox", "no user namespace")(lambda m: pod(m, "content-builder").pop("hostUsers"))


def secret(name: str, key: str) -> dict[str, Any]:
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


wrong("least-privilege", "the importer with a login")(
    lambda m: main(importer(m))["env"].append(secret("content-scorm-importer", "CONTENT_POSTGRES_WORKER"))
)
wrong("least-privilege", "the importer with the token itself")(
    lambda m: main(importer(m))["env"].append(secret("content-scorm-importer", "CONTENT_IMPORTER_TOKEN"))
)
wrong("least-privilege", "an exporter that could sign addresses")(
    lambda m: main(pod(m, "content-exporter"))["env"].append(secret("content-exporter", "CONTENT_EDGE_PRIVATE_KEY"))
)
wrong("least-privilege", "the owner of the tables in a worker")(
    lambda m: main(pod(m))["env"].append(secret("content-bundler", "CONTENT_POSTGRES_OWNER"))
)
wrong("least-privilege", "a secret of another pool")(
    lambda m: main(pod(m))["env"][-1]["valueFrom"]["secretKeyRef"].update(name="content-api")
)
wrong("least-privilege", "a secret that is missing")(
    lambda m: main(pod(m))["env"].pop([each["name"] for each in main(pod(m))["env"]].index("CONTENT_POSTGRES_WORKER"))
)
wrong("least-privilege", "all of a Secret")(
    lambda m: main(pod(m))["envFrom"].append({"secretRef": {"name": "content-bundler"}})
)
wrong("least-privilege", "secrets in the head")(
    lambda m: main(head(m))["env"].append(secret("content-bundler", "CONTENT_POSTGRES_WORKER"))
)
wrong("secret-in-clear", "a password in the manifest")(
    lambda m: main(pod(m))["env"].append({"name": "CONTENT_NATS_PASSWORD", "value": "hunter2"})
)

# -- RayServices ------------------------------------------------------------------------------------------------------

wrong("numbers", "one bundler fewer")(lambda m: group(m, "content-bundler").update(minReplicas=2))
wrong("numbers", "one builder more")(lambda m: group(m, "content-builder").update(maxReplicas=31))
wrong("numbers", "a request of half")(lambda m: main(pod(m))["resources"]["requests"].update(cpu="250m"))
wrong("numbers", "twice the memory")(lambda m: main(pod(m))["resources"]["limits"].update(memory="4Gi"))
wrong("numbers", "the canary smaller than the stable one")(
    lambda m: group(m, "content-api", "content-api-canary").update(minReplicas=1)
)
wrong("offered", "no unit of the pool")(lambda m: group(m, "content-bundler")["resources"].pop("content-bundler"))
wrong("offered", "two replicas to a pod")(
    lambda m: group(m, "content-bundler")["resources"].update({"content-bundler": "2"})
)
wrong("offered", "no label that tasks could look for")(lambda m: group(m, "content-builder").pop("labels"))
wrong("offered", "resources said twice")(
    lambda m: group(m, "content-bundler")["rayStartParams"].update({"num-cpus": "2"})
)
wrong("groups", "a pool forgotten")(lambda m: cluster(m)["workerGroupSpecs"].pop(0))
wrong("groups", "the importer in the cluster of the others")(
    lambda m: cluster(m)["workerGroupSpecs"].append(group(m, "content-scorm-importer", "content-importer"))
)
wrong("head-idle", "a head that work is placed on")(lambda m: cluster(m)["headGroupSpec"].pop("resources"))
wrong("head-idle", "a head that says it twice")(
    lambda m: cluster(m)["headGroupSpec"]["rayStartParams"].update({"num-cpus": "0"})
)
wrong("ray-ports", "a port left to chance")(
    lambda m: group(m, "content-bundler")["rayStartParams"].pop("object-manager-port")
)
wrong("restart-policy", "pods that start again by themselves")(lambda m: pod(m).update(restartPolicy="Always"))
wrong("autoscaler", "the old autoscaler")(lambda m: cluster(m)["autoscalerOptions"].update(version="v1"))
wrong("autoscaler", "none")(lambda m: cluster(m).update(enableInTreeAutoscaling=False))
wrong("autoscaler", "its container may do everything")(lambda m: cluster(m)["autoscalerOptions"].pop("securityContext"))
wrong("autoscaler", "its container takes what it likes")(
    lambda m: cluster(m)["autoscalerOptions"]["resources"].pop("limits")
)
wrong("gcs-tolerance", "a head that forgets")(lambda m: cluster(m).pop("gcsFaultToleranceOptions"))
wrong("token-auth", "no token")(lambda m: cluster(m).pop("authOptions"))
wrong("token-auth", "switched off")(lambda m: cluster(m)["authOptions"].update(mode="disabled"))
wrong("dashboard-private", "the dashboard behind a load balancer")(
    lambda m: cluster(m)["headGroupSpec"].update(serviceType="LoadBalancer")
)
wrong("dashboard-private", "the dashboard behind an ingress")(
    lambda m: cluster(m)["headGroupSpec"].update(enableIngress=True)
)
wrong("serve-config", "an application that is not there")(
    lambda m: serve(m, lambda c: c["applications"][0].update(import_path="serve_app.production:bilder"))
)
wrong("serve-config", "an application forgotten")(lambda m: serve(m, lambda c: c["applications"].pop()))
wrong("serve-config", "sizes said a second time")(
    lambda m: serve(m, lambda c: c["applications"][0].update(deployments=[{"name": "content-builder"}]))
)
wrong("serve-config", "a route without a proxy")(
    lambda m: serve(m, lambda c: c["applications"][0].update(route_prefix="/b"))
)
wrong("serve-config", "importers that are asked without their head")(
    lambda m: serve(m, lambda c: c.update(proxy_location="EveryNode"), "content-importer")
)
wrong("name-length", "a name that KubeRay refuses")(
    lambda m: find(m, "RayService", "content-workers")["metadata"].update(name="content-workers-" + "x" * 30)
)

# -- NetworkPolicies --------------------------------------------------------------------------------------------------


def without(manifests: Manifests, kind: str, name: str) -> None:
    manifests.remove(find(manifests, kind, name))


wrong("default-deny", "nothing denied by default")(lambda m: without(m, "NetworkPolicy", "default-deny"))
wrong("default-deny", "going out allowed by default")(
    lambda m: policy(m, "default-deny").update(policyTypes=["Ingress"])
)
wrong("egress", "the importer to Postgres")(
    lambda m: policy(m, "to-postgres")["podSelector"]["matchExpressions"][0]["values"].append("content-scorm-importer")
)
wrong("egress", "everybody to everywhere")(
    lambda m: policy(m, "names")["egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]})
)
wrong("egress", "the whole network of Postgres' neighbours")(
    lambda m: policy(m, "to-postgres")["egress"][0]["to"][0]["ipBlock"].update(cidr="10.0.0.0/8")
)
wrong("egress", "every port of the store")(lambda m: policy(m, "to-store")["egress"][0].pop("ports"))
wrong("egress", "no names")(lambda m: without(m, "NetworkPolicy", "names"))
wrong("egress", "builders cut off from media-service")(lambda m: without(m, "NetworkPolicy", "to-media"))
wrong("egress", "an importer that reaches other importers")(
    lambda m: policy(m, "importer-workers")["egress"][0]["to"][0]["podSelector"]["matchLabels"].pop(
        "content-service/pool"
    )
)
wrong("egress", "workers that ask the API server")(lambda m: policy(m, "heads-to-control-plane").update(podSelector={}))
wrong("egress", "webhooks into the private network")(
    lambda m: policy(m, "to-webhooks")["egress"][0]["to"][0]["ipBlock"].pop("except")
)
wrong("egress", "HAProxy's ports shut between the API's pods")(
    lambda m: policy(m, "within-content-api").update(
        egress=[
            {**each, "ports": [p for p in each["ports"] if p["port"] != 30000]}
            for each in policy(m, "within-content-api")["egress"]
        ]
    )
)
wrong("ingress", "stable and canary in one")(
    lambda m: policy(m, "within-content-api")["ingress"][0]["from"][0]["podSelector"]["matchLabels"].pop(
        "content-service/track"
    )
)
wrong("ingress", "the dashboard for the gateway")(
    lambda m: policy(m, "from-operator")["ingress"][0]["from"].append(
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway-system"}}}
    )
)
wrong("ingress", "the dashboard for everybody in the namespace")(
    lambda m: policy(m, "from-operator")["ingress"][0].pop("from")
)
wrong("ingress", "the importer asked by everybody")(
    lambda m: policy(m, "importer-from-builders")["ingress"][0]["from"][0]["podSelector"]["matchLabels"].pop(
        "content-service/pool"
    )
)
wrong("ingress", "no gateway")(lambda m: without(m, "NetworkPolicy", "from-gateway"))
wrong("ingress", "Ray's ports shut between the pods of one cluster")(
    lambda m: policy(m, "within-content-workers").update(ingress=[])
)

# -- all together -----------------------------------------------------------------------------------------------------

wrong("forbidden-kind", "a Secret with its value")(
    lambda m: m.append(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": "content"},
            "stringData": {"a": "b"},
        }
    )
)
wrong("twice", "two of one name")(lambda m: m.append(copy.deepcopy(find(m, "ServiceAccount", "content-bundler"))))
wrong("namespace", "a component that forgot its namespace")(
    lambda m: find(m, "NetworkPolicy", "to-webhooks")["metadata"].pop("namespace")
)
wrong("namespace", "somebody else's namespace")(
    lambda m: find(m, "ServiceAccount", "content-bundler")["metadata"].update(namespace="default")
)
wrong("reference", "an account that is not there")(lambda m: pod(m).update(serviceAccountName="content-bundlers"))
wrong("reference", "a priority that is not there")(lambda m: pod(m).update(priorityClassName="high"))
wrong("reference", "a runtime that is not there")(lambda m: importer(m).update(runtimeClassName="kata"))
wrong("reference", "settings that are not there")(
    lambda m: main(pod(m))["envFrom"][0]["configMapRef"].update(name="content-setings")
)
wrong("reference", "a token that nobody makes")(lambda m: cluster(m)["authOptions"].update(secretName="ray-token"))
wrong("setting", "a misspelt setting")(lambda m: main(pod(m))["env"].append({"name": "CONTENT_DRAINS_S", "value": "9"}))
wrong("setting", "failpoints in production")(
    lambda m: next(each for each in of_kind(m, "ConfigMap") if "CONTENT_REGION" in each["data"])["data"].update(
        CONTENT_FAILPOINTS="/tmp"
    )
)
wrong("budget-number", "maxUnavailable, which blocks every drain of a node")(
    lambda m: find(m, "PodDisruptionBudget", "content-bundler").update(
        spec={"maxUnavailable": 1, "selector": {"matchLabels": {"content-service/pool": "content-bundler"}}}
    )
)
wrong("budget-number", "a percentage, which does, too")(
    lambda m: find(m, "PodDisruptionBudget", "content-bundler")["spec"].update(minAvailable="50%")
)
wrong("budget", "no budget")(lambda m: without(m, "PodDisruptionBudget", "content-exporter"))
wrong("budget", "as many as there are")(
    lambda m: find(m, "PodDisruptionBudget", "content-bundler")["spec"].update(minAvailable=3)
)
wrong("budget", "one for two groups")(
    lambda m: find(m, "PodDisruptionBudget", "content-api")["spec"]["selector"]["matchLabels"].pop(
        "content-service/track"
    )
)
wrong("weights", "half of the requests to the canary before anybody looked")(
    lambda m: find(m, "HTTPRoute", "content-api")["spec"]["rules"][0]["backendRefs"][1].update(weight=50)
)
wrong("route", "a service that KubeRay does not make")(
    lambda m: find(m, "HTTPRoute", "content-api")["spec"]["rules"][0]["backendRefs"][0].update(
        name="content-api-head-svc"
    )
)
wrong("route", "weights that a release sets back")(
    lambda m: find(m, "HTTPRoute", "content-api")["metadata"].pop("labels")
)
wrong("route", "none")(lambda m: without(m, "HTTPRoute", "content-api"))
wrong("role", "a promoter that may do everything to routes")(
    lambda m: find(m, "Role", "content-release")["rules"][0].update(verbs=["*"])
)
wrong("role", "every route of the namespace")(
    lambda m: find(m, "Role", "content-release")["rules"][0].pop("resourceNames")
)
wrong("pod-security", "pods that are not restricted")(
    lambda m: find(m, "Namespace", "content")["metadata"]["labels"].update(
        {"pod-security.kubernetes.io/enforce": "baseline"}
    )
)


@pytest.mark.parametrize(("rule", "change"), [(r, c) for r, _, c in CASES], ids=[f"{r}: {w}" for r, w, _ in CASES])
def test_a_wrong_manifest_is_caught_by_its_rule(rule: str, change: Change, manifests: Manifests) -> None:
    if rule == "schema-crd" and not schemas.have_crds():
        pytest.skip("KubeRay's CRDs are not beside this clone")
    change(manifests)
    assert manifests != built(WRONG), "nothing was changed"
    found = {finding.rule for finding in verdict.of(manifests, WRONG)}
    assert rule in found


def test_every_rule_has_a_wrong_manifest() -> None:
    folder = Path(check.__file__).parent
    named = {name for path in folder.glob("*.py") for name in re.findall(r'Finding\(\s*"([a-z-]+)"', path.read_text())}
    named |= set(re.findall(r'_against\(\s*"([a-z-]+)"', (folder / "schemas.py").read_text()))
    named |= {"egress", "ingress"}  # named after the direction that is looked at
    assert len(named) > 40
    assert named == {rule for rule, _, _ in CASES}


def test_the_right_manifests_have_no_findings() -> None:
    assert verdict.of(built(WRONG), WRONG) == []


# -- the check itself -------------------------------------------------------------------------------------------------


def test_without_the_crds_rayservices_are_judged_by_our_rules_alone(manifests: Manifests, tmp_path: Path) -> None:
    cluster(manifests).update(enableAutoscaling=True)
    service = find(manifests, "RayService", "content-workers")
    assert not schemas.have_crds(tmp_path)
    assert list(schemas.judge(service, tmp_path)) == []


def test_the_command_fails_with_findings_and_says_what_it_did_not_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = Variant("eu", ("aws",))
    monkeypatch.setattr(command, "variants", lambda **_: [one])
    monkeypatch.setattr(command, "have_crds", lambda: False)
    monkeypatch.setattr("sys.argv", ["check"])
    assert command.main() == 0
    assert "Not checked: RayServices against KubeRay's CRDs" in capsys.readouterr().out

    def spoilt(*_: object) -> Manifests:
        found = copy.deepcopy(built(one))
        pod(found).pop("priorityClassName")
        return found

    monkeypatch.setattr(command, "build", spoilt)
    assert command.main() == 1
    told = capsys.readouterr().out
    assert "eu+aws: priority: RayService/content-workers/content-bundler: there is no priority class" in told


def test_the_command_finds_files_that_are_not_rendered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "variants", lambda **_: [])
    monkeypatch.setattr(command, "HERE", tmp_path)
    monkeypatch.setattr("sys.argv", ["check"])
    assert command.main() == 1
    assert "base/services.yaml differs from what `make manifests` writes" in capsys.readouterr().out


def test_what_kustomize_refuses_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [there-is-none.yaml]\n")
    with pytest.raises(BuildError, match="there-is-none"):
        kustomize(tmp_path)
