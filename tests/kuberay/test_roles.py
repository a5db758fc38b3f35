"""Roles of AWS against the pods that take them: none is missing, none is left over, and whoever uses keys is told what it needs for it.

What a pod reaches is read from the policies (`kuberay.check.flows`): a pod that reaches EKS' agent means to have a role.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cluster.aws import edge, iam, key_policies
from cluster.aws.edge_access import SIGNER
from cluster.keys.kms import places
from cluster.settings import Settings
from cluster.topology import BUNDLER, REGIONS, REPLICAS
from kuberay.check.build import Variant
from kuberay.check.finding import Pod, of_kind, pods_of
from kuberay.check.flows import open_arrows
from tasks.doctor import configuration
from tests.kuberay.conftest import Manifests, built

VARIANT = Variant("eu", ("aws", "cloudfront"))
AGENT, KEYS = "169.254.170.23/32 80/TCP", "10.32.9.64/26 443/TCP"
BY_HAND = {iam.HOUSEKEEPING}
"""Roles of no pod of ours: an operator binds an account to it for a pod that he starts himself (docs/keys.md)."""
PAGE = (Path(__file__).resolve().parents[2] / "docs/kubernetes.md").read_text()


def taken_by(trust: dict[str, Any]) -> str:
    """The service account that a trust document names."""
    return trust["Statement"][0]["Condition"]["StringEquals"]["aws:RequestTag/kubernetes-service-account"]


def roles(region: str = "eu") -> dict[str, str]:
    """Role by the account that may take it, of all documents."""
    found: dict[str, str] = {}
    for name, document in iam.documents(region).items():
        if name.endswith(".trust.json") and iam.BREAK_GLASS.removeprefix("content-") not in name:
            found[taken_by(document)] = name.removeprefix("iam/").removesuffix(".trust.json")
    for document in edge.documents(region).values():
        if document["call"] == "iam.CreateRole":
            parameters = document["parameters"]
            found[taken_by(json.loads(parameters["AssumeRolePolicyDocument"]))] = parameters["RoleName"]
    return found


def reaching(arrow: str) -> list[Pod]:
    return [pod for pod in pods_of(built(VARIANT)) if arrow in open_arrows(pod, built(VARIANT), "Egress")]


def test_who_reaches_the_agent_has_a_role_and_every_role_has_a_pod() -> None:
    accounts = {pod.spec["serviceAccountName"] for pod in reaching(AGENT)}
    assert accounts == set(roles()) - BY_HAND
    assert {"content-restore", "content-reconcile", "content-release", "content-edge"} <= accounts
    there = {each["metadata"]["name"] for each in of_kind(built(VARIANT), "ServiceAccount")}
    assert accounts <= there


@pytest.mark.parametrize("region", REGIONS)
def test_a_role_is_called_as_its_account_in_its_region(region: str) -> None:
    assert roles(region) == {account: iam.role(account, region) for account in roles(region)}


def test_the_page_binds_every_account() -> None:
    (loop,) = re.findall(r"for pool in ([a-z -]+); do\n  aws eks create-pod-identity-association", PAGE)
    assert {f"content-{name}" for name in loop.split()} == set(roles()) - BY_HAND


def test_the_edges_key_is_kept_apart_from_the_logins_and_comes_into_the_same_secret() -> None:
    """Who rotates it may read and write the secret that it is in."""
    variant = Variant("eu", ("aws", "cloudfront", "external-secrets"))
    external = {each["metadata"]["name"]: each["spec"] for each in of_kind(built(variant), "ExternalSecret")}
    extracted = [each["extract"]["key"] for each in external["content-api"]["dataFrom"]]
    assert extracted == ["content/content-api", SIGNER]
    shared = [name for name, spec in external.items() if name != "content-api" and SIGNER in json.dumps(spec)]
    assert shared == []
    jobs = {pod.group: pod for pod in pods_of(built(variant)) if pod.group.startswith("content-edge-keys")}
    commands = {name: pod.containers[0]["command"] for name, pod in jobs.items()}
    rotate = ["content-service", "edge", "rotate", "--secret", SIGNER]
    assert commands == {"content-edge-keys": rotate, "content-edge-keys-emergency": [*rotate, "--emergency"]}
    assert {pod.spec["serviceAccountName"] for pod in jobs.values()} == {"content-edge-keys"}


def test_where_there_is_no_secrets_manager_no_job_pretends_to_rotate() -> None:
    found = built(Variant("eu", ("r2", "cloudflare")))
    assert not [pod.group for pod in pods_of(found) if "edge-keys" in pod.group]


# -- what a key service wants to be told -------------------------------------------------------------------------------

NEEDED = {"kms_account"}
"""Settings that key_service=kms cannot do without, though it starts."""
MAY_BE_EMPTY = {
    "kms_region": "the pair of the region (cluster.topology.REPLICAS)",
    "kms_replica_region": "the same",
    "kms_endpoint": "AWS' own name, which the VPC's endpoint answers to",
    "kms_replica_endpoint": "the same",
    "kms_access_key": "the role of the pod",
    "kms_secret_key": "the role of the pod",
}


def is_empty(value: Any) -> bool:
    return (value.get_secret_value() if hasattr(value, "get_secret_value") else value) in ("", None)


def environment(pod: Pod, manifests: Manifests | None = None) -> dict[str, str]:
    """Settings of a pod as it is started, secrets left out."""
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(manifests or built(VARIANT), "ConfigMap")}
    (container,) = pod.spec["containers"]
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    return found | {each["name"]: each["value"] for each in container.get("env", []) if "value" in each}


def test_every_setting_of_kms_without_a_default_is_needed_or_says_why_not() -> None:
    empty = {
        name for name, field in Settings.model_fields.items() if name.startswith("kms_") and is_empty(field.default)
    }
    assert empty == NEEDED | set(MAY_BE_EMPTY)


def told(pod: Pod, monkeypatch: pytest.MonkeyPatch, without: str = "") -> Settings:
    with monkeypatch.context() as patched:
        for name, value in environment(pod).items():
            if name != without:
                patched.setenv(name, value)
        return Settings()  # pyright: ignore[reportCallIssue]  # from the environment


def lacks(settings: Settings) -> list[str]:
    return [name for name in NEEDED if is_empty(getattr(settings, name))]


def test_who_uses_keys_is_told_what_kms_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    policies, pair = key_policies, REPLICAS["eu"]
    users = {*policies.SIGNS["signing"], *policies.SIGNS["root"], *policies.UNWRAPS, *policies.DISABLES}
    assert users == {pod.spec["serviceAccountName"] for pod in reaching(KEYS)}
    for pod in reaching(KEYS):
        settings = told(pod, monkeypatch)
        assert settings.key_service == "kms" and lacks(settings) == [], pod.where
        assert [each.region for each in places(settings)] == [pair.primary, pair.replica]
        # A key lets it in, by the role which its account takes.
        made_for = json.dumps(policies.policy("signing", settings.kms_account, settings.region))
        assert iam.role_arn(pod.spec["serviceAccountName"], "eu", settings.kms_account) in made_for, pod.where


def test_a_pod_that_is_not_told_the_account_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the test above, and in a running installation by `doctor`."""
    pod = next(each for each in reaching(KEYS) if each.group == BUNDLER.name)
    settings = told(pod, monkeypatch, without="CONTENT_KMS_ACCOUNT")
    assert lacks(settings) == ["kms_account"]
    (safe,) = [each for each in asyncio.run(configuration.check(settings)) if each.name == "settings: safe"]
    assert (safe.status, safe.remedy) == ("fail", "Set kms_account.")
