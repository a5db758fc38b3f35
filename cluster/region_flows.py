"""How a region's `CONTENT_GLOBAL` hears the others' and is heard by them: sources here, consumers here, and how either begins anew.

A flow has two ends on two servers (`cluster.regions.Flow`): the consumer in the origin, and the source of the stream that it
feeds. Each end remembers how far it has come, and either may lose that: a stream that was emptied must hear everything again,
and what a new stream says must not be taken for what the old one has said.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    ExternalStream,
    StreamConfig,
    StreamConsumerSource,
    StreamSource,
    SubjectTransform,
)
from nats.js.errors import NotFoundError

from cluster.regions import GLOBAL, ORIGINAL, Flow

HEARTBEAT_S = 1.0
"""So often a link that carries nothing shows that it is there; its silence is what operators are told of."""
SILENCE_S = 30.0
"""A consumer that is missing is made only when its region has asked for it, or after so long a silence. A source counts what
comes and passes over what it has counted: the first events of a consumer that takes another's place at once are taken for old
ones and lost (measured on 2.15.1, whose source learns nothing from the heartbeats of a consumer that has delivered nothing).
A source that hears nothing, not a heartbeat either, gives up within 20 s and asks for its consumer anew; from then on it counts
from the beginning, also where it could not be reached meanwhile."""
IN_FLIGHT = 1000
"""Events on their way to another region before it has acknowledged any."""

ANEW, RESET_S = "content-hears-anew", 5.0
"""In a stream's metadata: who is to be heard from the beginning and did not answer yet."""
UNKNOWN = (10014, 10059)
"""JetStream's codes for no such consumer, no such stream."""


def source(flow: Flow) -> StreamSource:
    """What feeds the stream of `flow.to`."""
    return StreamSource(
        name=GLOBAL,
        external=ExternalStream(api=flow.api),
        consumer=StreamConsumerSource(name=flow.consumer, deliver_subject=flow.delivered),
        subject_transforms=[SubjectTransform(src=ORIGINAL, dest=flow.stored_as())],
    )


def consumer(flow: Flow) -> ConsumerConfig:
    """What `flow.origin` keeps on its stream: how far the other has come."""
    return ConsumerConfig(
        durable_name=flow.consumer,
        deliver_subject=flow.delivered,
        filter_subject=ORIGINAL,
        ack_policy=AckPolicy.FLOW_CONTROL,
        flow_control=True,
        idle_heartbeat=HEARTBEAT_S,
        max_ack_pending=IN_FLIGHT,
    )


def first_sequence() -> int:
    """Where a stream that others follow begins to count: above whatever one of its name has ever counted to.

    Others go on behind the last sequence that they took. A server that lost its disk would count from 1 again, and they
    would pass over its first events in silence (measured on 2.15.1, which notices that only sometimes)."""
    return time.time_ns() // 1_000_000


async def hearing(client: Client, stream: StreamConfig, region: str, anew: Sequence[str]) -> StreamConfig:
    """The stream, fed by each of `anew` only once what that one has for us begins again at its beginning.

    A source whose stream is empty asks for what follows the last that was acknowledged (measured on 2.15.1): a region that
    lost its streams would never hear what it had heard before. So their consumers are set back first. Whoever does not answer
    is left out and noted, for the next call.
    """
    away = [other for other in anew if not await _begins_again(client, Flow(other, region))]
    sources = [found for found in stream.sources or () if not any(_of(found, other, region) for other in away)]
    return replace(stream, sources=sources or None, metadata={ANEW: ",".join(away)} if away else None)


def _of(found: StreamSource, other: str, region: str) -> bool:
    return found.external is not None and found.external.api == Flow(other, region).api


async def _begins_again(client: Client, flow: Flow) -> bool:
    try:
        told = await client.request(f"{flow.api}.{flow.reset}", b'{"seq":1}', timeout=RESET_S)
    except (NatsError, TimeoutError):
        return False
    error = json.loads(told.data).get("error") or {}
    # Where there is no consumer yet, nothing was acknowledged.
    return not error or error.get("err_code") in UNKNOWN


async def ensure_consumers(client: Client, region: str, others: Sequence[str], silence_s: float) -> None:
    """Make the consumers that the others hear this region by, each in a silence that its source cannot miss."""
    js = client.jetstream(timeout=10)
    missing: list[Flow] = []
    for flow in (Flow(region, other) for other in others):
        try:
            await js.consumer_info(GLOBAL, flow.consumer)
        except NotFoundError:
            missing.append(flow)
        else:
            await js.add_consumer(GLOBAL, consumer(flow))

    async def make(flow: Flow) -> None:
        if silence_s:
            await _asked_for(client, flow, silence_s)
        await js.add_consumer(GLOBAL, consumer(flow))

    await asyncio.gather(*(make(flow) for flow in missing))


async def _asked_for(client: Client, flow: Flow, patience_s: float) -> None:
    """The other region asks for the consumer from its beginning, or the patience is spent."""
    asked = asyncio.Event()

    async def note(_: Msg) -> None:
        asked.set()

    heard = await client.subscribe(f"$JS.API.{flow.reset}", cb=note)
    with suppress(TimeoutError):
        await asyncio.wait_for(asked.wait(), patience_s)
    await heard.unsubscribe()
