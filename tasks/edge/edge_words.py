"""What is gone → the CDN: the event of a withdrawal or a removal becomes an invalidation, many of them one, and none is lost.

The backlog are two durable consumers of `CONTENT_EVENTS`: an event is acknowledged after the CDN took the invalidation, so what a dead
process held comes again, here or at another relay. An invalidation is named by its paths and events; where the answer was lost, the
very same is sent again. While the CDN has too much under way, events gather and are reduced to fewer paths.

An edge keeps a manifest for a minute in any case (`edge_rules.MANIFEST_S`); this makes it sooner, and takes exports with it. What tenants say
about their sites is carried to CloudFront from here, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog
from nats.errors import Error as NatsError

from cluster.edge import purging
from cluster.edge.cloudfront import client_of
from cluster.edge.cloudfront_sites import SiteSettings
from cluster.edge.purging import Purger
from cluster.events import OURS, Events
from cluster.objects import Objects
from cluster.settings import Settings
from cluster.telemetry import describe
from cluster.telemetry.metrics import EDGE_AGE, EDGE_WORDS
from content.errors import ContentError
from content.events import PlayPackageRemoved, PlayPackageWithdrawn

DURABLE: Final = "content-edge"
BATCH: Final = 256
PACE_S: Final = 2.0
"""Between two invalidations: what comes meanwhile goes into one."""
BUSY_S: Final = (2.0, 5.0, 10.0, 20.0)
"""How long a CDN that is busy, or away, is left alone, after so many times."""
SITES_S: Final = 15.0
AWAY_S: Final = 1.0
log = structlog.get_logger()


class Message(Protocol):
    """As nats gives it."""

    data: bytes

    async def ack(self) -> None: ...

    async def in_progress(self) -> None: ...


@dataclass(frozen=True)
class Batch:
    """One invalidation: what it says, what it is called, and the events that it answers."""

    paths: tuple[str, ...]
    reference: str
    messages: tuple[Message, ...] = field(repr=False)


class EdgeWords:
    """Any number of relays share the consumer. `clock` is monotonic."""

    def __init__(
        self, settings: Settings, events: Events, purger: Purger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._purger, self._clock = settings, purger, clock
        heard = {DURABLE: PlayPackageWithdrawn.TYPE, f"{DURABLE}-removed": PlayPackageRemoved.TYPE}
        self._pullers = [events.puller(OURS, name, subject, settings.lease_s) for name, subject in heard.items()]
        self._waiting: list[Message] = []
        self._sent: Batch | None = None
        self._not_before = self._said = 0.0
        self._heard = clock()
        self._failed = 0

    @classmethod
    def of(cls, settings: Settings, events: Events) -> EdgeWords | None:
        """None where no CDN is to be told."""
        purger = purging.connect(settings)
        return None if purger is None else cls(settings, events, purger)

    async def step(self) -> int:
        """Take what is there, and tell the CDN if it may be told. Returns how many events came. Raises `events-unavailable`."""
        try:
            messages = await self._fetch()
            self._waiting += messages
            await self._say_alive()
            if self._clock() >= self._not_before and (self._sent or self._waiting):
                await self._tell()
        finally:
            EDGE_AGE.set(self._age_s())
        return len(messages)

    def _age_s(self) -> float:
        """How long the CDN has not known what it ought to; while NATS is away, nobody knows what that is."""
        held = self._sent.messages if self._sent else self._waiting
        return max(_age_s(held[0]) if held else 0.0, self._clock() - self._heard)

    async def _fetch(self) -> list[Message]:
        """Of both consumers, at once: each waits a while where there is nothing. What one gave is kept though the other is away."""
        found = await asyncio.gather(*(each.fetch(BATCH) for each in self._pullers), return_exceptions=True)
        messages: list[Message] = [message for given in found if isinstance(given, list) for message in given]
        for given in found:
            if isinstance(given, BaseException):
                self._waiting += messages
                raise given
        self._heard = self._clock()
        return messages

    async def _tell(self) -> None:
        batch = self._sent or _batch(self._waiting)
        began = self._clock()
        if self._sent is None:
            self._sent, self._waiting = batch, []
        try:
            if batch.paths:
                await asyncio.to_thread(self._purger.purge, batch.paths, batch.reference)
                EDGE_WORDS.add(result="told")
        except ContentError as error:
            self._failed += 1
            EDGE_WORDS.add(result="busy" if error.code == "edge-busy" else "failed")
            self._not_before = self._clock() + BUSY_S[min(self._failed, len(BUSY_S)) - 1]
            log.warning("edge not told yet", paths=len(batch.paths), events=len(batch.messages), **describe(error))
            if error.code == "edge-busy":  # it was not taken, so it may become another
                self._sent, self._waiting = None, [*batch.messages, *self._waiting]
            return
        await _each(message.ack() for message in batch.messages)
        self._sent, self._failed, self._not_before = None, 0, began + PACE_S
        log.info("edge told to forget", paths=len(batch.paths), events=len(batch.messages), reference=batch.reference)

    async def _say_alive(self) -> None:
        """What is held must not be given to another while this process lives."""
        held = [*(self._sent.messages if self._sent else ()), *self._waiting]
        if held and self._clock() - self._said > self._settings.lease_s / 3:
            self._said = self._clock()
            await _each(message.in_progress() for message in held)


async def _each(words: Iterable[Awaitable[None]]) -> None:
    """Say them to NATS. What it does not hear makes it hand the events out again, and then they are told again."""
    for word in words:
        with contextlib.suppress(NatsError, OSError, TimeoutError):
            await word


def _batch(messages: list[Message]) -> Batch:
    paths: list[str] = []
    causes: list[str] = []
    for message in messages:
        try:
            event = json.loads(message.data)
            data = event["data"]
            paths += _paths(data)
            causes.append(str(event["id"]))
        except (ValueError, KeyError, TypeError):
            EDGE_WORDS.add(result="unreadable")
            log.error("a word that cannot be read is not told to the edge")
    reduced = purging.reduced(paths)
    return Batch(tuple(reduced), purging.reference_of(reduced, causes), tuple(messages))


def _paths(data: dict[str, Any]) -> list[str]:
    if "folders" in data:
        return purging.of_folders(data["tenant_id"], data["folders"])
    return purging.of_version(data["tenant_id"], data["package_id"], int(data["version"]), data.get("manifest_digest"))


def _age_s(message: Message) -> float:
    """Since the event was written; 0 where that cannot be read."""
    try:
        written = datetime.fromisoformat(json.loads(message.data)["time"])
        return max(0.0, (datetime.now(UTC) - written).total_seconds())
    except (ValueError, KeyError, TypeError):
        return 0.0


class Reach(Protocol):
    """What carrying site settings needs of a process's connections."""

    @property
    def settings(self) -> Settings: ...

    @property
    def objects(self) -> Objects: ...


