"""The worker pools: no route, replicas by the depth of their queues, drained when they leave."""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve import Application

from actors.builder import Builder
from actors.bundler import Bundler
from actors.exporter import Exporter
from actors.relay import OutboxRelay
from actors.scaling import DepthPolicy
from cluster import topology
from cluster.settings import Settings
from cluster.topology import Pool
from serve_app.bound.options import LOGGING, actor_options, growing

WORKERS = {
    topology.BUILDER: Builder,
    topology.BUNDLER: Bundler,
    topology.EXPORTER: Exporter,
    topology.RELAY: OutboxRelay,
}


def worker(pool: Pool, settings: Settings) -> Application:
    """One pool. The deepest report of the window counts: a mean would see a burst only when it is half over."""
    assert pool.per_replica is not None
    deployment: Any = serve.deployment(
        WORKERS[pool],
        name=pool.name,
        autoscaling_config=growing(pool, settings, DepthPolicy, "max", per_replica=pool.per_replica),
        ray_actor_options=actor_options(pool, settings),
        graceful_shutdown_timeout_s=settings.drain_s + topology.LEAVING_S,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_period_s=5,
        health_check_timeout_s=20,
        max_ongoing_requests=10,
        logging_config=LOGGING,
    )
    return deployment.bind(pool.name)
