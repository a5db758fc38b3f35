"""What `content-service pools` reckons: the bounds of the installation, not those of the table."""

from __future__ import annotations

import pytest

from cluster.settings import Settings
from cluster.topology import BUNDLER
from serve_app import pools


async def full(_: Settings) -> dict[str, int]:
    return {BUNDLER.name: 1_000_000}


def nobody(_: Settings) -> None:
    return None


@pytest.mark.parametrize("bounds", [{}, {BUNDLER.name: (2, 7)}])
def test_what_is_wanted_stays_within_the_bounds_of_the_installation(
    monkeypatch: pytest.MonkeyPatch, bounds: dict[str, tuple[int, int]]
) -> None:
    monkeypatch.setattr(pools, "_depths", full)
    monkeypatch.setattr(pools, "_replicas", nobody)
    settings = Settings(pool_bounds=bounds, profile="production")
    (row,) = [row for row in pools.read(settings) if row["pool"] == BUNDLER.name]
    most = bounds.get(BUNDLER.name, (0, BUNDLER.maximum))[1]
    assert (row["wanted"], row["replicas"]) == (most, "?")
    assert row["why"].endswith(f"at most {most}")
