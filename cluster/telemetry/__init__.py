"""What operators see of a process: log lines, spans and numbers. Every process calls `begin` once, first thing.

Before `begin` (and in programs that never call it) spans and metrics cost nothing and do nothing. No line, span or number
holds a secret or a person: docs/telemetry.md says what may stand in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.settings import Settings
from cluster.telemetry import exposition, logs, traces
from cluster.telemetry.logs import bound, describe
from cluster.telemetry.metrics import Metric
from cluster.telemetry.redaction import hide
from cluster.telemetry.traces import Span, SpanKind, span, traceparent

__all__ = ["Span", "SpanKind", "begin", "bound", "calling", "describe", "hide", "span", "traceparent", "track"]

_begun: list[str] = []
_track: list[str] = []


def begin(service: str, settings: Settings) -> None:
    """Configure this process as `service` (a pool's name, say); only the first call counts."""
    if _begun:
        return
    _begun.append(service)
    _track[:] = [settings.release_track]
    if settings.metrics_port:
        exposition.tell(settings.metrics_port)
    logs.configure(service, settings)
    traces.configure(service, settings)


def track() -> str:
    """Which of two releases side by side this process is of: `stable`, `canary`, or empty."""
    return _track[0] if _track else ""


@contextmanager
def calling(metric: Metric, **labels: str) -> Iterator[None]:
    """A call to another part: its time under `metric`, and a span where it is part of a trace already (a pool's own thread
    is not: it would begin a trace for each call)."""
    with metric.timed(**labels):
        if not traces.ids():
            yield
            return
        with span(f"{metric.subject} {' '.join(labels.values())}", kind=SpanKind.CLIENT):
            yield
