from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.amounts import BYTES, MOST, RATE, parse_bytes, parse_rate


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1), ("200000 B", 200_000), ("200MB", 200_000_000), ("200 MB", 200_000_000), ("200MiB", 200 << 20),
        ("1.5GB", 1_500_000_000), ("0.5kB", 500), ("1.001kB", 1001), ("1TiB", 1 << 40), ("9999999TB", MOST),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "0", "0MB", "-1", "1.5", "200 mb", "200M", "1e9", "٢MB", "1,5GB", "1.2345GB", " 1", "1\n", "1MB/s"]
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="200MB"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("text", "rate"), [("64000", 64_000), ("800kbit/s", 800_000), ("1.5 Mbit", 1_500_000), ("1Gbit/s", 10**9)]
)
def test_rates(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "1MB/s", "1mbit", "fast"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match=r"1\.5Mbit"):
        parse_rate(text)


@given(st.from_regex(BYTES, fullmatch=True).filter(lambda text: not text.endswith("\n")))
def test_every_text_of_the_pattern_is_a_size(text: str) -> None:
    """The pattern stands in the OpenAPI document."""
    assert 0 < parse_bytes(text) <= MOST


@given(st.from_regex(RATE, fullmatch=True).filter(lambda text: not text.endswith("\n")))
def test_every_text_of_the_pattern_is_a_rate(text: str) -> None:
    assert 0 < parse_rate(text) <= MOST
