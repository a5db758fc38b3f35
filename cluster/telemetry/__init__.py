"""What operators see of a process: log lines, spans and numbers. Every process calls `begin` once, first thing.

Before `begin` (and in programs that never call it) spans and metrics cost nothing and do nothing. No line, span or number
holds a secret or a person: docs/telemetry.md says what may stand in them.
"""

from __future__ import annotations

from cluster.settings import Settings
from cluster.telemetry import logs, traces
from cluster.telemetry.logs import bound, describe
from cluster.telemetry.redaction import hide
from cluster.telemetry.traces import Span, span, traceparent

__all__ = ["Span", "begin", "bound", "describe", "hide", "span", "traceparent"]

_begun: list[str] = []


def begin(service: str, settings: Settings) -> None:
    """Configure this process as `service` (a pool's name, say); only the first call counts."""
    if _begun:
        return
    _begun.append(service)
    logs.configure(service, settings)
    traces.configure(service, settings)
