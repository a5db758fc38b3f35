"""Alerts and dashboards ask for numbers that there are, in Prometheus' language, and each alert leads to its page.

That Ray's own numbers have these names too is shown on a running stack: tests/stack/test_watched.py.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from cluster.telemetry.metrics import METRICS
from kuberay.monitoring import grafana, rules
from kuberay.monitoring.alerts import ALERTS, Alert
from kuberay.monitoring.dashboards import DASHBOARDS, Dashboard

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs/runbooks"
SECTIONS = ["What it means", "Look", "Do", "Check"]
OURS = {
    name
    for metric in METRICS
    for name in (
        [metric.exported + end for end in ("_count", "_sum", "_bucket")]
        if metric.kind == "histogram"
        else [metric.exported]
    )
}
RAYS = {
    "ray_serve_deployment_replica_healthy",
    "ray_serve_autoscaling_target_replicas",
    "autoscaler_pending_nodes",
}
"""Numbers of Ray that are asked for: tests/stack/test_watched.py finds them in a running stack."""


def queries() -> Iterator[tuple[str, str]]:
    for alert in ALERTS:
        yield alert.name, alert.expression
    for board in DASHBOARDS:
        for row in board.rows.values():
            for panel in row:
                for query in panel.queries.values():
                    yield (
                        f"{board.uid}: {panel.title}",
                        query.replace("$__rate_interval", "5m").replace("$region", "eu"),
                    )


def selectors(node: Any) -> Iterator[Any]:
    """Every vector selector below a node."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, name, None)
        if child is not None:
            yield from selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from selectors(child)


@pytest.mark.parametrize(("where", "query"), [pytest.param(*each, id=each[0]) for each in queries()])
def test_a_query_is_one_and_asks_for_what_there_is(where: str, query: str) -> None:
    asked = {found.name for found in selectors(promql_parser.parse(query))}
    # The tree names them all: nothing that looks like a number of ours or Ray's is left over in the text.
    assert asked >= set(re.findall(r"\b(?:ray_|autoscaler_)\w+", query)), where
    assert asked <= OURS | RAYS, where


def test_labels_that_are_matched_or_kept_are_told() -> None:
    known = {
        f"{metric.exported}{end}": {*metric.labels} for metric in METRICS for end in ("", "_count", "_bucket", "_sum")
    }
    given = {"region", "track", "le", "deployment"}  # by scraping, by Prometheus, by Serve
    for where, query in queries():
        for found in selectors(promql_parser.parse(query)):
            matched = {matcher.name for matcher in found.matchers.matchers}
            assert matched <= known.get(str(found.name), set()) | given, where


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_has_its_page(alert: Alert) -> None:
    text = (RUNBOOKS / f"{alert.runbook}.md").read_text()
    assert f"`{alert.name}`" in text
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [title for title in found if title in SECTIONS] == SECTIONS


def test_every_label_of_a_summary_is_kept_by_its_expression() -> None:
    for alert in ALERTS:
        kept = {name.strip() for group in re.findall(r"by \(([^)]*)\)", alert.expression) for name in group.split(",")}
        if "absent" in alert.expression:
            kept |= set(re.findall(r'(\w+)="', alert.expression))
        assert set(re.findall(r"\$labels\.(\w+)", alert.summary)) <= kept, alert.name


def test_names_are_unique_and_severities_known() -> None:
    assert len({alert.name for alert in ALERTS}) == len({alert.runbook for alert in ALERTS}) == len(ALERTS)
    assert len({board.uid for board in DASHBOARDS}) == len(DASHBOARDS)


def test_every_number_of_ours_is_looked_at() -> None:
    asked = {str(found.name) for _, query in queries() for found in selectors(promql_parser.parse(query))}
    unseen = [m.name for m in METRICS if not {m.exported, m.exported + "_count", m.exported + "_bucket"} & asked]
    assert unseen == [] or set(unseen) <= {
        "content_database_waits", "content_database_wait_seconds",  # the gauges beside them say it sooner
        "content_publish_failures",  # seen by what waits in the outbox
        "content_batch_seconds", "content_batch_bundles", "content_event_log_changes",
    }, unseen  # fmt: skip


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.uid)
def test_a_dashboard_is_laid_out_without_overlap(board: Dashboard) -> None:
    panels = grafana.document(board)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for grid in [panel["gridPos"]]
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < grafana.WIDTH
    assert all(panel.get("description") for panel in panels if panel["type"] != "row")


def test_the_config_maps_hold_what_grafana_imports() -> None:
    for made in grafana.config_maps():
        (text,) = made["data"].values()
        assert json.loads(text)["schemaVersion"] == 39
        assert len(text) < 1_000_000, "a ConfigMap holds no more"


def test_promtool_agrees_where_it_is_installed(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed here; the queries are parsed by promql-parser above")
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": rules.groups()}))
    subprocess.run([promtool, "check", "rules", str(file)], check=True)


def test_the_index_of_the_runbooks_has_every_alert() -> None:
    index = (RUNBOOKS / "README.md").read_text()
    for alert in ALERTS:
        title = (RUNBOOKS / f"{alert.runbook}.md").read_text().partition("\n")[0].removeprefix("# ")
        assert f"| [{alert.name}]({alert.runbook}.md) | {alert.severity} | {title} |" in index


def test_no_label_of_ours_is_one_that_scraping_adds() -> None:
    for metric in METRICS:
        assert not {"region", "track", "pod", "job", "instance"} & {*metric.labels}, metric.name
