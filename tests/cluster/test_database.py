"""What an error of Postgres means: something that passes (503, try again), bad input, or a bug of ours."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from cluster.database import translated


@pytest.mark.parametrize(
    "sqlstate",
    [
        "53100",  # disk full
        "53200",  # out of memory
        "53300",  # too many connections
        "57P01",  # shut down by an administrator
        "57P02",  # after a crash
        "57P03",  # starting up
        "57014",  # statement timeout
        "25006",  # read-only
        "25P03",  # idle in a transaction for too long
        "40001",  # serialization
        "40P01",  # deadlock
        "55P03",  # lock timeout
        "58030",  # the disk fails
        "08006",  # the connection was lost
    ],
)
def test_what_passes_by_itself_is_the_databases_absence(sqlstate: str) -> None:
    ours = translated(errors.lookup(sqlstate)("…"))
    assert ours is not None
    assert (ours.code, ours.retryable) == ("database-unavailable", True)
    assert "…" not in str(ours), "nothing of what Postgres said"


def test_a_full_disk_says_so() -> None:
    ours = translated(errors.DiskFull("could not extend file"))
    assert ours is not None
    assert "full" in ours.message


@pytest.mark.parametrize("error", [PoolTimeout("…"), PoolClosed("…"), psycopg.InterfaceError("closed")])
def test_no_connection_is_absence_too(error: Exception) -> None:
    ours = translated(error)
    assert ours is not None
    assert ours.code == "database-unavailable"


@pytest.mark.parametrize("sqlstate", ["22021", "22P05", "22003", "22P02"])
def test_a_value_that_postgres_does_not_take_is_the_callers(sqlstate: str) -> None:
    ours = translated(errors.lookup(sqlstate)("…"))
    assert ours is not None
    assert (ours.code, ours.retryable) == ("value-not-storable", False)


@pytest.mark.parametrize("sqlstate", ["42601", "42P01", "42501", "23503", "23514"])
def test_a_bug_of_ours_stays_one(sqlstate: str) -> None:
    assert translated(errors.lookup(sqlstate)("…")) is None
