"""The arithmetic of docs/recovery.md is the code's, of the figures that were measured."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from bench.recovery_estimate import FASTER, LABELS, RPO_MINUTES, RTO_MINUTES, Rates, estimate, measured, written

ROOT = Path(__file__).resolve().parents[2]


def test_the_tables_are_what_the_figures_give() -> None:
    page = (ROOT / "docs" / "recovery.md").read_text()
    assert written(page, measured()) == page
    other = written(page, replace(measured(), read=1.0, drilled=17.0))
    assert "17 bundles" in other and len(other.splitlines()) == len(page.splitlines())
    assert set(LABELS) == {each.name for each in fields(Rates)}


def test_twice_the_speed_is_half_the_time() -> None:
    slow = measured()
    fast = replace(slow, read=2 * slow.read)
    steps = {each.name: each.minutes for each in estimate(slow)}
    again = {each.name: each.minutes for each in estimate(fast)}
    assert again["log"] == pytest.approx(steps["log"] / 2)
    assert again["rows"] == steps["rows"]
    saved = steps["**in all, bucket kept**"] - again["**in all, bucket kept**"]
    assert saved == pytest.approx(steps["log"] - again["log"])


def test_a_larger_database_does_not_shorten_what_the_restore_computes() -> None:
    own = {each.name: each.minutes for each in estimate(replace(measured(), rows_own=1.0))}
    others = {each.name: each.minutes for each in estimate(replace(measured(), rows_own=0.0))}
    assert own["rows"] == pytest.approx(FASTER * others["rows"])


def test_a_log_that_is_outrun_is_told() -> None:
    steps = {each.name: each.minutes for each in estimate(replace(measured(), archived=1.0))}
    assert steps["**lost for good**"] > RPO_MINUTES


def test_what_is_promised_is_kept() -> None:
    steps = {each.name: each for each in estimate(measured())}
    assert steps["**in all, bucket kept**"].minutes <= RTO_MINUTES
    assert steps["**lost for good**"].minutes <= RPO_MINUTES
