"""The applications that manifests name: each can be bound, is sized by the table, and carries no secret."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from cluster import topology
from cluster.settings import Settings, _load
from serve_app import production

POOLS = {
    "api": topology.API,
    "builder": topology.BUILDER,
    "bundler": topology.BUNDLER,
    "exporter": topology.EXPORTER,
    "relay": topology.RELAY,
    "importer": topology.IMPORTER,
}
SECRET = "not-to-be-seen-7431"


@pytest.fixture(autouse=True)
def pod(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of a pod of production, with every secret there is."""
    monkeypatch.setenv("CONTENT_PROFILE", "production")
    monkeypatch.setenv("CONTENT_POOL_BOUNDS", '{"content-exporter": [2, 4]}')
    for name, field in Settings.model_fields.items():
        if field.annotation is SecretStr:
            monkeypatch.setenv(f"CONTENT_{name.upper()}", SECRET)
    monkeypatch.delenv("CONTENT_SETTINGS", raising=False)
    _load.cache_clear()
    yield
    _load.cache_clear()


def bound(name: str) -> Any:
    return getattr(production, name)({})._bound_deployment


@pytest.mark.parametrize(("name", "pool"), POOLS.items())
def test_sized_by_the_table(name: str, pool: topology.Pool) -> None:
    deployment = bound(name)
    scaling = deployment._deployment_config.autoscaling_config
    least, most = (2, 4) if name == "exporter" else (pool.minimum, pool.maximum)
    assert (deployment.name, scaling.min_replicas, scaling.max_replicas) == (pool.name, least, most)
    assert (scaling.upscale_delay_s, scaling.downscale_delay_s) == (0, 300)
    asked = deployment.ray_actor_options
    assert (asked["num_cpus"] * 1000, asked["memory"]) == (pool.cpu_request, pool.memory_request)
    assert asked["resources"] == {pool.name: 1}  # one replica per pod, whose node has one unit of it
    assert asked["label_selector"] == {"pool": pool.name}


@pytest.mark.parametrize("name", POOLS)
def test_no_secret_is_bound(name: str) -> None:
    deployment = bound(name)
    told = (deployment.init_args, deployment.init_kwargs, deployment.ray_actor_options)
    assert SECRET.encode() not in pickle.dumps(told)


def test_every_deployment_of_a_pool_is_named_once() -> None:
    assert {bound(name).name for name in POOLS} == {pool.name for pool in topology.POOLS}


@pytest.mark.parametrize("name", POOLS)
def test_settings_do_not_come_with_the_configuration(name: str) -> None:
    with pytest.raises(ValueError, match="environment"):
        getattr(production, name)({"postgres_api": "postgresql://…"})
