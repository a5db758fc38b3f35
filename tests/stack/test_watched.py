"""What alerts and dashboards ask of Ray is what a running Ray tells, under these names and with these labels."""

from __future__ import annotations

import re

from ray.autoscaler._private.prom_metrics import AutoscalerPrometheusMetrics

from cluster.topology import BUNDLER
from tests.support.running import Running
from tests.support.told import numbers
from tests.support.waiting import until

SERVES = {"ray_serve_deployment_replica_healthy": "deployment", "ray_serve_autoscaling_target_replicas": "deployment"}


def test_serve_tells_replicas_and_targets_by_deployment(running: Running) -> None:
    running.workers_ready()

    def missing() -> list[str]:
        told = numbers(running)
        return [
            name for name, label in SERVES.items()
            if not re.search(rf'^{name}\{{[^}}]*\b{label}="{BUNDLER.name}"[^}}]*\}} [\d.]+$', told, re.MULTILINE)
        ]  # fmt: skip

    until("Serve's numbers", lambda: not missing(), 40.0, missing)


def test_the_autoscaler_tells_nodes_that_do_not_come() -> None:
    told = AutoscalerPrometheusMetrics(session_name="here").registry.collect()
    assert "autoscaler_pending_nodes" in {family.name for family in told}
