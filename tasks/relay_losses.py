"""What a stream has lost that it had acknowledged, and having it sent again.

Noted is when each stream was made, and the last number under which it took an event of ours. A stream that was made anew, or has
counted less far, has lost something: the rows of what it would still hold wait again, and until the last portion of them does
nobody publishes, so that the order of a key holds (docs/adr/0021-what-outlives-a-fault.md).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from cluster.database import Transaction, fetch_one
from cluster.events import GLOBAL, OURS, Events, StreamState, Taken
from cluster.streams import KEPT_S

REFILLED = "(select max(refilled_at) from event_streams)"
"""When a stream was last filled again; read along with the rows."""
# Not what was read before a stream was filled again: it may have been acknowledged by the one that is gone.
MARK = b"""
    with asked as materialized (select refilled_at from event_streams order by name for share)
    update outbox set published_at = now()
    where id = any(%(ids)s) and (select max(refilled_at) from asked) is not distinct from %(refilled)s
"""
NOTED = "select created, last_sequence from event_streams where name = %s for update"
NOTE = b"""
    insert into event_streams (name, created, last_sequence) values (%(name)s, %(created)s, %(last)s)
    on conflict (name) do update set last_sequence = excluded.last_sequence
        where event_streams.created = excluded.created and event_streams.last_sequence < excluded.last_sequence
"""
RENEW = b"""
    update event_streams set created = %(created)s, last_sequence = %(last)s, refilled_at = now() where name = %(name)s
"""
LOST = b"update event_streams set created = 'epoch' where name = %s"
# In portions, so that no statement runs for minutes. What another relay has published is marked before this reads, or not at all.
AGAIN = b"""
    update outbox set published_at = null where (tenant, id) in (
        select tenant, id from outbox where published_at > now() - make_interval(secs => %s) limit %s for update)
"""
PORTION = 50_000
log = structlog.get_logger()


class Losses:
    """What one relay knows of the streams."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._known: dict[str, StreamState] = {}

    async def mark(self, connection: Transaction, sent: Sequence[UUID], refilled: datetime | None) -> None:
        """These rows are published, unless a stream was filled again since they were read: at `refilled`, or later."""
        await connection.execute(MARK, {"ids": list(sent), "refilled": refilled})

    async def found(self, connection: Transaction) -> bool:
        """Whether rows wait again because a stream has lost what it had; asked before every window.

        One question to NATS a stream and window; the database is asked only when the answer is not what this relay knows. Until
        the last portion waits again the loss stays noted as new, and no relay publishes: so the order of a key holds.
        """
        waiting = [await self._lost(connection, name) for name in (OURS, GLOBAL)]
        return any(waiting)

    async def _lost(self, connection: Transaction, name: str) -> bool:
        found, known = await self._events.state(name), self._known.get(name)
        if known is not None and not found.lost_since(known):
            self._known[name] = found
            return False
        async with connection.transaction():  # no other relay marks rows meanwhile, nor fills the stream as well
            row = await fetch_one(connection, NOTED, [name])
            found = await self._events.state(name)
            if row is None:
                await connection.execute(NOTE, _noting(name, found))
            elif found.lost_since(StreamState(row["created"], row["last_sequence"])):
                again = await connection.execute(AGAIN, [KEPT_S, PORTION])
                log.warning("the stream has lost its messages; they are sent again", stream=name, rows=again.rowcount)
                if again.rowcount:
                    return True
                await connection.execute(RENEW, _noting(name, found))
        self._known[name] = found
        return known is not None  # another relay may have made rows wait since ours were read

    async def noted(self, connection: Transaction, taken: Collection[Taken]) -> bool:
        """Note how far the streams have counted now that they took these, before any row is marked.

        False where one took an event under a number that it had given before: it was set back while this window was
        published, and has to be filled again.
        """
        new = [each for each in taken if not each.again]
        set_back = {each.stream for each in new if each.sequence <= self._known[each.stream].last_sequence}
        for stream in sorted(set_back):
            log.warning("the stream was set back", stream=stream)
            await connection.execute(LOST, [stream])
        if set_back:
            self._known.clear()
            return False
        for stream in sorted({each.stream for each in new}):
            last = max(each.sequence for each in new if each.stream == stream)
            self._known[stream] = StreamState(self._known[stream].created, last)
            await connection.execute(NOTE, _noting(stream, self._known[stream]))
        return True


def _noting(name: str, state: StreamState) -> dict[str, Any]:
    return {"name": name, "created": state.created, "last": state.last_sequence}
