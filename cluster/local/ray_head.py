"""Ray's head node, and the service's Serve applications on it.

Every port is named; workers' own ports are left to the system (`0`), since a range would be shared with another stack.
`RAY_AUTH_MODE` is set on both sides: Ray 2.60 otherwise turns token authentication on and writes into the user's home.
The Serve applications are bound and deployed by `python -m serve_app.app`, which stays (ADR 0012).
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from pathlib import Path
from typing import ClassVar

from cluster.local.home import read_json
from cluster.local.part import Part, Plan, Site, binary, http_problem

OBJECT_STORE_BYTES = 200_000_000
DEPLOYED = "all applications run"
"""What `serve_app.app` prints when they do."""
WARM_MS, WARM_WORKERS = 600_000, 12


class RayHead(Part):
    name: ClassVar[str] = "ray"
    ports: ClassVar[tuple[str, ...]] = (
        "ray", "ray_dashboard", "ray_client", "ray_node", "ray_object", "ray_agent_http", "ray_agent_grpc",
        "ray_runtime_env", "ray_metrics", "ray_autoscaler_metrics", "ray_dashboard_metrics", "haproxy_stats",
    )  # fmt: skip
    deadline_s: ClassVar[float] = 120.0
    patience_s: ClassVar[float] = 20.0

    def version(self, site: Site) -> str:
        return importlib.metadata.version("ray")

    def plan(self, site: Site) -> Plan:
        ports = site.ports
        argv = [
            binary("ray", "ray"), "start", "--head", "--block", "--disable-usage-stats", "--node-ip-address=127.0.0.1",
            f"--port={ports['ray']}", f"--ray-client-server-port={ports['ray_client']}",
            f"--node-manager-port={ports['ray_node']}", f"--object-manager-port={ports['ray_object']}",
            f"--dashboard-agent-listen-port={ports['ray_agent_http']}",
            f"--dashboard-agent-grpc-port={ports['ray_agent_grpc']}", f"--runtime-env-agent-port={ports['ray_runtime_env']}",
            f"--metrics-export-port={ports['ray_metrics']}", "--min-worker-port=0", "--max-worker-port=0",
            "--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={ports['ray_dashboard']}",
            f"--num-cpus={os.cpu_count() or 1}", f"--object-store-memory={OBJECT_STORE_BYTES}", f"--temp-dir={_folder(site)}",
        ]  # fmt: skip
        return Plan(argv, ray_environment(site), inputs=site.settings_digest)

    def before_start(self, site: Site) -> None:
        site.home.short_folder()
        _folder(site).mkdir(mode=0o700, exist_ok=True)

    def unhealthy(self, site: Site) -> str | None:
        # The head's store is there seconds before its node can run anything: both are asked.
        node = http_problem(site.url("ray_agent_http"), "/api/local_raylet_healthz", timeout_s=1.0)
        return node or http_problem(site.url("ray_dashboard"), "/api/gcs_healthz", timeout_s=1.0)

    def after_stop(self, site: Site) -> None:
        shutil.rmtree(_folder(site), ignore_errors=True)
        shutil.rmtree(_haproxy(site), ignore_errors=True)


def ray_environment(site: Site) -> dict[str, str]:
    """What Ray and whoever deploys onto it get added to their environment."""
    return {
        **_serve_mode(site),
        "CONTENT_SETTINGS": str(site.home.settings),
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "2",
        "AUTOSCALER_METRIC_PORT": str(site.ports["ray_autoscaler_metrics"]),
        "DASHBOARD_METRIC_PORT": str(site.ports["ray_dashboard_metrics"]),
        # On one node replicas can move nowhere: long enough to hand their jobs back, not the default 30 s.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "8",
        # A worker that has rendered once has its imports loaded: keep some for minutes, or each small build begins
        # with seconds of imports.
        "RAY_idle_worker_killing_time_threshold_ms": str(WARM_MS),
        "RAY_num_workers_soft_limit": str(WARM_WORKERS),
        "RAY_worker_niceness": "0",  # the default of 15 lets whatever else polls on the machine go first
        "OMP_NUM_THREADS": "1",
    }


def _serve_mode(site: Site) -> dict[str, str]:
    """What the setting `serve_mode` means to Serve. HAProxy's files and ports are this stack's own: its defaults are the
    same for the whole machine. It listens on every interface, whatever address is asked for."""
    mode, folder = read_json(site.home.settings).get("serve_mode", "proxy"), _haproxy(site)
    if mode == "proxy":
        return {}
    own = {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(site.ports["haproxy_stats"]),
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    }
    return own | ({"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"} if mode == "throughput" else {})


class ServeApps(Part):
    """The Serve applications: the process that deploys them, and stays.

    It must stay: Ray ends the idle workers of a job whose driver has gone, so that every small build would begin with
    seconds of starting workers. It is started beside the others, imports what it binds, and waits for `let_go`.
    """

    name: ClassVar[str] = "serve"
    ports: ClassVar[tuple[str, ...]] = ("api", "api_inside")
    deadline_s: ClassVar[float] = 240.0
    patience_s: ClassVar[float] = 3.0

    def version(self, site: Site) -> str:
        return importlib.metadata.version("content-service")

    def address(self, site: Site) -> str:
        return site.url("api")

    def plan(self, site: Site) -> Plan:
        argv = [sys.executable, "-P", "-m", "serve_app.app", "--stay", str(_go(site))]
        return Plan(argv, ray_environment(site), inputs=site.settings_digest)

    def unhealthy(self, site: Site) -> str | None:
        if DEPLOYED not in site.home.log_end(self.name, 200):
            return "the applications are being deployed"
        return http_problem(site.url(site.inside), "/livez")


def hold(site: Site) -> None:
    """Have `ServeApps` wait. To be called before it is started: where the other parts are all kept, the word comes while
    its predecessor is still being ended, and must not be wiped away then."""
    _go(site).unlink(missing_ok=True)


def let_go(site: Site, word: str = "go") -> None:
    """Tell a waiting `ServeApps` to deploy, or with any other word to end."""
    fresh = _go(site).with_suffix(".new")
    fresh.write_text(word)
    fresh.replace(_go(site))


def _go(site: Site) -> Path:
    return site.home.path / "serve-go"


def _folder(site: Site) -> Path:
    return site.home.short / "ray"


def _haproxy(site: Site) -> Path:
    """HAProxy's files; Ray adds a folder named by 56 digits, and the path of a socket has at most 97 characters."""
    return site.home.short / "ha"
