"""The numbers of a process outside Ray, as text for Prometheus: plain uvicorn, and jobs of operators.

In Ray a node's agent tells the numbers of all its processes. Elsewhere they are kept here, under the same names and with the
label `WorkerId` that Ray would add, so that a query need not know where a number comes from. Nothing is kept before `tell`
was called, and nothing is served but `GET /metrics` on the port that was chosen.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.telemetry.metrics import Metric

WORKER = "WorkerId"
_kept: list[Exposition] = []


def tell(port: int, address: str = "0.0.0.0") -> Exposition:  # noqa: S104 - Prometheus scrapes from another pod
    """Keep this process's numbers from now on and serve them; 0 chooses a free port. A second call returns the first's."""
    if not _kept:
        _kept.append(Exposition(port, address))
    return _kept[0]


def kept() -> Exposition | None:
    """Where numbers go in this process; None where nobody asked for them."""
    return _kept[0] if _kept else None


class Exposition:
    """A registry and the small server in front of it."""

    def __init__(self, port: int, address: str) -> None:
        from prometheus_client import CollectorRegistry, start_http_server

        self._registry = CollectorRegistry()
        self._worker = secrets.token_hex(14)
        server, _ = start_http_server(port, address, self._registry)
        self.port = int(server.server_address[1])

    def made(self, metric: Metric) -> _Kept:
        """The place of one number; to be asked for once."""
        from prometheus_client import Counter, Gauge, Histogram

        labels = (*metric.labels, WORKER)
        name = f"ray_{metric.name}"
        if metric.kind == "histogram":
            found: Any = Histogram(name, metric.help, labels, registry=self._registry, buckets=metric.bounds)
        else:
            found = {"gauge": Gauge, "counter": Counter}[metric.kind](
                name, metric.help, labels, registry=self._registry
            )
        return _Kept(found, self._worker)


class _Kept:
    """What `ray.util.metrics` has for a number, by the same names."""

    def __init__(self, made: Any, worker: str) -> None:
        self._made, self._worker = made, worker

    def set(self, value: float, labels: Mapping[str, str]) -> None:
        self._of(labels).set(value)

    def inc(self, amount: float, labels: Mapping[str, str]) -> None:
        self._of(labels).inc(amount)

    def observe(self, value: float, labels: Mapping[str, str]) -> None:
        self._of(labels).observe(value)

    def _of(self, labels: Mapping[str, str]) -> Any:
        return self._made.labels(**labels, **{WORKER: self._worker})
