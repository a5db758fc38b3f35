"""What all deployments share: sizes from the topology table, and how a pool grows and shrinks."""

from __future__ import annotations

from typing import Any

from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from cluster.settings import Settings
from cluster.topology import POOL_LABEL, Pool

LOGGING = {"encoding": "JSON", "enable_access_log": False, "log_level": "WARNING"}
"""Of Serve's own lines. Its access log would hold raw paths; ours is `serve_app/access.py`."""
CALM_S = {"production": 300.0, "development": 30.0}
WINDOW_S = 20.0
"""Reports of so long are looked at together; two of them are in it even with Serve's default of one in 10 s."""


def sized(pool: Pool, settings: Settings) -> Pool:
    """The row of the table as this installation uses it."""
    return pool.in_profile(settings.profile).within(settings.pool_bounds.get(pool.name))


def actor_options(pool: Pool, settings: Settings) -> dict[str, Any]:
    """What a replica asks of its node: in production its pod's request and the one unit of its pool."""
    environment = {"env_vars": {"OMP_NUM_THREADS": "1"}}
    if settings.profile == "development":
        return {"num_cpus": 0, "runtime_env": environment}
    return {
        "num_cpus": pool.cpu_request / 1000,
        "memory": pool.memory_request,
        "resources": {pool.name: 1},
        "label_selector": {POOL_LABEL: pool.name},
        "runtime_env": environment,
    }


def growing(pool: Pool, settings: Settings, policy: type, aggregated: str, **reckoned: float) -> AutoscalingConfig:
    """Between the table's bounds as `policy` says: up at once, down after a while of calm."""
    used = sized(pool, settings)
    return AutoscalingConfig(
        min_replicas=used.minimum,
        max_replicas=used.maximum,
        upscale_delay_s=0,
        downscale_delay_s=calm_s(settings),
        look_back_period_s=WINDOW_S,
        aggregation_function=aggregated,
        policy=AutoscalingPolicy(
            policy_function=policy,
            policy_kwargs={"minimum": used.minimum, "maximum": used.maximum, **reckoned},
        ),
    )


def calm_s(settings: Settings) -> float:
    """How long less must have been enough before a pool shrinks."""
    return CALM_S[settings.profile] if settings.calm_s is None else settings.calm_s
