"""An errand to NATS that nobody takes is over at once: a command, or a job that is tried again, says so."""

from __future__ import annotations

import asyncio
import socket

import pytest
from nats.errors import Error as NatsError
from pydantic import SecretStr

from cluster.errands import errand
from cluster.streams import ensure_streams
from content.errors import ContentError


@pytest.fixture
def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"nats://127.0.0.1:{found.getsockname()[1]}"


async def test_a_server_that_is_away_is_told_at_once(nobody: str) -> None:
    async with asyncio.timeout(60):
        with pytest.raises(ContentError) as refused:
            async with errand(nobody, "content", SecretStr("x"), 5.0):
                pytest.fail("nobody is there")
    assert (refused.value.code, refused.value.retryable) == ("events-unavailable", True)


async def test_streams_that_cannot_be_made_are_told_at_once(nobody: str) -> None:
    async with asyncio.timeout(60):
        with pytest.raises(NatsError):
            await ensure_streams(nobody, "operator", "x")
