"""Every application on the local cluster. What each is bound to stands in `serve_app.bound`.

`python -m serve_app.app` connects to the Ray cluster of the settings and deploys all applications at once: one after the
other took 37 s where together takes 22. With `--stay FILE` it waits for the word to begin and stays as long as the stack
does. In the development profile the minimums are 1 and replicas take no CPU, so that it all runs on two cores and the
CPUs are left for the renditions.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import ray
from ray import serve
from ray.serve import RunTarget
from ray.serve.config import HTTPOptions, ProxyLocation

from cluster import telemetry, topology
from cluster.local.ray_head import DEPLOYED
from cluster.settings import Settings
from serve_app.bound.api import api
from serve_app.bound.importer import importer
from serve_app.bound.options import LOGGING
from serve_app.bound.workers import WORKERS, worker

NAMESPACE = "content"
IMPORTER_APP = "content-importer"
CONNECT_S = 60.0


def applications(settings: Settings) -> list[RunTarget]:
    """All of them. In production the importer is deployed by its own cluster, which knows only the digest of the token."""
    apps = [RunTarget(api(settings), name=topology.API.name, route_prefix="/")]
    apps += [RunTarget(worker(pool, settings), name=pool.name, route_prefix=None) for pool in WORKERS]
    if settings.profile == "development" and settings.importer_url:
        route = urlsplit(settings.importer_url).path or "/"
        apps.append(RunTarget(importer(settings), name=IMPORTER_APP, route_prefix=route))
    return apps


def deploy(settings: Settings) -> None:
    """Deploy everything and return when it runs. Raises RuntimeError with Serve's reason when it does not."""
    connect(settings)
    url = urlsplit(settings.api_listen_url or settings.api_url)
    serve.start(
        proxy_location=ProxyLocation.HeadOnly,
        http_options=HTTPOptions(host=url.hostname or "127.0.0.1", port=url.port or 8000, request_timeout_s=60),
        logging_config=LOGGING,
    )
    serve.run_many(applications(settings))


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
