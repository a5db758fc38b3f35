"""The importer: an app of its own, since in production it is a cluster of its own, and an image without drivers of anything.

Its replica gets what `actors.importer.given` names and nothing else: where the settings of this cluster are is wiped from its
environment before its interpreter starts.
"""

from __future__ import annotations

import os
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig

from actors.importer import Importer, given
from cluster import topology
from cluster.settings import Settings
from serve_app.bound.options import LOGGING, WINDOW_S, actor_options, calm_s, sized


def importer(settings: Settings) -> Application:
    """Serve counts requests that wait at its proxy as well as those that run, so its own scaling is the table's row."""
    pool = topology.IMPORTER
    used = sized(pool, settings)
    options = actor_options(pool, settings)
    hidden = dict.fromkeys((name for name in os.environ if name.startswith("CONTENT_")), "") | {"CONTENT_SETTINGS": ""}
    options["runtime_env"] = {"env_vars": {**options["runtime_env"]["env_vars"], **hidden}}
    deployment: Any = serve.deployment(
        Importer,
        name=pool.name,
        autoscaling_config=AutoscalingConfig(
            min_replicas=used.minimum,
            max_replicas=used.maximum,
            target_ongoing_requests=used.per_replica,
            look_back_period_s=WINDOW_S,
            aggregation_function="max",
            upscale_delay_s=0,
            downscale_delay_s=calm_s(settings),
        ),
        ray_actor_options=options,
        max_ongoing_requests=topology.IMPORTER_AT_ONCE,
        # What a replica reads when it is told to leave it reads to the end.
        graceful_shutdown_timeout_s=settings.import_timeout_s * 2
        if settings.profile == "production"
        else settings.drain_s,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_period_s=5,
        health_check_timeout_s=20,
        logging_config=LOGGING,
    )
    return deployment.bind(pool.name, **given(settings))
