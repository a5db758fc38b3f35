"""The newest messages of a stream, read backwards: what NATS has that a database which was set back may not know.

Errors: ContentError `events-unavailable` (retryable).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import nats
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from cluster.settings import Settings
from content.errors import ContentError

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
        try:
            client = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
                settings.nats_url,
                user=settings.nats_user or None,
                password=settings.nats_password.get_secret_value() or None,
                connect_timeout=5,
                max_reconnect_attempts=0,
                allow_reconnect=False,
            )
        except (NatsError, OSError, TimeoutError) as error:
            raise _away() from error
        try:
            yield cls(client.jetstream(timeout=ANSWER_S))
        finally:
            await client.close()

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
            raise _away() from error


def _away() -> ContentError:
    return ContentError("events-unavailable", "NATS does not answer.", "Try again; check the stack's `status`.", True)
