"""Mutations of both tables: a short run always, a longer one among the slow tests. See `fuzz_zips`."""

from __future__ import annotations

import pytest

from tests.content.scorm.fuzz_zips import run


def test_broken_zips_are_refused_or_read():
    done, taken, _ = run(7, count=2000)
    assert done == 2000
    assert 0 < taken < done


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [11, 12])
def test_many_broken_zips_are_refused_or_read(seed: int):
    done, taken, slowest = run(seed, count=60_000)
    assert 0 < taken < done
    assert slowest < 10  # seconds for 40 kB; none comes near
