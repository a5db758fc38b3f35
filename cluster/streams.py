"""The JetStream streams the service lives on, as data, and making them so.

`DOMAIN` is what the neighbours say (in production their streams; locally ours), `CONTENT_EVENTS` what we say,
`CONTENT_GLOBAL` what every region must hear (revocations, tamper reports, where a tenant lives), `CONTENT_DEAD` what
could not be understood, with the reason. All are on file. The window in which a repeated
`Nats-Msg-Id` is dropped is two hours, longer than any outage after which a relay sends its last batch again.

Where there are other regions, `CONTENT_GLOBAL` takes in what began in theirs, and keeps a consumer for each of them
(`cluster.regions`). Streams and consumers may be made in any order: a source that is not there yet is tried again.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    ExternalStream,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamConsumerSource,
    StreamSource,
    SubjectTransform,
)
from nats.js.errors import NotFoundError

from cluster.regions import GLOBAL, ORIGINAL, Flow
from content.canonical import rfc3339

DUPLICATE_WINDOW_S = 2 * 3600.0
DAY_S = 86_400.0
KEPT_S = 90 * DAY_S
"""For so long the streams of events keep a message; a dead letter waits a year for somebody to look at it."""

STREAMS: tuple[StreamConfig, ...] = (
    StreamConfig(name="DOMAIN", subjects=["authoring.>", "enrollment.>"], max_age=KEPT_S),
    # Before CONTENT_GLOBAL, whose subjects it once had: no two streams may have the same.
    StreamConfig(
        name="CONTENT_EVENTS",
        subjects=["content.play_package.>", "content.export.>", "content.import.>", "content.learner.>"],
        max_age=KEPT_S,
    ),
    StreamConfig(
        name=GLOBAL, subjects=["content.revocation.>", "content.tamper.>", "content.tenant.>"], max_age=KEPT_S
    ),
    StreamConfig(name="CONTENT_DEAD", subjects=["dead.>"], max_age=365 * DAY_S),
)


HEARTBEAT_S = 1.0
"""So often a link that carries nothing shows that it is there; its silence is what operators are told of."""
REST_S = 20.0
"""A consumer that is made anew says nothing but its heartbeats for so long. A region that still listens for the one before
it learns from these that it is another; without, its first messages could be taken for old ones (measured: lost)."""
IN_FLIGHT = 1000
"""Events on their way to another region before it has acknowledged any."""

ANEW, RESET_S = "content-hears-anew", 5.0
"""In a stream's metadata: who is to be heard from the beginning and did not answer yet."""
UNKNOWN = (10014, 10059)
"""JetStream's codes for no such consumer, no such stream."""


def streams(region: str = "", others: Sequence[str] = ()) -> tuple[StreamConfig, ...]:
    """The streams of a region that hears these others."""
    return tuple(
        replace(stream, sources=[_source(Flow(other, region)) for other in others] or None)
        if stream.name == GLOBAL
        else stream
        for stream in STREAMS
    )


def consumers(region: str, others: Sequence[str]) -> tuple[ConsumerConfig, ...]:
    """What a region keeps on its `CONTENT_GLOBAL` for each of the others: how far it has come."""
    return tuple(
        ConsumerConfig(
            durable_name=flow.consumer,
            deliver_subject=flow.delivered,
            filter_subject=ORIGINAL,
            ack_policy=AckPolicy.FLOW_CONTROL,
            flow_control=True,
            idle_heartbeat=HEARTBEAT_S,
            max_ack_pending=IN_FLIGHT,
        )
        for flow in (Flow(region, other) for other in others)
    )


def _source(flow: Flow) -> StreamSource:
    return StreamSource(
        name=GLOBAL,
        external=ExternalStream(api=flow.api),
        consumer=StreamConsumerSource(name=flow.consumer, deliver_subject=flow.delivered),
        subject_transforms=[SubjectTransform(src=ORIGINAL, dest=flow.stored_as())],
    )


def _first() -> int:
    """Where a stream that others follow begins to count: above whatever one of its name has ever counted to.

    Others go on behind the last sequence that they took. A server that lost its disk would count from 1 again, and they
    would pass over its first events in silence (measured on 2.15.1, which notices that only sometimes)."""
    return time.time_ns() // 1_000_000


async def _hearing(client: Client, stream: StreamConfig, region: str, anew: Sequence[str]) -> StreamConfig:
    """The stream, fed by each of `anew` only once what that one has for us begins again at its beginning.

    A source whose stream is empty asks for what follows the last that was acknowledged (measured on 2.15.1): a region that
    lost its streams would never hear what it had heard before. So their consumers are set back first. Whoever does not answer
    is left out and noted, for the next call.
    """
    away = [other for other in anew if not await _begins_again(client, Flow(other, region))]
    sources = [source for source in stream.sources or () if not any(_of(source, other, region) for other in away)]
    return replace(stream, sources=sources or None, metadata={ANEW: ",".join(away)} if away else None)


def _of(source: StreamSource, other: str, region: str) -> bool:
    return source.external is not None and source.external.api == Flow(other, region).api


async def _begins_again(client: Client, flow: Flow) -> bool:
    try:
        told = await client.request(f"{flow.api}.{flow.reset}", b'{"seq":1}', timeout=RESET_S)
    except (NatsError, TimeoutError):
        return False
    error = json.loads(told.data).get("error") or {}
    # Where there is no consumer yet, nothing was acknowledged.
    return not error or error.get("err_code") in UNKNOWN


async def ensure_streams(
    url: str,
    user: str,
    password: str,
    *,
    tls: ssl.SSLContext | None = None,
    replicas: int = 1,
    region: str = "",
    others: Sequence[str] = (),
    rest_s: float = REST_S,
) -> None:
    """Make the streams that are missing and bring the others to what stands here. May run any number of times.

    `rest_s` may be 0 where nobody can have followed an earlier stream of this region: at its very first start.
    Needs a user who may use `$JS.API.STREAM.CREATE.>` and `UPDATE.>`, and with `others` `$JS.API.CONSUMER.>` of
    `CONTENT_GLOBAL`; the service's own user may not.
    """
    client = await nats.connect(url, user=user, password=password, tls=tls, connect_timeout=5, max_reconnect_attempts=0)
    try:
        stream_api = client.jetstream(timeout=10)
        for stream in streams(region, others):
            wanted = replace(
                stream,
                storage=StorageType.FILE,
                retention=RetentionPolicy.LIMITS,
                duplicate_window=DUPLICATE_WINDOW_S,
                num_replicas=replicas,
            )
            try:
                found = (await stream_api.stream_info(str(stream.name))).config
            except NotFoundError:
                anew = others if wanted.sources and rest_s else ()
                wanted = await _hearing(client, wanted, region, anew)
                await stream_api.add_stream(replace(wanted, first_seq=_first() if wanted.sources or anew else None))
            else:
                anew = [name for name in (found.metadata or {}).get(ANEW, "").split(",") if name]
                wanted = await _hearing(client, wanted, region, anew)
                await stream_api.update_stream(replace(wanted, first_seq=found.first_seq))
        for consumer in consumers(region, others):
            try:
                known = await stream_api.consumer_info(GLOBAL, str(consumer.durable_name))
                pause_until = known.config.pause_until
            except NotFoundError:
                pause_until = rfc3339(datetime.now(UTC) + timedelta(seconds=rest_s)) if rest_s else None
            await stream_api.add_consumer(GLOBAL, replace(consumer, pause_until=pause_until))
    finally:
        await client.close()
