"""How much CPU a replica uses, as a share of what its pod requests: what an HPA's utilisation is.

An HPA counts the whole container, Ray's own processes of the node included. So does this where the control group it sees is
the pod's own, which its limit tells; elsewhere (several replicas on one machine) it counts its own process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from cluster.topology import Pool

GROUP = Path("/sys/fs/cgroup")
LEAST_S = 0.2
"""Shorter spans say nothing: what was said last holds."""


class CpuMeter:
    """Share of the request that was used since it was asked last. `used` counts CPU seconds, `clock` the others."""

    def __init__(self, request_cores: float, used: Callable[[], float], clock: Callable[[], float]) -> None:
        self._request, self._used, self._clock = request_cores, used, clock
        self._before, self._at, self._said = used(), clock(), 0.0

    @classmethod
    def of(cls, pool: Pool, group: Path = GROUP) -> CpuMeter:
        """The meter of this process' pod."""
        used = (lambda: _group_s(group)) if _limit_cores(group) == pool.cpu_limit / 1000 else time.process_time
        return cls(pool.cpu_request / 1000, used, time.monotonic)

    def share(self) -> float:
        """0 is idle, 1 is the whole request; up to limit / request."""
        used, now = self._used(), self._clock()
        if now - self._at >= LEAST_S:
            self._said = max(0.0, used - self._before) / (now - self._at) / self._request
            self._before, self._at = used, now
        return self._said


def _limit_cores(group: Path) -> float | None:
    """The limit of this control group (version 2), None where there is none to be seen."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _group_s(group: Path) -> float:
    """CPU seconds of the whole group."""
    first, _, value = (group / "cpu.stat").read_text().partition("\n")[0].partition(" ")
    return int(value) / 1e6 if first == "usage_usec" else 0.0
