"""The JetStream streams the service lives on, as data, and making them so.

`DOMAIN` is what the neighbours say (in production their streams; locally ours), `CONTENT_EVENTS` what we say,
`CONTENT_GLOBAL` what every region must hear (revocations, tamper reports, where a tenant lives), `CONTENT_DEAD` what
could not be understood, with the reason. All are on file. The window in which a repeated
`Nats-Msg-Id` is dropped is two hours, longer than any outage after which a relay sends its last batch again.

Where there are other regions, `CONTENT_GLOBAL` takes in what began in theirs, and keeps a consumer for each of them
(`cluster.regions`). Streams and consumers may be made in any order: a source that is not there yet is tried again. It drops
nothing by its id then: a region could use the id of another's event for one of its own, and where its own came first the
other would be missing (measured). What a relay sends twice is there twice; who hears it knows events by their ids.

`python -m cluster.streams` does it as the operator of the settings (in Kubernetes the job `content-streams`, by the calendar, so that
whoever could not answer is asked again).
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Sequence
from dataclasses import replace

import nats
from nats.errors import Error as NatsError
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from cluster import mesh
from cluster.errands import AT_ONCE
from cluster.events import quiet
from cluster.region_flows import ANEW, SILENCE_S, ensure_consumers, first_sequence, hearing, source
from cluster.regions import GLOBAL, Flow
from cluster.settings import Settings

DUPLICATE_WINDOW_S = 2 * 3600.0
DAY_S = 86_400.0
KEPT_S = 90 * DAY_S
"""For so long the streams of events keep a message; a dead letter waits a year for somebody to look at it."""

THEIRS = "DOMAIN"
"""In production the neighbours make it."""
STREAMS: tuple[StreamConfig, ...] = (
    StreamConfig(name=THEIRS, subjects=["authoring.>", "enrollment.>"], max_age=KEPT_S),
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


def streams(region: str = "", others: Sequence[str] = ()) -> tuple[StreamConfig, ...]:
    """The streams of a region that hears these others."""
    sources = [source(Flow(other, region)) for other in others]
    return tuple(
        replace(stream, sources=sources, duplicate_window=0)
        if stream.name == GLOBAL and sources
        else replace(stream, duplicate_window=DUPLICATE_WINDOW_S)
        for stream in STREAMS
    )


async def ensure_streams(
    url: str,
    user: str,
    password: str,
    *,
    tls: ssl.SSLContext | None = None,
    replicas: int = 1,
    region: str = "",
    others: Sequence[str] = (),
    silence_s: float = SILENCE_S,
    without: Sequence[str] = (),
) -> None:
    """Make the streams that are missing and bring the others to what stands here. May run any number of times.

    `silence_s` (`cluster.region_flows.SILENCE_S`) may be 0 where nobody can have followed an earlier stream of this region: at
    its very first start. Streams in `without` are left alone.

    Needs a user who may use `$JS.API.STREAM.CREATE.>` and `UPDATE.>`, and with `others` use and hear `$JS.API.CONSUMER.>` of
    `CONTENT_GLOBAL`; the service's own user may not.
    """
    client = await nats.connect(url, user=user, password=password, tls=tls, error_cb=quiet, **AT_ONCE)
    try:
        stream_api = client.jetstream(timeout=10)
        for stream in streams(region, others):
            if stream.name in without:
                continue
            wanted = replace(
                stream,
                storage=StorageType.FILE,
                retention=RetentionPolicy.LIMITS,
                num_replicas=replicas,
            )
            try:
                found = (await stream_api.stream_info(str(stream.name))).config
            except NotFoundError:
                anew = others if wanted.sources and silence_s else ()
                wanted = await hearing(client, wanted, region, anew)
                await stream_api.add_stream(
                    replace(wanted, first_seq=first_sequence() if wanted.sources or anew else None)
                )
            else:
                anew = [name for name in (found.metadata or {}).get(ANEW, "").split(",") if name]
                wanted = await hearing(client, wanted, region, anew)
                await stream_api.update_stream(replace(wanted, first_seq=found.first_seq))
        await ensure_consumers(client, region, others, silence_s)
    finally:
        await client.close()


async def of_installation(settings: Settings) -> None:
    """Make ours as the operator of the settings, for all regions in `region_urls`. Raises NatsError, OSError or TimeoutError."""
    user, password = settings.nats_operator_user, settings.nats_operator_password.get_secret_value()
    await ensure_streams(
        settings.nats_url,
        user,
        password,
        tls=mesh.context(settings, "nats", user),
        replicas=settings.nats_replicas,
        region=settings.region,
        others=settings.other_regions,
        without=[THEIRS],
    )


if __name__ == "__main__":
    try:
        asyncio.run(of_installation(Settings.load()))
    except (NatsError, OSError, TimeoutError) as error:
        sys.exit(
            f"The streams could not be made: {error or type(error).__name__}. Look at nats_url and nats_operator_user."
        )
    print("streams and consumers are as they must be")
