"""What NATS still holds and this database has lost is heard again: the last step before a restore or a reconcile ends.

- Other regions' events: what they say is no part of the log, and the relays' consumer remembers how far it was heard, not what this
  database still knows of it. The consumer is deleted; relays make it anew at the beginning of the stream (within seconds where they
  run, see `cluster.events.Puller`), and take what they know for known (`tasks.elsewhere.receive`).
- The neighbours' events, from a moment on: taken in here. One that is known changes nothing (the inbox is in the log, so it says
  what came back); one that was lost is done as if it came now.

Before: rows of the log are in their tables, or an event would be taken in whose row was still to come. After: the end is noted. Who was
killed in between does all of it again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from cluster import mesh
from cluster.connections import Connections
from cluster.errands import away, errand
from cluster.events import DOMAIN, GLOBAL
from cluster.settings import Settings
from cluster.stream_tail import ANSWER_S, StreamTail
from cluster.telemetry import describe
from content.errors import ContentError
from tasks import elsewhere, intake

MARGIN = timedelta(minutes=10)
"""So much earlier than the last that the log knows the neighbours' events are looked at: so long one may have waited for intake."""
BEGINNING = datetime.min.replace(tzinfo=UTC)
log = structlog.get_logger()


async def again(connections: Connections, since: datetime) -> int:
    """Have other regions heard from the beginning of their stream, and take in what the neighbours have said since then; returns
    how many of the neighbours' events were new. May be done any number of times.

    Raises ContentError `events-unavailable`, or `database-unavailable` (both retryable).
    """
    await _other_regions(connections.settings)
    return await _neighbours(connections, since)


async def _other_regions(settings: Settings) -> None:
    user, password = settings.nats_user, settings.nats_password
    tls = mesh.context(settings, "nats", user)
    try:
        async with errand(settings.nats_url, user, password, ANSWER_S, tls=tls) as stream:
            await stream.delete_consumer(GLOBAL, elsewhere.DURABLE)
    except NotFoundError:  # deleted by whoever was killed here, or nothing was ever heard
        pass
    except (NatsError, OSError, TimeoutError) as error:
        raise away() from error
    log.info("other regions are heard again", stream=GLOBAL, consumer=elsewhere.DURABLE)


async def _neighbours(connections: Connections, since: datetime) -> int:
    """Oldest first, as they came."""
    async with StreamTail.connect(connections.settings) as tail:
        found = [said async for said in tail.back(DOMAIN, since)]
    new = 0
    for said in reversed(found):
        try:
            new += await intake.receive(connections, said.body)
        except ContentError as error:
            if error.retryable:
                raise
            log.info("event left out", number=said.sequence, **describe(error))
        except Exception:  # one on which our own code fails was a dead letter before, and does not hold a region
            log.exception("event failed", number=said.sequence, subject=said.subject)
    return new
