"""How many replicas a pool wants: a pure function of the depth its replicas report.

It runs on Serve's controller, where a policy that raises, blocks or does I/O freezes every application of the cluster.
So it is total: whatever it is given, it answers with a number, and holds the last one while nothing is known.
"""

from __future__ import annotations

from typing import Any

from cluster.topology import replicas_for


class DepthPolicy:
    """`cluster.topology.replicas_for` the deepest report of the replicas."""

    def __init__(self, per_replica: int, minimum: int, maximum: int) -> None:
        self.per_replica, self.minimum, self.maximum = per_replica, minimum, maximum

    def __call__(self, ctx: Any) -> tuple[int, dict[str, Any]]:
        try:
            reports = (ctx.aggregated_metrics or {}).get("depth") or {}
            if not reports:
                return ctx.target_num_replicas, {}
            depth = max(float(value) for value in reports.values())
            return replicas_for(depth, self.per_replica, self.minimum, self.maximum), {"depth": depth}
        except Exception:  # noqa: BLE001 - a raising policy stops every app of the cluster
            return getattr(ctx, "target_num_replicas", self.minimum), {}
