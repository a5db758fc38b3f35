"""The dead letters: events that could not be taken in, in a stream of their own, each with the reason.

Read and removed by operators alone, over a NATS user of their own (least privilege: the service's own user may add to
them and nothing else), since they hold what the neighbours sent, learners' pseudonyms among it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from cluster import mesh
from cluster.errands import away, errand
from cluster.events import DEAD
from cluster.settings import Settings
from content.errors import ContentError

ANSWER_S = 10.0


@dataclass(frozen=True)
class DeadLetter:
    """`sequence` is its number in the stream; `size_bytes` what the event had, of which `body` may be the beginning."""

    sequence: int
    time: datetime
    subject: str
    reason: str
    problem: dict[str, Any]
    size_bytes: int
    body: bytes

    @property
    def whole(self) -> bool:
        return len(self.body) == self.size_bytes

    def summary(self) -> dict[str, Any]:
        """What a list shows: nothing of the event itself."""
        return {
            "sequence": self.sequence,
            "time": self.time,
            "subject": self.subject,
            "reason": self.reason,
            "title": self.problem.get("title", ""),
            "size_bytes": self.size_bytes,
        }


class DeadLetters:
    """Errors: ContentError `events-unavailable` (retryable), `dead-letter-unknown`."""

    def __init__(self, stream: JetStreamContext) -> None:
        self._stream = stream

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator[DeadLetters]:
        """Raises `events-unavailable` when NATS does not let us in."""
        user, password = settings.nats_dead_letters_user, settings.nats_dead_letters_password
        tls = mesh.context(settings, "nats", user)
        async with errand(settings.nats_url, user, password, ANSWER_S, tls=tls) as stream:
            yield cls(stream)

    async def after(self, sequence: int, limit: int) -> list[DeadLetter]:
        """The next ones behind a sequence (0: from the first), in their order."""
        found: list[DeadLetter] = []
        while len(found) < limit:
            try:
                message = await self._stream.get_msg(DEAD, seq=sequence + 1, subject="dead.>", next=True)
            except NotFoundError:
                break
            except (NatsError, OSError, TimeoutError) as error:
                raise away() from error
            found.append(_letter(message))
            sequence = found[-1].sequence
        return found

    async def get(self, sequence: int) -> DeadLetter:
        try:
            return _letter(await self._stream.get_msg(DEAD, seq=sequence))
        except NotFoundError:
            raise ContentError(
                "dead-letter-unknown", f"There is no dead letter {sequence}.", "See `content-service events dead`."
            ) from None
        except (NatsError, OSError, TimeoutError) as error:
            raise away() from error

    async def remove(self, sequence: int) -> None:
        """Remove one; one that is gone already is no error."""
        try:
            await self._stream.delete_msg(DEAD, sequence)
        except NotFoundError:
            return
        except (NatsError, OSError, TimeoutError) as error:
            if "no message found" in str(error):
                return
            raise away() from error


def _letter(message: RawStreamMsg) -> DeadLetter:
    headers, body = message.headers or {}, message.data or b""
    try:
        problem: Any = json.loads(headers.get("Content-Problem", "{}"))
    except ValueError:
        problem = {}
    assert message.seq is not None and message.time is not None
    return DeadLetter(
        sequence=message.seq,
        time=message.time,
        subject=headers.get("Content-Subject") or (message.subject or "").removeprefix("dead."),
        reason=headers.get("Content-Reason", "unknown"),
        problem=problem if isinstance(problem, dict) else {},
        size_bytes=int(headers.get("Content-Bytes", len(body))),
        body=body,
    )
