"""A Ray cluster with a node for each replica, on one machine: Ray's autoscaler with its fake provider.

What is real: the autoscaler (version 2) and its bin packing, the node groups with the labels, CPUs, memory and the unit of
their pool that the table gives them, a raylet per node, and Serve deployed by the same `import_path`s as in production, sent
to the same address as KubeRay sends them. What is not: a node starts in seconds, and its CPUs are a number, since all share
this machine's.

`ray.cluster_utils.AutoscalingCluster` is not used: it lacks a file in the wheel, and ends every Ray on the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cluster.local.part import binary
from cluster.local.ports import choose
from cluster.local.processes import Started, spawn, stop
from cluster.topology import POOL_LABEL, POOLS, Pool

HEAD = "f" * 51 + "00000"
"""The fake provider insists on it, and on the head's type being called `ray.head.default`."""
PORTS = (
    "gcs",
    "dashboard",
    "serve",
    "client",
    "agent",
    "agent_grpc",
    "runtime_env",
    "metrics",
    "autoscaler",
    "dash_metrics",
)
IDLE_MINUTES = 0.1
STORE_BYTES = 80_000_000
START_S, DEPLOY_S = 60.0, 240.0
PATHS = {
    "content-api": "api",
    "content-builder": "builder",
    "content-bundler": "bundler",
    "content-exporter": "exporter",
    "content-outbox-relay": "relay",
}


def group(pool: Pool, least: int, most: int) -> dict[str, Any]:
    """The worker group of a pool: one replica to a node, whose other CPUs are for the tasks of its jobs."""
    return {
        "resources": {
            "CPU": max(1, pool.cpu_limit // 1000),
            "memory": pool.memory_limit,
            "object_store_memory": STORE_BYTES,
            pool.name: 1,
        },
        "labels": {POOL_LABEL: pool.name},
        "node_config": {},
        "min_workers": least,
        "max_workers": most,
    }


@dataclass(frozen=True)
class State:
    """One look: running replicas and targets by deployment, living nodes by pool."""

    replicas: Mapping[str, int]
    targets: Mapping[str, int]
    nodes: Mapping[str, int]


class Nodes:
    """The running cluster."""

    def __init__(self, ports: Mapping[str, int], folder: Path, address: str) -> None:
        self.ports, self.folder, self._address = ports, folder, address
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{ports['dashboard']}", trust_env=False, timeout=150)
        self._gcs: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['serve']}"

    @property
    def gcs_address(self) -> str:
        return f"{self._address}:{self.ports['gcs']}"

    def deploy(self, names: list[str]) -> None:
        """Send what a manifest's `serveConfigV2` says, and wait until it runs."""
        routes = {"content-api": "/"}
        config = {
            "proxy_location": "HeadOnly",
            "http_options": {"host": "127.0.0.1", "port": self.ports["serve"], "request_timeout_s": 60},
            "logging_config": {"encoding": "JSON", "log_level": "WARNING", "enable_access_log": False},
            "applications": [
                {
                    "name": name,
                    "route_prefix": routes.get(name),
                    "import_path": f"serve_app.production:{PATHS[name]}",
                }
                for name in names
            ],
        }
        self._http.put("/api/serve/applications/", json=config).raise_for_status()
        deadline = time.monotonic() + DEPLOY_S
        while True:
            apps = self._serve()
            states = {name: app["status"] for name, app in apps.items()}
            if len(states) == len(names) and set(states.values()) == {"RUNNING"}:
                return
            if "DEPLOY_FAILED" in states.values() or time.monotonic() > deadline:
                raise RuntimeError(json.dumps({name: app["message"] for name, app in apps.items()} | states))
            time.sleep(0.5)

    def _serve(self) -> dict[str, Any]:
        return self._http.get("/api/serve/applications/").raise_for_status().json()["applications"]

    def state(self) -> State:
        replicas, targets = {}, {}
        for app in self._serve().values():
            for name, deployment in app["deployments"].items():
                replicas[name] = sum(each["state"] == "RUNNING" for each in deployment["replicas"])
                targets[name] = deployment["target_num_replicas"]
        return State(replicas, targets, Counter(self.pods().values()))

    def pods(self) -> dict[str, str]:
        """Instance → pool of every living node but the head."""
        if self._gcs is None:
            import ray

            self._gcs = ray._raylet.GcsClient(address=self.gcs_address)  # pyright: ignore[reportAttributeAccessIssue]
        found = self._gcs.get_all_node_info(timeout=10)
        return {
            node.instance_id: node.labels[POOL_LABEL]
            for node in found.values()
            if node.state == node.ALIVE and POOL_LABEL in node.labels
        }

    def decisions(self) -> list[str]:
        """What the log says of the pools' sizes, in order."""
        return _told(self.folder / "ray/session_latest/logs/serve", "controller_*.log", "message")

    def node_events(self) -> list[str]:
        """What Ray's autoscaler says of nodes, in order."""
        return _told(self.folder / "ray/session_latest/logs/events", "event_AUTOSCALER.log", "message")


