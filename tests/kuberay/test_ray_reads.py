"""What Ray itself makes of the manifests: its autoscaler's reading of the cluster, its schema of Serve's configuration, its limits
of what may be drained. The same code runs in the pods."""

from __future__ import annotations

import importlib.metadata
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import (
    _generate_available_node_types_from_ray_cr_spec as node_types,  # pyright: ignore[reportPrivateUsage]
)
from ray.serve.schema import ServeDeploySchema

from actors import drain
from cluster.settings import Settings
from cluster.topology import POOLS
from kuberay import names, pods, services
from kuberay.check.build import Variant
from kuberay.check.finding import of_kind, pods_of
from kuberay.duties import of_cluster
from kuberay.patches import SERVICES
from kuberay.settings import LEASE_S, SERVICE
from tests.kuberay.conftest import built

IMAGES = Path(__file__).resolve().parents[2] / "images"
FOUND = Variant("eu", ("aws",))


def clusters() -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each["spec"] for each in of_kind(built(FOUND), "RayService")}


@pytest.mark.parametrize("service", SERVICES)
def test_the_autoscaler_knows_each_pool_as_a_type_of_node(service: str) -> None:
    types = node_types(clusters()[service]["rayClusterConfig"])
    head = types.pop("headgroup")
    assert head["resources"]["CPU"] == 0 and head["max_workers"] == 0
    assert set(types) == {duty.pool.name for duty in of_cluster(SERVICES[service])}
    for pool in POOLS:
        if pool.name not in types:
            continue
        found = types[pool.name]
        assert (found["min_workers"], found["max_workers"]) == (pool.minimum, pool.maximum)
        assert found["resources"] == {
            "CPU": math.ceil(pool.cpu_limit / 1000),
            "memory": pool.memory_limit,
            pool.name: 1,
        }
        assert found["labels"] == {"pool": pool.name}
        assert found["idle_timeout_s"] == 120


@pytest.mark.parametrize("service", SERVICES)
def test_serve_accepts_its_configuration(service: str) -> None:
    config = ServeDeploySchema.model_validate(yaml.safe_load(clusters()[service]["serveConfigV2"]))
    routes = {application.name: application.route_prefix for application in config.applications}
    expected = {
        "content-api": {"content-api": "/"},
        "content-workers": dict.fromkeys(
            ("content-builder", "content-bundler", "content-exporter", "content-outbox-relay")
        ),
        "content-importer": {"content-importer": "/importer"},
    }
    assert routes == expected[SERVICES[service]]


def test_no_group_offers_the_unit_of_another() -> None:
    """Or a bundler could be placed on a builder's pod, with the builder's secrets."""
    units = {pool.name for pool in POOLS}
    for spec in clusters().values():
        for group in spec["rayClusterConfig"]["workerGroupSpecs"]:
            assert units & set(group["resources"]) == {group["groupName"]}


def test_the_version_of_ray_is_the_locks() -> None:
    assert {spec["rayClusterConfig"]["rayVersion"] for spec in clusters().values()} == {
        importlib.metadata.version("ray")
    }


def test_a_pod_lives_longer_than_its_drain_and_its_lease() -> None:
    settings = Settings(profile="production", drain_s=float(SERVICE["CONTENT_DRAIN_S"]))
    for pod in pods_of(built(FOUND)):
        if not pod.in_ray or pod.group == "head":
            continue
        command = pod.containers[0]["lifecycle"]["preStop"]["exec"]["command"]
        assert command[:3] == ["python", "-m", drain.__name__]
        waits = float(command[command.index("--wait-s") + 1])
        grace = pod.spec["terminationGracePeriodSeconds"]
        assert grace > max(waits, LEASE_S, settings.lease_s)
        longest = 2 * settings.import_timeout_s if pod.group == "content-scorm-importer" else settings.drain_s
        assert waits > longest
        if pod.group != "content-scorm-importer":
            assert waits >= drain.wait_s(settings)


def test_pods_run_as_the_user_of_their_images() -> None:
    for name in ("service", "importer", "cli"):
        users = re.findall(r"^USER (.+)$", (IMAGES / name / "Dockerfile").read_text(), re.MULTILINE)
        assert users[-1] == f"{names.USER}:{names.USER}"


def test_a_head_stays_until_its_workers_have_drained() -> None:
    for service, spec in clusters().items():
        head = spec["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
        longest = max(pods.drain_s(duty.pool, services.longest_read_s()) for duty in of_cluster(SERVICES[service]))
        assert head["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] >= longest
