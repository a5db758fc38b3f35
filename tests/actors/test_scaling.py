"""The policies: an HPA's arithmetic, total whatever they are given; and what the log says of their decisions."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.serve.config import AutoscalingPolicy

from actors.cpu import CpuMeter
from actors.scaling import LOG, CpuPolicy, DepthPolicy, by_cpu
from cluster.topology import API, BUNDLER, POOLS

NOISE = st.recursive(st.none() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner))


class Told(logging.Handler):
    """What is said to that logger, whoever else listens to it or not."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def told() -> Iterator[list[str]]:
    handler = Told()
    LOG.addHandler(handler)
    yield handler.lines
    LOG.removeHandler(handler)


def context(metrics: Any, target: int = 7, running: int | None = None) -> Any:
    return SimpleNamespace(
        aggregated_metrics=metrics,
        target_num_replicas=target,
        current_num_replicas=target if running is None else running,
        deployment_name="content-bundler",
        config=SimpleNamespace(downscale_delay_s=300.0),
    )


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


@given(NOISE | st.fixed_dictionaries({"depth": NOISE, "cpu": NOISE}))
def test_never_raises(metrics: Any) -> None:
    # A policy that raises freezes every application of the cluster.
    for policy in (DepthPolicy(200, 3, 50), CpuPolicy(0.6, 3, 50)):
        wanted, _ = policy(context(metrics))
        assert 3 <= wanted <= 50


@pytest.mark.parametrize("policy", [DepthPolicy(200, 3, 50), CpuPolicy(0.6, 3, 20)])
def test_a_context_that_is_none_at_all(policy: Any) -> None:
    assert policy(None)[0] == 3
    assert policy(SimpleNamespace(target_num_replicas=5))[0] == 5


@pytest.mark.parametrize(
    ("shares", "running", "wanted"),
    [
        ([0.6, 0.6, 0.6], 3, 3),
        ([0.65, 0.65, 0.65], 3, 3),  # within an HPA's tolerance
        ([1.2, 1.2, 1.2], 3, 6),
        ([4.0, 4.0, 4.0], 3, 20),
        ([0.1] * 10, 10, 3),
        ([0.3] * 10, 10, 5),
        ([1.2, 1.2, 1.2], 6, 6),  # three that say nothing yet may be idle
        ([0.1] * 3, 6, 6),  # or as busy as can be
        ([float("nan"), 1.2], 2, 3),  # reported, but no number: as if silent
    ],
)
def test_cpu_as_an_hpa_reckons(shares: list[float], running: int, wanted: int) -> None:
    reports = {str(n): share for n, share in enumerate(shares)}
    assert CpuPolicy(0.6, API.minimum, API.maximum)(context({"cpu": reports}, running, running))[0] == wanted


@given(
    shares=st.lists(st.floats(0, 4), min_size=1, max_size=20),
    silent=st.integers(0, 20),
    held=st.integers(3, 20),
)
def test_what_is_unknown_never_turns_the_direction(shares: list[float], silent: int, held: int) -> None:
    running = len(shares) + silent
    wanted = by_cpu(dict(enumerate(shares)), running, held, 0.6, 1, 1000).replicas
    if sum(shares) / len(shares) > 0.6:
        assert wanted >= min(running, held)
    else:
        assert wanted <= max(running, held)


def test_the_log_says_each_decision_once(told: list[str]) -> None:
    policy = DepthPolicy(200, 3, 50)
    for target, depth in [(3, 0), (3, 0), (3, 2745), (14, 2745), (14, 2600), (14, 100), (14, 0), (3, 0), (3, 0)]:
        policy(context({"depth": {"a": depth}}, target))
    assert told == [
        "content-bundler scales from 3 to 14 replicas: 2745 wait or run, 200 for each replica",
        "content-bundler scales from 14 to 3 replicas: 0 wait or run, 200 for each replica; 3 is the least; "
        "for 300 s fewer were enough",
    ]


