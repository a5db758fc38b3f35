"""Who may talk to whom in production, written out by hand from the topology document and compared with the policies.

`kuberay.check.network_rules` reckons the same from `duties.py`; this table is apart from both, so that a mistake in the duties is
seen too. What the policies say is read as a cluster would read it (`kuberay.check.flows`, whose reading is tested here as well).
"""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from kuberay import names
from kuberay.check.build import Variant
from kuberay.check.finding import Pod, pods_of
from kuberay.check.flows import ANY, open_arrows, selects
from kuberay.components import NOT_PUBLIC
from kuberay.jobs import TASKS
from tests.kuberay.conftest import built

EU = Variant("eu", ("aws",))
DNS = {"kube-system/kube-dns 53/UDP", "kube-system/kube-dns 53/TCP"}
POSTGRES, STORE = "10.32.8.0/24 5432/TCP", "10.32.9.0/26 443/TCP"
KEYS = {"10.32.9.64/26 443/TCP", "10.40.9.64/26 443/TCP"}
ROLE, CONTROL_PLANE, NATS = "169.254.170.23/32 80/TCP", "10.32.0.0/28 443/TCP", "nats/nats 4222/TCP"
OUT = {
    "content-api": {POSTGRES, NATS, STORE, *KEYS, ROLE},
    "content-builder": {
        POSTGRES, STORE, *KEYS, ROLE, "content-importer/head 8000/TCP", "authoring-service/authoring-service 8443/TCP",
        "media-service/media-service 8443/TCP", "catalog-service/catalog-service 8443/TCP", "ai-gateway/ai-gateway 8443/TCP",
    },
    "content-bundler": {POSTGRES, STORE, *KEYS, ROLE, "sync-service/sync-service 8443/TCP"},
    "content-exporter": {POSTGRES, STORE, *KEYS, ROLE, NATS},
    "content-outbox-relay": {POSTGRES, STORE, ROLE, NATS},
    "content-scorm-importer": {STORE},
}  # fmt: skip
"""Besides names and the pods of their own Ray cluster."""
CDN = (
    "content-edge",
    "content-edge-keys",
    "content-edge-keys-emergency",
    "content-release",
    "content-release-rollback",
)
PUBLIC = "0.0.0.0/0 but 14 networks 443/TCP"


def pod(group: str, service: str | None = None, variant: Variant = EU) -> Pod:
    return next(
        each
        for each in pods_of(built(variant))
        if each.group == group and service in (None, each.owner["metadata"]["name"])
    )


def outside(arrows: frozenset[str], own: str) -> set[str]:
    return {arrow for arrow in arrows if not arrow.startswith(own)}


@pytest.mark.parametrize("pool", OUT)
def test_a_pool_reaches_what_the_topology_says_and_nothing_else(pool: str) -> None:
    found = pod(pool)
    own = {"content-importer": "content-importer/head"}.get(
        found.labels[names.CLUSTER], found.labels[names.CLUSTER] + "/"
    )
    if found.labels[names.CLUSTER] == "content-workers":
        own = "content-workers "
    assert outside(open_arrows(found, built(EU), "Egress"), own) == OUT[pool] | DNS


@pytest.mark.parametrize("service", ["content-api", "content-api-canary", "content-workers", "content-importer"])
def test_a_head_reaches_the_api_server_and_its_workers_alone(service: str) -> None:
    arrows = open_arrows(pod("head", service), built(EU), "Egress")
    assert {arrow for arrow in arrows if "content-" not in arrow} == DNS | {CONTROL_PLANE}


def test_workers_of_the_importer_speak_with_no_other_worker() -> None:
    worker, head = pod("content-scorm-importer"), pod("head", "content-importer")
    for direction in ("Egress", "Ingress"):
        inside = {each for each in open_arrows(worker, built(EU), direction) if each.startswith("content-")}
        assert {each.split()[0] for each in inside} == {"content-importer/head"}
    peers = {each.split()[0] for each in open_arrows(head, built(EU), "Ingress")}
    assert peers == {
        "content-importer/content-scorm-importer", "content-workers/content-builder", "kuberay-operator/kuberay-operator",
        "monitoring/prometheus",
    }  # fmt: skip


def test_nobody_but_the_operator_reaches_a_dashboard() -> None:
    for each in pods_of(built(EU)):
        arrows = open_arrows(each, built(EU), "Ingress")
        assert {arrow.split()[0] for arrow in arrows if "8265" in arrow} <= {"kuberay-operator/kuberay-operator"}
        assert not [arrow for arrow in arrows if arrow.startswith(ANY) or arrow.endswith(ANY)]


