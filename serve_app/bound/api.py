"""The API: replicas by their mean use of CPU, as an HPA would have it."""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import BackpressureConfig

from actors.cpu import CpuMeter
from actors.scaling import CpuPolicy
from cluster.settings import Settings
from cluster.topology import API, API_CPU_TARGET, API_LEAVING_S
from serve_app.api import create_served_app
from serve_app.bound.options import LOGGING, actor_options, growing, sized


def api(settings: Settings) -> Application:
    """It grows in production; the development profile has one replica, and no CPU to give to another."""
    if settings.profile == "production":
        size: dict[str, Any] = {
            "autoscaling_config": growing(API, settings, CpuPolicy, "mean", target=API_CPU_TARGET),
            # A new version's replica answers before an old one leaves.
            "max_surge_percent": 25,
        }
    else:
        size = {"num_replicas": sized(API, settings).minimum}
    deployment: Any = serve.deployment(
        name=API.name,
        **size,
        ray_actor_options=actor_options(API, settings),
        max_ongoing_requests=200,
        max_queued_requests=1000,
        # Over that Serve's proxy answers itself: plain text, but with the header that clients go by.
        backpressure_config=BackpressureConfig(status_code=503, retry_after_s=2),
        health_check_period_s=5,
        graceful_shutdown_timeout_s=API_LEAVING_S,
        logging_config=LOGGING,
    )

    class Api:
        """content-api: one replica of the HTTP application."""

        def __init__(self) -> None:
            self._cpu = CpuMeter.of(API)

        def record_autoscaling_stats(self) -> dict[str, float]:
            """Serve asks for this and hands it to the pool's policy."""
            return {"cpu": self._cpu.share()}

    return deployment(serve.ingress(create_served_app)(Api)).bind()
