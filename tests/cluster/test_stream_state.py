"""When a stream has lost what it acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cluster.events import StreamState

THEN = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC)
NOTED = StreamState(THEN, 500)


@pytest.mark.parametrize(
    ("found", "lost"),
    [
        (NOTED, False),
        (StreamState(THEN, 501), False),
        (StreamState(THEN, 499), True),
        (StreamState(THEN + timedelta(seconds=1), 500), True),
        (StreamState(THEN + timedelta(seconds=1), 9000), True),
    ],
)
def test_made_anew_or_set_back_means_lost(found: StreamState, lost: bool) -> None:
    assert found.lost_since(NOTED) is lost
