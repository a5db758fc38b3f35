"""The newest messages of a stream, read backwards: what NATS has that a database which was set back may not know.

Errors: ContentError `events-unavailable` (retryable).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from cluster import mesh
from cluster.errands import away, errand
from cluster.settings import Settings

ANSWER_S = 10.0


@dataclass(frozen=True)
class Said:
    """A message as it lies in the stream; `id` is what it was published under (for ours, the id of its outbox row)."""

    sequence: int
    time: datetime
    subject: str
    id: str
    body: bytes


class StreamTail:
    """Reads messages one by one; for hundreds of them, not for millions."""

    def __init__(self, stream: JetStreamContext) -> None:
        self._stream = stream

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator[StreamTail]:
        user, password = settings.nats_user, settings.nats_password
        tls = mesh.context(settings, "nats", user)
        async with errand(settings.nats_url, user, password, ANSWER_S, tls=tls) as stream:
            yield cls(stream)

    async def back(self, stream: str, since: datetime) -> AsyncIterator[Said]:
        """From the newest message to the first that is not older than `since`."""
        try:
            state = (await self._stream.stream_info(stream)).state
            for sequence in range(state.last_seq, max(state.first_seq, 1) - 1, -1):
                try:
                    message = await self._stream.get_msg(stream, seq=sequence)
                except NotFoundError:  # removed since
                    continue
                assert message.time is not None
                if message.time < since:
                    return
                headers = message.headers or {}
                name = str(headers.get("Nats-Msg-Id", ""))
                yield Said(sequence, message.time, message.subject or "", name, message.data or b"")
        except (NatsError, OSError, TimeoutError) as error:
            raise away() from error
