"""Dashboards in the form of Grafana (schema version 39), and the ConfigMaps that its sidecar reads them from."""

from __future__ import annotations

import json
from typing import Any

from kuberay import names
from kuberay.monitoring.dashboards import DASHBOARDS, Dashboard, Panel

WIDTH, HEIGHT = 24, 8
SOURCE = {"type": "prometheus", "uid": "${source}"}


def document(board: Dashboard) -> dict[str, Any]:
    """What Grafana imports."""
    panels: list[dict[str, Any]] = []
    at = 0
    for title, row in board.rows.items():
        panels.append(
            _placed({"type": "row", "title": title, "collapsed": False, "panels": []}, 0, at, WIDTH, 1, panels)
        )
        at += 1
        across = 4 if len(row) > 2 else 2
        for number, panel in enumerate(row):
            x, y = number % across * (WIDTH // across), at + number // across * HEIGHT
            panels.append(_placed(_panel(panel), x, y, WIDTH // across, HEIGHT, panels))
        at += -(-len(row) // across) * HEIGHT
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": ["content-service"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_source(), _region()]},
        "panels": panels,
    }


def _placed(panel: dict[str, Any], x: int, y: int, w: int, h: int, before: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": len(before) + 1, "gridPos": {"x": x, "y": y, "w": w, "h": h}, **panel}


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.told,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query, "legendFormat": legend, "datasource": SOURCE}
            for number, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}}


def _region() -> dict[str, Any]:
    query = "label_values(ray_content_pool_depth, region)"
    return {
        "name": "region", "label": "Region", "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": "A"},
        "refresh": 2, "includeAll": True, "multi": True, "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


def config_maps() -> list[dict[str, Any]]:
    """One for each dashboard; the label is the one that Grafana's sidecar looks for."""
    return [
        names.manifest(
            "v1", "ConfigMap", f"dashboard-{board.uid}", labels={"grafana_dashboard": "1"},
            data={f"{board.uid}.json": json.dumps(document(board), indent=1) + "\n"},
        )
        for board in DASHBOARDS
    ]  # fmt: skip