def test_the_controller_lets_these_lines_through(monkeypatch: pytest.MonkeyPatch) -> None:
    # It writes its own from warnings on, and has this class by value: nothing that its module did is done there.
    monkeypatch.setattr(LOG, "level", logging.NOTSET)
    monkeypatch.setattr(logging.getLogger("ray.serve"), "level", logging.WARNING)
    LOG.manager._clear_cache()  # pyright: ignore[reportAttributeAccessIssue]
    assert not LOG.isEnabledFor(logging.INFO)
    CpuPolicy(0.6, 3, 20)
    assert LOG.isEnabledFor(logging.INFO)


CONTROLLER = """
import sys
from types import SimpleNamespace
from ray import cloudpickle
from ray.serve._private.logging_utils import configure_component_logger
from ray.serve.schema import LoggingConfig
quiet = LoggingConfig(encoding="JSON", log_level="WARNING", enable_access_log=False, logs_dir=sys.argv[2])
configure_component_logger(
    component_name="controller", component_id="1", logging_config=quiet, max_bytes=1 << 20, backup_count=1
)
policy = cloudpickle.loads(open(sys.argv[1], "rb").read())(per_replica=200, minimum=1, maximum=6)
assert "actors.scaling" not in sys.modules, "then this test shows nothing"
for target in (1, 1, 6, 6):
    policy(SimpleNamespace(
        aggregated_metrics={"depth": {"a": 6000}}, target_num_replicas=target, current_num_replicas=target,
        deployment_name="content-bundler", config=SimpleNamespace(downscale_delay_s=300.0),
    ))
"""


def test_a_decision_is_in_the_controllers_log(tmp_path: Path) -> None:
    """As Serve has it: the policy by value, in a process that never imports its module, logging from warnings on."""
    policy = AutoscalingPolicy(
        policy_function=DepthPolicy, policy_kwargs={"per_replica": 200, "minimum": 1, "maximum": 6}
    )
    (tmp_path / "policy").write_bytes(policy._serialized_policy_def)
    argv = [sys.executable, "-c", CONTROLLER, str(tmp_path / "policy"), str(tmp_path / "logs")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    (log,) = (tmp_path / "logs").glob("controller*.log")
    told = [json.loads(line)["message"] for line in log.read_text().splitlines()]
    assert told == [
        "content-bundler scales from 1 to 6 replicas: 6000 wait or run, 200 for each replica; 6 is the most"
    ]


def test_a_target_that_nobody_decided_is_told_as_such(told: list[str]) -> None:
    policy = CpuPolicy(0.6, 3, 20)
    for metrics, target in [({"cpu": {"a": 0.6}}, 3), ({}, 3), ({}, 5)]:
        policy(context(metrics, target))
    assert told == ["content-bundler scales from 3 to 5 replicas: it was deployed with other bounds"]


def test_the_meter_tells_shares_of_the_request() -> None:
    used, now = [10.0], [100.0]
    meter = CpuMeter(0.5, lambda: used[0], lambda: now[0])
    assert meter.share() == 0.0
    used[0], now[0] = 11.0, 102.0
    assert meter.share() == pytest.approx(1.0)
    now[0] = 102.1  # too short to say anything: the same again
    assert meter.share() == pytest.approx(1.0)
    now[0] = 104.0
    assert meter.share() == 0.0


@pytest.mark.parametrize(("limit", "own"), [("200000 100000", True), ("max 100000", False), ("400000 100000", False)])
def test_the_group_counts_where_it_is_the_pods(tmp_path: Any, limit: str, own: bool) -> None:
    (tmp_path / "cpu.max").write_text(limit + "\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 5000000\nuser_usec 1\n")
    meter = CpuMeter.of(API, tmp_path)
    assert (meter._used() == 5.0) is own


@pytest.mark.parametrize("pool", POOLS)
@given(depth=st.floats(min_value=0, max_value=1e12))
def test_stays_within_the_table(pool: Any, depth: float) -> None:
    assert pool.minimum <= pool.wanted(depth) <= pool.maximum
