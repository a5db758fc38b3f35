"""The depth policy: an HPA's arithmetic, and total whatever it is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.scaling import DepthPolicy
from cluster.topology import BUNDLER, POOLS


def context(metrics: Any, target: int = 7) -> Any:
    return SimpleNamespace(aggregated_metrics=metrics, target_num_replicas=target)


@pytest.mark.parametrize(
    ("depth", "wanted"), [(0, 3), (1, 3), (600, 3), (601, 4), (1000, 5), (10_000, 50), (1_000_000, 50)]
)
def test_wants_what_an_hpa_wants(depth: float, wanted: int) -> None:
    policy = DepthPolicy(200, 3, 50)
    assert policy(context({"depth": {"replica": depth}}))[0] == wanted == BUNDLER.wanted(depth)


@pytest.mark.parametrize("metrics", [None, {}, {"depth": {}}, {"cpu": {"a": 1.0}}])
def test_holds_while_nothing_is_known(metrics: Any) -> None:
    assert DepthPolicy(200, 3, 50)(context(metrics))[0] == 7


def test_the_deepest_report_counts() -> None:
    # Replicas read the same queue at different moments.
    assert DepthPolicy(10, 1, 50)(context({"depth": {"a": 5, "b": 95.0}}))[0] == 10


@given(st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_never_raises(metrics: Any) -> None:
    # A policy that raises freezes every application of the cluster.
    wanted, _ = DepthPolicy(200, 3, 50)(context(metrics))
    assert wanted == 7 or 3 <= wanted <= 50


@pytest.mark.parametrize("pool", POOLS)
@given(depth=st.floats(min_value=0, max_value=1e12))
def test_stays_within_the_table(pool: Any, depth: float) -> None:
    assert pool.minimum <= pool.wanted(depth) <= pool.maximum
