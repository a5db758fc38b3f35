"""The JetStream streams the service lives on, as data, and making them so.

`DOMAIN` is what the neighbours say (in production their streams; locally ours), `CONTENT_EVENTS` what we say,
`CONTENT_GLOBAL` what every region must hear (revocations and tamper reports), `CONTENT_DEAD` what could not be
understood, with the reason. All are on file. The window in which a repeated
`Nats-Msg-Id` is dropped is two hours, longer than any outage after which a relay sends its last batch again.
"""

from __future__ import annotations

from dataclasses import replace

import nats
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

DUPLICATE_WINDOW_S = 2 * 3600.0
DAY_S = 86_400.0
KEPT_S = 90 * DAY_S
"""For so long the streams of events keep a message; a dead letter waits a year for somebody to look at it."""

STREAMS: tuple[StreamConfig, ...] = (
    StreamConfig(name="DOMAIN", subjects=["authoring.>", "enrollment.>"], max_age=KEPT_S),
    # Before CONTENT_GLOBAL, whose subjects it once had: no two streams may have the same.
    StreamConfig(
        name="CONTENT_EVENTS",
        subjects=["content.play_package.>", "content.export.>", "content.import.>"],
        max_age=KEPT_S,
    ),
    StreamConfig(name="CONTENT_GLOBAL", subjects=["content.revocation.>", "content.tamper.>"], max_age=KEPT_S),
    StreamConfig(name="CONTENT_DEAD", subjects=["dead.>"], max_age=365 * DAY_S),
)


async def ensure_streams(url: str, user: str, password: str, *, replicas: int = 1) -> None:
    """Make the streams that are missing and bring the others to what stands here. May run any number of times.

    Needs a user who may use `$JS.API.STREAM.CREATE.>` and `UPDATE.>`; the service's own user may not.
    """
    client = await nats.connect(url, user=user, password=password, connect_timeout=5, max_reconnect_attempts=0)
    try:
        stream_api = client.jetstream(timeout=10)
        for stream in STREAMS:
            wanted = replace(
                stream,
                storage=StorageType.FILE,
                retention=RetentionPolicy.LIMITS,
                duplicate_window=DUPLICATE_WINDOW_S,
                num_replicas=replicas,
            )
            try:
                await stream_api.stream_info(str(stream.name))
            except NotFoundError:
                await stream_api.add_stream(wanted)
            else:
                await stream_api.update_stream(wanted)
    finally:
        await client.close()
