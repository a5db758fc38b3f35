"""NATS JetStream: one connection of a process, publishing with acknowledgement, and pulling in batches.

Traps, measured: a pull is not issued again after a reconnect and an outage looks like an empty queue, so fetches are
short and `connected` is asked; a publish that timed out may still arrive, so it is sent again under the same
`Nats-Msg-Id`. The client reconnects for ever.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from cluster import mesh
from cluster.regions import ORIGINAL
from cluster.settings import Settings
from content.errors import ContentError

DOMAIN, OURS, GLOBAL, DEAD = "DOMAIN", "CONTENT_EVENTS", "CONTENT_GLOBAL", "CONTENT_DEAD"
FETCH_S, PUBLISH_S = 2.0, 5.0
GIVEN_BACK_S = 2.0
"""After so long a message that was given back comes again."""


@dataclass(frozen=True)
class Taken:
    """An event that a stream has on disk: which one it is there. `again`: it had it already, under the same id."""

    stream: str
    sequence: int
    again: bool


@dataclass(frozen=True)
class StreamState:
    """What tells one stream from another of the same name: when it was made, and how far it has counted what began here."""

    created: datetime
    last_sequence: int

    def lost_since(self, noted: StreamState) -> bool:
        """Whether messages that were acknowledged when `noted` was written are gone: a stream made anew, or set back."""
        return self.created != noted.created or self.last_sequence < noted.last_sequence


@dataclass(frozen=True)
class Source:
    """Another region's stream as this one's sees it: how long it was silent, and what is on its way (events)."""

    region: str
    silent_s: float
    lag: int


NEVER_S = 1e9
"""What stands for "never heard"."""


class Events:
    """A connection to NATS. Errors: ContentError `events-unavailable` (retryable)."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stream: JetStreamContext = client.jetstream(timeout=PUBLISH_S, publish_async_max_pending=4096)

    @classmethod
    async def connect(cls, settings: Settings) -> Events:
        client = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
            settings.nats_url,
            user=settings.nats_user or None,
            password=settings.nats_password.get_secret_value() or None,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            connect_timeout=5,
            error_cb=quiet,
            tls=mesh.context(settings, "nats", settings.nats_user),
        )
        return cls(client)

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    async def publish(
        self, subject: str, body: bytes, message_id: str, headers: Mapping[str, str] | None = None
    ) -> Taken:
        """Publish once: returns when the stream has it on disk."""
        try:
            told = await self._stream.publish(
                subject, body, timeout=PUBLISH_S, headers={"Nats-Msg-Id": message_id, **(headers or {})}
            )
        except (NatsError, OSError, TimeoutError) as error:
            raise ContentError("events-unavailable", "NATS did not take an event.", "Try again.", True) from error
        return Taken(told.stream, told.seq, bool(told.duplicate))

    async def state(self, stream: str) -> StreamState:
        """How a stream is now. Of one that other regions feed, only what began here is counted: theirs goes on after a loss."""
        try:
            info = await self._stream.stream_info(stream)
            last = await self._last_own(stream) if info.config.sources else info.state.last_seq
        except (NatsError, OSError, TimeoutError) as error:
            raise ContentError("events-unavailable", "NATS has no such stream yet.", "Try again.", True) from error
        assert info.created is not None
        return StreamState(info.created, last)

    async def _last_own(self, stream: str) -> int:
        try:
            return (await self._stream.get_last_msg(stream, ORIGINAL)).seq or 0
        except NotFoundError:
            return 0

    async def say(self, subject: str, body: bytes) -> None:
        """Publish to whoever listens now; nothing keeps it."""
        try:
            await self._client.publish(subject, body)
        except (NatsError, OSError, TimeoutError) as error:
            raise ContentError("events-unavailable", "NATS did not take a word.", "Try again.", True) from error

    async def sources(self, stream: str) -> list[Source]:
        """The other regions that a stream is fed from."""
        try:
            answer = await self._client.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=PUBLISH_S)
        except (NatsError, OSError, TimeoutError) as error:
            raise ContentError("events-unavailable", "NATS did not answer.", "Try again.", True) from error
        # The client's own type leaves out whose stream it is.
        found: list[dict[str, Any]] = json.loads(answer.data).get("sources") or []
        return [
            Source(
                str(entry["external"]["api"]).split(".")[1],
                entry["active"] / 1e9 if entry.get("active", -1) >= 0 else NEVER_S,
                int(entry.get("lag", 0)),
            )
            for entry in found
            if entry.get("external")
        ]

    def puller(self, stream: str, durable: str, subject: str, ack_wait_s: float) -> Puller:
        """A durable pull consumer; unlimited deliveries, since attempts are counted by the inbox's side."""
        config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, max_deliver=-1, ack_wait=ack_wait_s, max_ack_pending=512)

        async def subscribe() -> JetStreamContext.PullSubscription:
            return await self._stream.pull_subscribe(subject, durable=durable, stream=stream, config=config)

        return Puller(subscribe, self)

    async def close(self) -> None:
        await self._client.close()


class Puller:
    """Messages of one durable consumer, in small batches. Its subscription is opened when it is needed, and anew after a failure:
    the consumer itself may be gone."""

    def __init__(self, subscribe: Callable[[], Awaitable[JetStreamContext.PullSubscription]], events: Events) -> None:
        self._subscribe, self._events = subscribe, events
        self._subscription: JetStreamContext.PullSubscription | None = None

    async def close(self) -> None:
        """Let go of the subscription; the durable consumer stays."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                await subscription.unsubscribe()

    async def fetch(self, count: int) -> list[Msg]:
        """Up to `count` messages; an empty list when there are none. Raises `events-unavailable` in an outage."""
        if self._subscription is None:
            try:
                self._subscription = await self._subscribe()
            except (NatsError, OSError, TimeoutError) as error:
                raise ContentError("events-unavailable", "NATS has no such stream yet.", "Try again.", True) from error
        try:
            return await self._subscription.fetch(count, timeout=FETCH_S)
        except TimeoutError:
            if self._events.connected:
                return []
            await self.close()
            raise ContentError("events-unavailable", "NATS is away.", "Try again.", True) from None
        except (NatsError, OSError) as error:
            await self.close()
            raise ContentError("events-unavailable", "NATS did not answer.", "Try again.", True) from error

    async def in_order(self, count: int, take: Callable[[Msg], Awaitable[None]]) -> int:
        """Have each message of a batch taken, and return how many there were. What is away for one of them is away for those
        behind it: from there on they are given back, in their order. Raises `events-unavailable`, and what `take` raises."""
        messages = await self.fetch(count)
        for number, message in enumerate(messages):
            try:
                await take(message)
            except ContentError as error:
                if not error.retryable:
                    raise
                for left in messages[number:]:
                    await left.nak(delay=GIVEN_BACK_S)
                raise
        return len(messages)


class Tries:
    """How often our own code failed on a message, in this process. NATS's own count of deliveries grows in outages, too."""

    def __init__(self, most: int) -> None:
        self._most, self._failed = most, dict[int, int]()

    def left(self, message: Msg) -> bool:
        """Count one more failure. Whether it is worth another try."""
        number = message.metadata.sequence.stream
        failed = self._failed.pop(number, 0) + 1
        if failed < self._most:
            self._failed[number] = failed
        return failed < self._most


async def quiet(_: Exception) -> None:
    """Errors of the connection are seen where a call fails; nothing is printed to stderr."""
