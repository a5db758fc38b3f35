"""How many replicas a pool wants: pure functions of what its replicas report, and the policies that Serve calls.

Policies run on Serve's controller, where one that raises, blocks or waits freezes every application of the cluster. So they
are total: whatever they are given, they answer with a number, and hold the last one while nothing is known.

What was decided is told once: when the target has changed, with the reason. Serve adopts a smaller number only after calm, so
it is the target that is watched, not what is wanted at the moment.
"""

from __future__ import annotations

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.topology import replicas_for

TOLERANCE = 0.1
"""An HPA leaves it as it is while the mean is so near to its target."""
LOG = logging.getLogger("ray.serve.content.scaling")
"""Below Serve's own, so that it goes into the controller's log file; Serve's own lines are let through from warnings on."""


@dataclass(frozen=True)
class ScaleTo:
    """A decision: so many replicas, and why."""

    replicas: int
    reason: str


def by_depth(depth: float, per_replica: int, minimum: int, maximum: int) -> ScaleTo:
    """One replica for each `per_replica` of depth, within the bounds. Raises ValueError for what is no number."""
    if math.isnan(depth):
        raise ValueError("no depth")
    wanted = replicas_for(min(depth, 1e15), per_replica, minimum, maximum)
    return ScaleTo(wanted, f"{depth:.0f} wait or run, {per_replica} for each replica{_bound(wanted, minimum, maximum)}")


def by_cpu(shares: Mapping[Any, float], running: int, held: int, target: float, minimum: int, maximum: int) -> ScaleTo:
    """So many that the mean use of CPU comes to `target` of the request, as an HPA reckons; `held` where it nearly does.

    A replica that has not reported yet counts as idle where more would be wanted, and as using its whole request where fewer
    would: what is unknown only makes for smaller steps. Raises ValueError where nothing was reported.
    """
    known = [float(share) for share in shares.values() if math.isfinite(share)]
    if not known:
        raise ValueError("no share of CPU")
    mean = sum(known) / len(known)
    silent = max(0, running - len(known))
    count = len(known) + silent
    filled = (sum(known) + (silent if mean < target else 0.0)) / count
    ratio = filled / target
    # What is unknown may not turn the direction around.
    steady = abs(ratio - 1) <= TOLERANCE or (ratio > 1) != (mean > target)
    wanted = max(minimum, min(maximum, held if steady else math.ceil(count * ratio - 1e-9)))
    reason = f"{len(known)} replicas use {mean:.0%} of their CPU request, {target:.0%} is aimed at"
    return ScaleTo(wanted, reason + _bound(wanted, minimum, maximum))


def _bound(wanted: int, minimum: int, maximum: int) -> str:
    if minimum < wanted < maximum:
        return ""
    return f"; {maximum} is the most" if wanted >= maximum else f"; {minimum} is the least"


class Policy(ABC):
    """What Serve calls ten times a second. Subclasses decide."""

    def __init__(self, minimum: int, maximum: int) -> None:
        self.minimum, self.maximum = minimum, maximum
        # Not above: the controller gets this class by value, and never imports this module.
        LOG.setLevel(logging.INFO)
        self._target: int | None = None
        self._last: ScaleTo | None = None

    def __call__(self, ctx: Any) -> tuple[int, dict[str, Any]]:
        try:
            self._tell(ctx)
            decided = self.decide(ctx)
        except Exception:  # noqa: BLE001 - a raising policy stops every app of the cluster
            self._last = None
            return getattr(ctx, "target_num_replicas", self.minimum), {}
        self._last = decided
        return decided.replicas, {"reason": decided.reason}

    @abstractmethod
    def decide(self, ctx: Any) -> ScaleTo:
        """Raises ValueError while nothing is known."""

    def _tell(self, ctx: Any) -> None:
        """One line per change of the target, which follows from what was decided the time before."""
        target, before = int(ctx.target_num_replicas), self._target
        self._target = target
        if before is None or before == target:
            return
        last = self._last
        reason = last.reason if last is not None and last.replicas == target else "it was deployed with other bounds"
        if target < before:
            reason += f"; for {float(ctx.config.downscale_delay_s):.0f} s fewer were enough"
        LOG.info("%s scales from %d to %d replicas: %s", ctx.deployment_name, before, target, reason)


class DepthPolicy(Policy):
    """`by_depth` of the deepest report: replicas read the same queue at different moments."""

    def __init__(self, per_replica: int, minimum: int, maximum: int) -> None:
        super().__init__(minimum, maximum)
        self.per_replica = per_replica

    def decide(self, ctx: Any) -> ScaleTo:
        reports = (ctx.aggregated_metrics or {}).get("depth") or {}
        return by_depth(max(float(each) for each in reports.values()), self.per_replica, self.minimum, self.maximum)


class CpuPolicy(Policy):
    """`by_cpu` of the replicas that run."""

    def __init__(self, target: float, minimum: int, maximum: int) -> None:
        super().__init__(minimum, maximum)
        self.target = target

    def decide(self, ctx: Any) -> ScaleTo:
        reports = (ctx.aggregated_metrics or {}).get("cpu") or {}
        running, held = int(ctx.current_num_replicas), int(ctx.target_num_replicas)
        return by_cpu(reports, running, held, self.target, self.minimum, self.maximum)
