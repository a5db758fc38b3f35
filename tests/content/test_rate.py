"""Budgets of requests: what is allowed in a minute, and that leasing it in chunks does not allow more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.origins import is_origin
from content.rate import WINDOW_S, chunk, lease


def test_a_full_budget_is_spent_at_once_and_refills_evenly() -> None:
    first = lease(0.0, 1000.0, per_minute=60, most=100)
    assert (first.tokens, first.left, first.wait_s) == (60, 0, 0.0)
    refused = lease(first.spent_until, 1000.0, per_minute=60, most=1)
    assert (refused.tokens, refused.spent_until) == (0, first.spent_until)
    assert refused.wait_s == pytest.approx(1.0)
    later = lease(first.spent_until, 1010.0, per_minute=60, most=100)
    assert later.tokens == 10


@given(
    per_minute=st.integers(1, 100_000),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 200)), max_size=40),
)
def test_never_more_than_the_budget_and_what_refilled(per_minute: int, steps: list[tuple[float, int]]) -> None:
    now, spent_until, taken = 1_000.0, 0.0, 0
    for passed, most in steps:
        now += passed
        found = lease(spent_until, now, per_minute=per_minute, most=most)
        assert 0 <= found.tokens <= most and found.left >= 0
        assert (found.tokens == 0) == (found.wait_s > 0)
        if found.tokens == 0:
            assert lease(spent_until, now + found.wait_s + 1e-6, per_minute=per_minute, most=1).tokens == 1
        taken, spent_until = taken + found.tokens, found.spent_until
        assert taken <= per_minute + (now - 1_000.0) * per_minute / WINDOW_S + 1


def test_a_chunk_is_a_second_of_it() -> None:
    assert [chunk(n) for n in (1, 59, 60, 6000, 10**7)] == [1, 1, 1, 100, 100]


@pytest.mark.parametrize("text", ["https://learn.example", "https://a-b.c1.example:8443", "https://localhost"])
def test_an_origin_is_what_a_browser_sends(text: str) -> None:
    assert is_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        "*", "null", "", "http://learn.example", "https://learn.example/", "https://learn.example/x",
        "https://Learn.example", "https://*.example", "https://u@learn.example", "https://learn.example:0",
        "https://learn.example:443", "https://learn.example:99999", "https://-a.example", "https://a..b",
        "https://learn.example\n", "https://" + "a" * 300,
    ],
)  # fmt: skip
def test_anything_else_is_none(text: str) -> None:
    assert not is_origin(text)
