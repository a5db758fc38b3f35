"""Finding and removing messages on the streams that name a learner, over a NATS user that may do nothing else.

Streams keep what was said for months, so an erasure has to take single messages out of them; the server overwrites what it
removes. A stream that this user may not touch (the neighbours' own, in production) is left to whoever owns it: they hear of the
erasure by its event. One that only does not answer is asked again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from cluster import mesh
from cluster.errands import errand
from cluster.events import DEAD, DOMAIN, OURS
from cluster.settings import Settings
from content.errors import ContentError

ANSWER_S = 5.0
CUT = ""
"""Under this name a message that is no JSON object (a dead letter may have been cut) is handed on as text."""
NAMING = {DOMAIN: "enrollment.>", OURS: "content.play_package.bundle.>", DEAD: "dead.>"}
"""What to look through: the subjects on each stream whose messages may name a learner."""


class Erasing:
    """Errors: ContentError `events-unavailable` (retryable)."""

    def __init__(self, stream: JetStreamContext) -> None:
        self._stream = stream

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator[Erasing]:
        user, password = settings.nats_erasure_user, settings.nats_erasure_password
        tls = mesh.context(settings, "nats", user)
        async with errand(settings.nats_url, user, password, ANSWER_S, _away, tls) as stream:
            yield cls(stream)

    async def end(self, stream: str) -> int | None:
        """The newest message's number; None for a stream that is not there, or (of our own there is none such) that the server
        told us not to look at."""
        try:
            return (await self._stream.stream_info(stream)).state.last_seq
        except NotFoundError:
            return None
        except TimeoutError as error:  # what we may not ask is never answered; nor is it while a stream has no leader
            if stream not in (OURS, DEAD) and self._refused(stream):
                return None
            raise _away() from error
        except (NatsError, OSError) as error:
            raise _away() from error

    def _refused(self, stream: str) -> bool:
        """Whether the last thing that the server complained of was our asking for this stream."""
        said = str(self._stream._nc.last_error).lower()  # pyright: ignore[reportPrivateUsage] - it has no other name
        return "permissions violation" in said and f"stream.info.{stream}".lower() in said

    async def remove(
        self, stream: str, names: Callable[[dict[str, Any]], bool], *, after: int, until: int, most: int
    ) -> tuple[int, int]:
        """Look through up to `most` messages behind number `after`, and no further than `until`; remove those of which `names`
        holds. Returns (how many were removed, the number of the last one looked at)."""
        removed, at = 0, after
        for _ in range(most):
            try:
                found = await self._stream.get_msg(stream, seq=at + 1, subject=NAMING[stream], next=True)
            except NotFoundError:
                return removed, until
            except (NatsError, OSError, TimeoutError) as error:
                raise _away() from error
            assert found.seq is not None
            if found.seq > until:
                return removed, until
            at = found.seq
            if names(_read(found.data or b"")):
                removed += await self._delete(stream, at)
        return removed, at

    async def _delete(self, stream: str, sequence: int) -> int:
        try:
            return int(await self._stream.delete_msg(stream, sequence))
        except NotFoundError:
            return 0
        except APIError as error:
            if "no message found" in str(error):
                return 0
            raise _away() from error
        except (NatsError, OSError, TimeoutError) as error:
            raise _away() from error


def _read(body: bytes) -> dict[str, Any]:
    """A message as a JSON object, or as its text."""
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {CUT: body.decode("utf-8", "replace")}


def _away() -> ContentError:
    return ContentError("events-unavailable", "NATS does not answer.", "Try again.", True)
