"""The whole way from a spike to nodes and back, on a node for each replica: what `make autoscaling-demo` plays, smaller.

The arithmetic, the decisions and what the log says of them are tested without a cluster in tests/actors/test_scaling.py; how a
pod leaves, in tests/actors/test_drain.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.autoscaling import BOUNDS, play
from bench.autoscaling_picture import draw
from bench.stack import up
from cluster.local.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SPIKE = 2000


def test_a_spike_raises_replicas_and_nodes_and_loses_nothing(tmp_path: Path) -> None:
    bounds = {**BOUNDS, "content-bundler": (1, 4), "content-api": (1, 2)}
    home = tmp_path / "home"
    try:
        # That no bundle was lost or doubled, and that a drained pod left in good order, is asserted in there.
        run = play(home, up(home, ray=False), spike=SPIKE, bounds=bounds)
    finally:
        Stack(home).down()
    assert run.figures["bundles made"] == SPIKE
    for pool, most in (("content-bundler", 4), ("content-api", 2)):
        told = [line for line in run.decisions if line.startswith(f"{pool} scales")]
        assert any(f"to {most} replicas" in line and f"{most} is the most" in line for line in told), told
        assert any("to 1 replicas" in line and "fewer were enough" in line for line in told), told
        assert len(told) == len(set(told))  # each decision once
    assert any("Adding" in line and "content-bundler" in line for line in run.node_events)
    assert any("Removing" in line and "content-bundler" in line for line in run.node_events)
    # What grows is what was asked for: every other pool stays as it is.
    assert {look.state.nodes.get("content-builder", 0) for look in run.looks} == {1}
    assert draw(run).startswith("<svg")