@dataclass(frozen=True)
class Reached:
    """All that a process has which does nothing else."""

    settings: Settings
    objects: Objects


async def carry_sites(reach: Reach) -> Callable[[], Awaitable[int]] | None:
    """A step that carries tenants' site settings to CloudFront; None where there is no store for them."""
    arn = reach.settings.cloudfront_sites_store
    if not arn:
        return None
    store = await asyncio.to_thread(client_of, "cloudfront-keyvaluestore")
    sites = SiteSettings(reach.objects, store, arn)

    async def step() -> int:
        return await asyncio.to_thread(sites.step)

    return step


async def tell(settings: Settings, stopping: asyncio.Event) -> None:
    """Do both, and nothing else, until `stopping`: a process that needs NATS, the bucket and the CDN's API alone. At its start it puts the
    shell of imported packages where the CDN looks for it."""
    while not stopping.is_set():
        try:
            events = await Events.connect(settings)
            break
        except (NatsError, OSError, TimeoutError) as error:
            log.warning("NATS is away", error=type(error).__name__)
            await _pause(stopping, AWAY_S)
    else:
        return
    from tasks.edge import edge_shell  # not above: the relay does the rest of this, and needs no player and no courses

    objects = await asyncio.to_thread(Objects, settings)
    words, sites = EdgeWords.of(settings, events), await carry_sites(Reached(settings, objects))
    shown = asyncio.create_task(_until_done(lambda: asyncio.to_thread(edge_shell.publish, objects), stopping))
    try:
        loops = [_repeat(words.step, stopping, 0.0)] if words is not None else []
        loops += [_repeat(sites, stopping, SITES_S)] if sites is not None else []
        await asyncio.gather(shown, *loops)
    finally:
        shown.cancel()
        await events.close()


async def _repeat(step: Callable[[], Awaitable[int]], stopping: asyncio.Event, rest_s: float) -> None:
    while not stopping.is_set():
        try:
            await step()
        except ContentError as error:
            if not error.retryable:
                raise
            log.warning("waiting", **describe(error))
            await _pause(stopping, AWAY_S)
        await _pause(stopping, rest_s)


async def _until_done(step: Callable[[], Awaitable[int]], stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        try:
            await step()
            return
        except ContentError as error:
            if not error.retryable:
                raise
            log.warning("waiting", **describe(error))
            await _pause(stopping, AWAY_S)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), max(seconds, 0.01))
