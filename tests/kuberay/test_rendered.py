"""The committed manifests are what the table says, number by number, and rendering anew changes nothing."""

from __future__ import annotations

import copy
import dataclasses
import importlib.metadata
import json
import re
from pathlib import Path
from typing import Any

import pytest

from cluster import aws, topology
from cluster.settings import Settings
from cluster.topology import GI, MI, POOLS, Pool
from kuberay import duties, names, render, services
from kuberay.check import verdict
from kuberay.check.build import Variant, some, variants
from kuberay.check.finding import groups_of, of_kind, pods_of
from kuberay.components import CHOICES, COMPONENTS
from kuberay.regions import ALL
from kuberay.text import memory
from serve_app.bound.options import actor_options
from tests.kuberay.conftest import built

SERVICES_OF = {"content-api": "content-api", "content-scorm-importer": "content-importer"}


def group(pool: Pool, region: str = "eu", service: str | None = None) -> dict[str, Any]:
    found = of_kind(built(Variant(region, ("aws",))), "RayService")
    owner = next(
        each for each in found if each["metadata"]["name"] == (service or SERVICES_OF.get(pool.name, "content-workers"))
    )
    return next(each for each in groups_of(owner) if each["groupName"] == pool.name)


def millicores(text: str) -> int:
    return int(text.removesuffix("m")) if text.endswith("m") else int(text) * 1000


def size(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"Mi": MI, "Gi": GI}[unit]


# -- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", [region.name for region in ALL])
@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_every_number_of_the_table_is_in_the_manifests(pool: Pool, region: str) -> None:
    for service in ("content-api", "content-api-canary") if pool is topology.API else (None,):
        found = group(pool, region, service)
        used = found["template"]["spec"]["containers"][0]["resources"]
        numbers = (
            found["minReplicas"], found["maxReplicas"],
            millicores(used["requests"]["cpu"]), millicores(used["limits"]["cpu"]),
            size(used["requests"]["memory"]), size(used["limits"]["memory"]),
        )  # fmt: skip
        assert numbers == (
            pool.minimum, pool.maximum, pool.cpu_request, pool.cpu_limit, pool.memory_request, pool.memory_limit,
        )  # fmt: skip


