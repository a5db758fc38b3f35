"""Where every deployment is bound: the API and the pools, with the numbers of the topology table.

`python -m serve_app.app` connects to the Ray cluster of the settings and deploys all applications at once: one after the
other took 37 s where together takes 22. With `--stay FILE` it waits for the word to begin and stays as long as the stack
does. In the development profile the minimums are 1 and replicas take no CPU, so that it all runs on two cores and the
CPUs are left for the renditions.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ray
from ray import serve
from ray.serve import RunTarget
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy, BackpressureConfig, HTTPOptions, ProxyLocation

from actors.builder import Builder
from actors.bundler import Bundler
from actors.exporter import Exporter
from actors.importer import Importer, given
from actors.relay import OutboxRelay
from actors.scaling import DepthPolicy
from cluster import telemetry, topology
from cluster.local.ray_head import DEPLOYED
from cluster.settings import Settings
from cluster.topology import Pool
from serve_app.api import create_served_app

NAMESPACE = "content"
IMPORTER_APP = "content-importer"
LOGGING = {"encoding": "JSON", "enable_access_log": False, "log_level": "WARNING"}
"""Of Serve's own lines. Its access log would hold raw paths; ours is `serve_app/access.py`."""
CONNECT_S = 60.0
WORKERS = {
    topology.BUILDER: Builder,
    topology.BUNDLER: Bundler,
    topology.EXPORTER: Exporter,
    topology.RELAY: OutboxRelay,
}


def actor_options(pool: Pool, settings: Settings) -> dict[str, Any]:
    """What a replica asks of its node: in production its pod's request and the one unit of its pool."""
    environment = {"env_vars": {"OMP_NUM_THREADS": "1"}}
    if settings.profile == "development":
        return {"num_cpus": 0, "runtime_env": environment}
    return {
        "num_cpus": pool.cpu_request / 1000,
        "memory": pool.memory_request,
        "resources": {pool.name: 1},
        "runtime_env": environment,
    }


def worker(pool: Pool, settings: Settings) -> RunTarget:
    """A pool: no route, replicas by the depth of its queue, drained when it leaves."""
    used = pool.in_profile(settings.profile)
    scaling = AutoscalingConfig(
        min_replicas=used.minimum,
        max_replicas=used.maximum,
        upscale_delay_s=0,
        downscale_delay_s=300 if settings.profile == "production" else 30,
        policy=AutoscalingPolicy(
            policy_function=DepthPolicy,
            policy_kwargs={"per_replica": used.per_replica, "minimum": used.minimum, "maximum": used.maximum},
        ),
    )
    deployment: Any = serve.deployment(
        WORKERS[pool],
        name=pool.name,
        autoscaling_config=scaling,
        ray_actor_options=actor_options(pool, settings),
        graceful_shutdown_timeout_s=settings.drain_s + 15,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_period_s=5,
        health_check_timeout_s=20,
        max_ongoing_requests=10,
        logging_config=LOGGING,
    )
    return RunTarget(deployment.bind(pool.name), name=pool.name, route_prefix=None)


def importer(settings: Settings) -> RunTarget:
    """The importer: an app of its own, since in production it is a cluster of its own. Serve counts requests that wait at its
    proxy as well as those that run, so its own scaling is the table's row.

    Its replica gets what `actors.importer.given` names and nothing else: where the settings of this cluster are is wiped from its
    environment before its interpreter starts.
    """
    pool = topology.IMPORTER
    used = pool.in_profile(settings.profile)
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
            look_back_period_s=6,
            upscale_delay_s=0,
            downscale_delay_s=300 if settings.profile == "production" else 30,
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
    bound = deployment.bind(pool.name, **given(settings))
    return RunTarget(bound, name=IMPORTER_APP, route_prefix=urlsplit(settings.importer_url).path or "/")


def api(settings: Settings) -> RunTarget:
    """The API. Its growth by CPU comes with the production manifests; here it keeps its minimum."""

    deployment: Any = serve.deployment(
        name=topology.API.name,
        num_replicas=topology.API.in_profile(settings.profile).minimum,
        ray_actor_options=actor_options(topology.API, settings),
        max_ongoing_requests=200,
        max_queued_requests=1000,
        # Over that Serve's proxy answers itself: plain text, but with the header that clients go by.
        backpressure_config=BackpressureConfig(status_code=503, retry_after_s=2),
        health_check_period_s=5,
        graceful_shutdown_timeout_s=35,
        logging_config=LOGGING,
    )

    class Api:
        """content-api: one replica of the HTTP application."""

    bound: Any = deployment(serve.ingress(create_served_app)(Api))
    return RunTarget(bound.bind(), name=topology.API.name, route_prefix="/")


def deploy(settings: Settings) -> None:
    """Deploy everything and return when it runs. Raises RuntimeError with Serve's reason when it does not."""
    connect(settings)
    url = urlsplit(settings.api_url)
    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        http_options=HTTPOptions(host=url.hostname or "127.0.0.1", port=url.port or 8000, request_timeout_s=60),
        logging_config=LOGGING,
    )
    apps = [api(settings), *(worker(pool, settings) for pool in WORKERS)]
    # In production the importer is deployed by its own cluster, which knows only the digest of the token.
    if settings.profile == "development" and settings.importer_url:
        apps.append(importer(settings))
    serve.run_many(apps)


def connect(settings: Settings) -> None:
    """Connect to Ray, which may still be starting. Raises what Ray raises after a minute."""
    deadline = time.monotonic() + CONNECT_S
    while True:
        try:
            ray.init(address=settings.ray_address, namespace=NAMESPACE, log_to_driver=False, ignore_reinit_error=True)
            return
        except (ConnectionError, RuntimeError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def await_word(file: Path) -> None:
    """Wait until the file says `go`; end the process if it says anything else."""
    while not file.exists():
        time.sleep(0.05)
    if file.read_text().strip() != "go":
        sys.exit(2)


if __name__ == "__main__":
    stay = len(sys.argv) == 3 and sys.argv[1] == "--stay"
    if stay:
        await_word(Path(sys.argv[2]))
    telemetry.begin("content-deployer", Settings.load())
    deploy(Settings.load())
    print(DEPLOYED, flush=True)
    if stay:
        signal.pause()
