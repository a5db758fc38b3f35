"""What sync-service hears: durable JetStream consumers of our two streams that record each event once.

Delivery is at least once, so an event is known by its CloudEvents id; what came again only counts up `deliveries`. An
event is acknowledged after it is on the disk. The order of the file is that of first arrival, which need not be the stream's:
what a broken connection has swallowed comes again behind others. It is told in the order in which the stream took it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js.api import AckPolicy, ConsumerConfig

from cluster.neighbours import HeardEvent

STREAMS, DURABLE = ("CONTENT_EVENTS", "CONTENT_GLOBAL"), "sync-service"
FETCH_TIMEOUT_S = 2.0  # a pull is not issued again after a reconnect: short ones are
logger = logging.getLogger(__name__)


class _Control(Protocol):
    mode: Any


@dataclass
class _Entry:
    subject: str
    received_at: str
    event: dict[str, Any]
    stored_at: str
    """When the stream took it, and as which; a stream that was emptied counts from its beginning again."""
    position: int
    deliveries: int = 1


class Heard:
    """The record, kept in a JSON-lines file and in memory."""

    def __init__(self, path: Path, url: str, user: str, password: str, tls: ssl.SSLContext | None = None) -> None:
        self._path, self._url, self._user, self._password, self._tls = path, url, user, password, tls
        self._entries: dict[str, _Entry] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    known = json.loads(line)
                except ValueError:  # the last line of a process that was killed; its event comes again
                    continue
                received = known["received_at"]
                stored, position = known.get("stored_at", received), known.get("position", 0)  # versions before
                entry = _Entry(known["subject"], received, known["event"], stored, position)
                self._entries.setdefault(str(known["event"]["id"]), entry)

    def entries(self, subject: str | None = None, device_id: str | None = None) -> Iterator[HeardEvent]:
        """What was heard, in order, of this subject (the event's type) and device."""
        for entry in sorted(self._entries.values(), key=lambda each: (each.stored_at, each.position)):
            data = entry.event.get("data")
            device = data.get("device_id") if isinstance(data, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            if subject in (None, entry.subject) and device_id in (None, device):
                yield HeardEvent(
                    subject=entry.subject, received_at=entry.received_at, deliveries=entry.deliveries, event=entry.event
                )

    def record(self, subject: str, body: bytes, stored_at: datetime, position: int) -> None:
        """Note one delivery of what the stream took then, as its `position`; returns once it is on the disk."""
        try:
            event = json.loads(body)
            event_id = str(event["id"])
        except (ValueError, KeyError, TypeError):
            logger.warning("not a CloudEvent on %s", subject)
            return
        if event_id in self._entries:
            self._entries[event_id].deliveries += 1
            return
        now, stored = (
            moment.astimezone(UTC).isoformat(timespec="microseconds") for moment in (datetime.now(UTC), stored_at)
        )
        entry = _Entry(subject, now, event, stored, position)
        line = json.dumps(
            {"subject": subject, "received_at": now, "stored_at": stored, "position": position, "event": event}
        )
        with self._path.open("a") as file:
            if file.tell() and not self._ends_a_line():
                file.write("\n")
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._entries[event_id] = entry

    async def listen(self, control: Callable[[], _Control | None]) -> None:
        """Consume until cancelled; starts over after whatever happens."""
        while True:
            try:
                await self._listen_once(control)
            except (TimeoutError, NatsError, OSError) as error:
                logger.info("sync: %s; trying again", error)
                await asyncio.sleep(0.5)

    async def _listen_once(self, control: Callable[[], _Control | None]) -> None:
        client = await nats.connect(
            self._url,
            user=self._user,
            password=self._password,
            name=DURABLE,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            tls=self._tls,
        )
        try:
            await asyncio.gather(*(self._follow(client, stream, control) for stream in STREAMS))
        finally:
            await client.close()

    async def _follow(self, client: Client, stream: str, control: Callable[[], _Control | None]) -> None:
        durable = f"{DURABLE}-{stream.lower().replace('_', '-')}"
        configuration = ConsumerConfig(durable_name=durable, ack_policy=AckPolicy.EXPLICIT, ack_wait=10, max_deliver=-1)
        consumer = await client.jetstream().pull_subscribe(">", durable, stream=stream, config=configuration)
        while True:
            state = control()
            if state is not None and state.mode in ("down", "error"):
                await asyncio.sleep(0.1)
                continue
            try:
                messages: list[Msg] = await consumer.fetch(200, timeout=FETCH_TIMEOUT_S)
            except NatsTimeout:
                continue
            for message in messages:
                told = message.metadata
                await asyncio.to_thread(
                    self.record, message.subject, message.data, told.timestamp, told.sequence.stream
                )
                await message.ack()

    def _ends_a_line(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