def _told(folder: Path, pattern: str, field: str) -> list[str]:
    lines: list[str] = []
    for path in sorted(folder.glob(pattern)):
        for line in path.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, KeyError):
                lines.append(str(json.loads(line)[field]))
    return lines


@contextlib.contextmanager
def nodes(settings_file: Path, bounds: Mapping[str, tuple[int, int]], taken: set[int], log: Path) -> Iterator[Nodes]:
    """Up at the beginning, all of it gone at the end. Its folder has a short name: paths of sockets are limited."""
    from ray._private import services

    address = services.get_node_ip_address()
    folder = Path(tempfile.mkdtemp(prefix="cn-", dir="/tmp"))
    ports = choose(PORTS, taken)
    by_name = {pool.name: pool for pool in POOLS}
    groups = {name: group(by_name[name], least, most) for name, (least, most) in bounds.items()}
    config = folder / "autoscaling.json"
    config.write_text(json.dumps(_config(groups, f"{address}:{ports['gcs']}")))
    started = spawn("ray", _argv(ports, config, folder), log, _environment(settings_file, ports), Path.cwd())
    try:
        running = Nodes(ports, folder, address)
        _await_start(running, started, log)
        yield running
    finally:
        stop(started, signal.SIGTERM, 20.0)
        shutil.rmtree(folder, ignore_errors=True)


def _await_start(running: Nodes, started: Started, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and started.process() is not None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{running.ports['dashboard']}/api/gcs_healthz", trust_env=False).is_success:
                return
        time.sleep(0.5)
    raise RuntimeError(f"Ray did not start: {log.read_text(errors='replace')[-2000:]}")


def _config(groups: Mapping[str, Any], gcs: str) -> dict[str, Any]:
    return {
        "cluster_name": "fake", "max_workers": 100, "upscaling_speed": 1.0, "idle_timeout_minutes": IDLE_MINUTES,
        "head_node_type": "ray.head.default", "auth": {}, "docker": {}, "file_mounts": {}, "cluster_synced_files": [],
        "file_mounts_sync_continuously": False, "rsync_exclude": [], "rsync_filter": [], "initialization_commands": [],
        "setup_commands": [], "head_setup_commands": [], "worker_setup_commands": [], "head_start_ray_commands": [],
        "worker_start_ray_commands": [],
        "provider": {
            "type": "external", "module": "bench.provider.Provider",
            "use_node_id_as_ip": True, "disable_node_updaters": True, "disable_launch_config_check": True,
            "launch_multiple": True, "head_node_id": HEAD, "gcs_address": gcs,
        },
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            **groups,
        },
    }  # fmt: skip


def _argv(ports: Mapping[str, int], config: Path, folder: Path) -> list[str]:
    return [
        binary("ray", "ray"), "start", "--head", "--block", "--disable-usage-stats", "--num-cpus=0",
        f"--port={ports['gcs']}", f"--ray-client-server-port={ports['client']}", "--include-dashboard=true",
        f"--dashboard-port={ports['dashboard']}", f"--dashboard-agent-listen-port={ports['agent']}",
        f"--dashboard-agent-grpc-port={ports['agent_grpc']}", f"--runtime-env-agent-port={ports['runtime_env']}",
        f"--metrics-export-port={ports['metrics']}", f"--autoscaling-config={config}", f"--temp-dir={folder}/ray",
        f"--object-store-memory={STORE_BYTES}",
    ]  # fmt: skip


def _environment(settings_file: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """As a pod's, and what the fake provider wants."""
    return {
        **os.environ,
        "PYTHONPATH": str(Path.cwd()),
        "CONTENT_SETTINGS": str(settings_file),
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # a pod has its CPUs to itself; here all else on the machine would come first
        "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "2",
        "RAY_CLOUD_INSTANCE_ID": HEAD,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
        "RAY_FAKE_CLUSTER": "1",
        "RAY_enable_autoscaler_v2": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "AUTOSCALER_METRIC_PORT": str(ports["autoscaler"]),
        "DASHBOARD_METRIC_PORT": str(ports["dash_metrics"]),
        "OMP_NUM_THREADS": "1",
    }
