"""A NATS connection for one errand: that of a command, or of a job that does one thing as a user of its own.

It does not come back when it breaks, so whoever waits is told at once; what is lost meanwhile shows where a call fails.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import nats
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from pydantic import SecretStr

from cluster.events import quiet
from content.errors import ContentError

AT_ONCE: dict[str, Any] = {
    "connect_timeout": 5, "max_reconnect_attempts": 1, "reconnect_time_wait": 0.1, "allow_reconnect": False,
}  # fmt: skip
"""For `nats.connect`: each server is tried twice, and then it is said that none lets us in. (0 attempts would mean for ever.)"""


def away() -> ContentError:
    """What an operator is told."""
    return ContentError("events-unavailable", "NATS does not answer.", "Try again; check the stack's `status`.", True)


@asynccontextmanager
async def errand(
    url: str,
    user: str,
    password: SecretStr,
    answer_s: float,
    failed: Callable[[], ContentError] = away,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[JetStreamContext]:
    """The streams, as this user may see them. Raises what `failed` gives when NATS does not let us in."""
    try:
        client = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
            url, user=user or None, password=password.get_secret_value() or None,
            error_cb=quiet, tls=tls, **AT_ONCE,
        )  # fmt: skip
    except (NatsError, OSError, TimeoutError) as error:
        raise failed() from error
    try:
        yield client.jetstream(timeout=answer_s)
    finally:
        await client.close()
