"""The alerts in the form of Prometheus: rule groups, and the PrometheusRule that its operator reads."""

from __future__ import annotations

from typing import Any

from kuberay import names
from kuberay.monitoring.alerts import ALERTS, Alert

RUNBOOKS = "https://docs.example/content-service/runbooks"
"""Where the installation publishes docs/runbooks; an overlay may put its own address there."""


def groups() -> list[dict[str, Any]]:
    return [{"name": "content-service", "interval": "30s", "rules": [_rule(alert) for alert in ALERTS]}]


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": alert.for_,
        "labels": {"severity": alert.severity, "service": "content-service"},
        "annotations": {"summary": alert.summary, "runbook_url": f"{RUNBOOKS}/{alert.runbook}"},
    }


def rule() -> dict[str, Any]:
    """As one object of the Prometheus operator."""
    return names.manifest(
        "monitoring.coreos.com/v1", "PrometheusRule", "content-service",
        labels={"role": "alert-rules"}, spec={"groups": groups()},
    )  # fmt: skip