def test_haproxy_finds_replicas_on_every_node_of_its_own_track() -> None:
    for service, track in (("content-api", "stable"), ("content-api-canary", "canary")):
        found = pod("content-api", service)
        for direction in ("Egress", "Ingress"):
            arrows = open_arrows(found, built(EU), direction)
            for ports in ("8000", "30000-31000", "40000-41000", "6379", "10002-10999"):
                assert f"content-api/{track} {ports}/TCP" in arrows
            other = {"stable": "canary", "canary": "stable"}[track]
            assert not [arrow for arrow in arrows if other in arrow]


def test_the_job_that_migrates_reaches_postgres_alone() -> None:
    assert open_arrows(pod("content-migrate"), built(EU), "Egress") == DNS | {POSTGRES}


def test_the_job_that_makes_streams_reaches_nats_alone() -> None:
    assert open_arrows(pod("content-streams"), built(EU), "Egress") == DNS | {NATS}


def test_jobs_of_recovery_reach_what_they_rebuild_from() -> None:
    helps = open_arrows(pod("content-restore-help"), built(EU), "Egress")
    assert helps == DNS | {POSTGRES, STORE, *KEYS, ROLE}
    for name in ("content-restore", "content-reconcile", "content-reconcile-anyway"):
        assert open_arrows(pod(name), built(EU), "Egress") == DNS | {POSTGRES, STORE, *KEYS, ROLE, NATS}
    restores = [task for task in TASKS if "restore" in task.command]
    assert len(restores) == 2
    assert all("--build" not in task.command for task in restores), "builds need neighbours, Ray and a sandbox"


def test_with_r2_there_are_no_roles_and_keys_are_in_openbao() -> None:
    variant = Variant("eu", ("r2",))
    arrows = open_arrows(pod("content-bundler", variant=variant), built(variant), "Egress")
    assert {"openbao/openbao 8200/TCP", "104.16.0.0/13 443/TCP", POSTGRES} <= arrows
    assert not {ROLE, STORE, *KEYS} & arrows


@pytest.mark.parametrize(("component", "pools"), [("webhooks", ("content-bundler",)), ("cloudfront", CDN)])
def test_public_addresses_are_open_to_those_alone_who_need_them(component: str, pools: tuple[str, ...]) -> None:
    variant = Variant("eu", ("aws", component))
    public = {each.group for each in pods_of(built(variant)) if PUBLIC in open_arrows(each, built(variant), "Egress")}
    assert public == set(pools)
    assert not [each for each in pods_of(built(EU)) if PUBLIC in open_arrows(each, built(EU), "Egress")]


def test_what_is_called_public_holds_no_private_network() -> None:
    """Every range of RFC 1918, the links' own with the machines' metadata, loops, shared and reserved ones are left out."""
    left_out = [ipaddress.ip_network(each) for each in NOT_PUBLIC]
    for address in (
        "10.32.9.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "169.254.170.23", "127.0.0.1", "100.64.1.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "198.18.0.1",
    ):  # fmt: skip
        assert any(ipaddress.ip_address(address) in network for network in left_out), address
    assert not any(ipaddress.ip_address("1.1.1.1") in network for network in left_out)


# -- the reading ------------------------------------------------------------------------------------------------------


def policy(types: list[str], selector: dict[str, Any], **rules: Any) -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "spec": {"podSelector": selector, "policyTypes": types, **rules}}


def test_without_a_policy_everything_is_open() -> None:
    found = Pod({"kind": "Job", "metadata": {"name": "a"}}, "a", {"metadata": {"labels": {"a": "b"}}, "spec": {}})
    other = policy(["Egress"], {"matchLabels": {"a": "c"}})
    assert open_arrows(found, [other], "Egress") == {ANY}
    assert open_arrows(found, [policy(["Ingress"], {})], "Egress") == {ANY}
    assert open_arrows(found, [policy(["Egress"], {})], "Egress") == frozenset()
    # An empty peer or port is every one.
    assert open_arrows(found, [policy(["Egress"], {}, egress=[{}])], "Egress") == {f"{ANY} {ANY}"}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({}, True),
        ({"matchLabels": {"a": "b"}}, True),
        ({"matchLabels": {"a": "b", "c": "d"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "x"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, False),
        ({"matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["b"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_selectors_are_read_as_kubernetes_reads_them(selector: dict[str, Any], matches: bool) -> None:
    assert selects(selector, {"a": "b"}) is matches
