"""Fisher's test against sums of whole numbers, bounds, and histograms as Prometheus has them."""

from __future__ import annotations

import math
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.release.statistics import Histogram, wilson, worse_by_chance


def exactly(bad: int, total: int, other_bad: int, other_total: int) -> float:
    """The same by counting all ways to draw, in whole numbers."""
    all_bad, everything = bad + other_bad, total + other_total
    ways = sum(comb(all_bad, k) * comb(everything - all_bad, total - k) for k in range(bad, min(total, all_bad) + 1))
    return float(Fraction(ways, comb(everything, total)))


@given(st.integers(1, 80), st.integers(1, 400), st.data())
def test_the_probability_is_the_share_of_all_ways_to_draw(total: int, other_total: int, data: st.DataObject) -> None:
    bad, other_bad = data.draw(st.integers(0, total)), data.draw(st.integers(0, other_total))
    found = worse_by_chance(bad, total, other_bad, other_total)
    if bad * (total + other_total) <= (bad + other_bad) * total:
        assert found == 1.0, "no more than an even split has"
    else:
        assert found == pytest.approx(exactly(bad, total, other_bad, other_total), rel=1e-8)


@pytest.mark.parametrize("bad", [10_010, 10_200, 10_500])
def test_large_counts_come_out_as_the_normal_distribution_has_them(bad: int) -> None:
    total, other_bad, other_total = 1_000_000, 90_000, 9_000_000
    share = (bad + other_bad) / (total + other_total)
    deviation = math.sqrt(total * share * (1 - share) * other_total / (total + other_total))
    z = (bad - 0.5 - total * share) / deviation
    assert worse_by_chance(bad, total, other_bad, other_total) == pytest.approx(
        math.erfc(z / math.sqrt(2)) / 2, rel=0.2
    )


def test_what_chance_cannot_bring_is_nought() -> None:
    assert worse_by_chance(900_000, 1_000_000, 0, 9_000_000) == 0.0


def test_nothing_seen_says_nothing() -> None:
    assert worse_by_chance(0, 0, 3, 10) == worse_by_chance(3, 10, 0, 0) == worse_by_chance(0, 10, 0, 10) == 1.0
    with pytest.raises(ValueError, match="no counts"):
        worse_by_chance(4, 3, 0, 1)


def test_bounds_of_a_share() -> None:
    # Wilson's interval for 5 of 100 at 95 %: 2.15 % to 11.18 % (Brown, Cai and DasGupta 2001, by their formula).
    assert wilson(5, 100, z=1.96) == pytest.approx((0.0215, 0.1118), abs=2e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(0, 50)
    assert low == 0.0
    assert 0.1 < high < 0.2, "none of fifty is far from never"


def test_a_quantile_is_interpolated_as_prometheus_does() -> None:
    histogram = Histogram.of({0.1: 50.0, 0.2: 90.0, 1.0: 100.0, math.inf: 100.0})
    assert histogram.quantile(0.5) == pytest.approx(0.1)
    assert histogram.quantile(0.7) == pytest.approx(0.15)
    assert histogram.quantile(0.99) == pytest.approx(0.92)
    assert (histogram.bound_of(0.9), histogram.bound_of(0.99), histogram.over(0.2)) == (0.2, 1.0, 10)
    assert Histogram.of({0.1: 0.0, math.inf: 4.0}).quantile(0.99) == 0.1, "beyond the last bound nothing is known"
    assert math.isnan(Histogram().quantile(0.5))


def test_buckets_of_scrapes_at_different_moments_rise_all_the_same() -> None:
    assert Histogram.of({1.0: 7.0, 0.1: 8.0, math.inf: 9.0}).counts == ((0.1, 8), (1.0, 8), (math.inf, 9))
