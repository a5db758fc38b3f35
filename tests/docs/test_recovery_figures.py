"""The arithmetic of docs/recovery.md is the code's, of the figures that were measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.recovery_estimate import LABELS, RPO_MINUTES, RTO_MINUTES, estimate, measured, table
from cluster.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_is_what_the_figures_give() -> None:
    assert table(estimate(measured())) in (ROOT / "docs" / "recovery.md").read_text()


def test_twice_the_speed_is_half_the_time() -> None:
    slow = measured()
    fast = replace(slow, read=2 * slow.read)
    steps = {each.name: each.minutes for each in estimate(slow)}
    again = {each.name: each.minutes for each in estimate(fast)}
    assert again["log"] == pytest.approx(steps["log"] / 2)
    assert again["rows"] == steps["rows"]
    saved = steps["in all, bucket kept"] - again["in all, bucket kept"]
    assert saved == pytest.approx(steps["log"] - again["log"])


def test_what_is_promised_is_kept() -> None:
    steps = {each.name: each for each in estimate(measured())}
    assert steps["in all, bucket kept"].minutes <= RTO_MINUTES
    assert Settings(event_log_every_s=60).event_log_every_s / 60 <= RPO_MINUTES  # pyright: ignore[reportCallIssue]
    assert len(LABELS) == 9