@pytest.mark.parametrize("field", ["minimum", "maximum", "cpu_request", "cpu_limit", "memory_request", "memory_limit"])
def test_a_changed_number_of_the_table_is_a_changed_manifest(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = services.all_services()
    changed = tuple(
        dataclasses.replace(duty, pool=dataclasses.replace(duty.pool, **{field: getattr(duty.pool, field) * 2}))
        for duty in duties.DUTIES
    )
    monkeypatch.setattr(duties, "DUTIES", changed)
    after = services.all_services()
    for old, new in zip(before, after, strict=True):
        assert [each != other for each, other in zip(groups_of(old), groups_of(new), strict=True)] == [True] * len(
            groups_of(old)
        )


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_a_replica_fits_its_pod_once_and_finds_it_by_its_label(pool: Pool) -> None:
    """What `serve_app` asks of Ray for a replica, against what the pod offers: the second one waits, and makes a node."""
    asked = actor_options(pool, Settings(profile="production"))
    found = group(pool)
    offered = found["resources"]
    assert asked["num_cpus"] <= int(offered["CPU"])
    assert asked["memory"] <= size(offered["memory"])
    assert asked["resources"] == {pool.name: 1} and offered[pool.name] == "1"
    assert asked["label_selector"].items() <= found["labels"].items()


def test_quantities_are_exact() -> None:
    assert [memory(each) for each in (512 * MI, GI, 3 * GI // 2, 8 * GI)] == ["512Mi", "1Gi", "1536Mi", "8Gi"]


# -- rendering --------------------------------------------------------------------------------------------------------


def test_rendering_anew_changes_nothing() -> None:
    wanted = dict(render.files())
    assert len(wanted) > 20
    different = [name for name, text in wanted.items() if (render.HERE / name).read_text() != text]
    assert not different, "run `make manifests`"
    assert not render.strays(render.HERE, set(wanted))


def test_writing_removes_what_nothing_makes_any_more(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/old.yaml").write_text("kind: Old\n")
    assert "base/old.yaml" in render.write(tmp_path)
    assert not (tmp_path / "base/old.yaml").exists()
    assert render.write(tmp_path) == []


# -- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", some(), ids=str)
def test_what_kustomize_makes_has_no_findings(variant: Variant) -> None:
    assert [str(finding) for finding in verdict.of(built(variant), variant)] == []


def test_the_choice_of_variants_holds_every_region_and_component() -> None:
    chosen = some()
    assert {variant.region for variant in chosen} == {region.name for region in ALL}
    assert {name for variant in chosen for name in variant.components} == set(COMPONENTS)
    assert len(set(variants(every_set=True))) == len(ALL) * 3 * 3 * 2 ** len(CHOICES)
    assert set(chosen) <= set(variants(every_set=True))


def test_regions_differ_in_names_and_networks_alone() -> None:
    """Put the name of one region for the other's, and its networks, and nothing else is left."""

    def text(region: Any) -> str:
        documents = copy.deepcopy(built(Variant(region.name, ("aws",))))
        for each in of_kind(documents, "ConfigMap"):
            each.get("data", {}).pop("CONTENT_REGION_URLS", None)  # names all of them
        found = json.dumps(documents)
        found = re.sub(rf"{re.escape(region.cloud)}|\b{region.name}\b", "REGION", found)
        for name, network in region.networks().items():
            found = found.replace(network, name)
        # Names of ConfigMaps end in a digest of what is in them.
        return re.sub(r"(content-(?:importer-)?settings)-[a-z0-9]{10}", r"\1", found)

    assert len({text(region) for region in ALL}) == 1


# -- settings ---------------------------------------------------------------------------------------------------------


def data(variant: Variant, prefix: str) -> dict[str, str]:
    maps = of_kind(built(variant), "ConfigMap")
    return next(each["data"] for each in maps if re.fullmatch(prefix + "-[a-z0-9]{10}", each["metadata"]["name"]))


@pytest.mark.parametrize("region", ALL, ids=lambda region: region.name)
def test_the_service_accepts_its_settings(region: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in data(Variant(region.name, ("aws",)), "content-settings").items():
        monkeypatch.setenv(name, value)
    found = Settings()
    assert (found.profile, found.region, found.key_service) == ("production", region.name, "kms")
    assert found.region_urls[region.name] == found.api_url and len(found.region_urls) == len(ALL)
    assert found.s3_bucket == aws.bucket(region.name) and found.s3_region == region.cloud
    assert not found.s3_access_key.get_secret_value() and found.sandbox == "bubblewrap"


def test_the_importer_is_told_nothing_of_databases_events_keys_and_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    told = data(Variant("eu", ("aws",)), "content-importer-settings")
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert Settings().importer_origins == ("https://s3.eu-central-1.amazonaws.com",)
    assert not [
        name for name in told if re.search(r"POSTGRES|NATS|KEY|BUCKET|OPENBAO|JWT|EDGE|_API_|REGION_URLS", name)
    ]


def test_a_changed_setting_is_a_changed_pod() -> None:
    """ConfigMaps have a digest in their name, which RayServices follow; KubeRay then makes a new cluster."""
    eu, us = (built(Variant(region, ("aws",))) for region in ("eu", "us"))
    referred = [
        {source["configMapRef"]["name"] for pod in pods_of(each) for source in pod.containers[0].get("envFrom", [])}
        for each in (eu, us)
    ]
    assert all(len(each) == 2 for each in referred) and referred[0].isdisjoint(referred[1])


def test_images_are_of_this_release_and_the_importer_has_its_own() -> None:
    tag = importlib.metadata.version("content-service")
    for pod in pods_of(built(Variant("eu", ("aws",)))):
        image = names.IMPORTER_IMAGE if pod.labels[names.CLUSTER] == names.IMPORTER else names.SERVICE_IMAGE
        if pod.labels.get(names.TRACK) == "canary":
            image = names.CANARY_IMAGE
        if pod.in_ray:
            assert pod.containers[0]["image"] == f"{image}:{tag}"


def test_who_holds_which_secret() -> None:
    """Written out, so that a change of `duties.py` is seen: what a pod that is broken into gives away."""
    held = {
        pod.group: sorted(
            entry["name"].removeprefix("CONTENT_").lower()
            for entry in pod.containers[0]["env"]
            if "secretKeyRef" in entry.get("valueFrom", {})
        )
        for pod in pods_of(built(Variant("eu", ("aws",))))
        if pod.in_ray and pod.group != "head"
    }
    assert held == {
        "content-api": [
            "edge_key_id",
            "edge_private_key",
            "nats_password",
            "nats_user",
            "postgres_api",
            "postgres_ops",
        ],
        "content-builder": ["importer_token", "postgres_ops", "postgres_worker"],
        "content-bundler": ["postgres_ops", "postgres_worker"],
        "content-exporter": ["nats_erasure_password", "nats_erasure_user", "postgres_ops", "postgres_worker"],
        "content-outbox-relay": ["nats_password", "nats_user", "postgres_ops", "postgres_relay", "postgres_worker"],
        "content-scorm-importer": ["importer_token_sha256"],
    }
