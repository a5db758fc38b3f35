"""What a stream loses while relays are at work: whatever was acknowledged and is gone is sent again.

The relays and Postgres are real; the stream is one that can be emptied and set back between two answers, as no server can
be at a chosen moment.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cluster.events import GLOBAL, OURS, StreamState, Taken
from cluster.outbox import PARTITIONS
from tasks.relay import Relay
from tests.support.light import Light

pytestmark = pytest.mark.timeout(300)
WITHDRAWN = "content.play_package.withdrawn.v1"
DATA = {
    "package_id": "pkg_1", "course_id": "course-1", "version": 1, "manifest_digest": "sha256:" + "0" * 64,
    "withdrawn_at": "2026-01-01T00:00:00Z",
}  # fmt: skip


@dataclass
class Server:
    """Two streams on one disk."""

    created: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    held: dict[str, list[str]] = field(default_factory=lambda: {OURS: [], GLOBAL: []})

    def empty(self) -> None:
        self.created += timedelta(days=1)
        self.held = {OURS: [], GLOBAL: []}

    def set_back(self, by: int) -> None:
        del self.held[OURS][-by:]


@dataclass
class Client:
    """A relay's connection. `before`: awaited before an event is taken; `after`: before its acknowledgement is told."""

    server: Server
    before: Any = None
    after: Any = None

    async def state(self, stream: str) -> StreamState:
        return StreamState(self.server.created, len(self.server.held[stream]))

    async def publish(self, subject: str, body: bytes, message_id: str, headers: Mapping[str, str] | None) -> Taken:
        del headers
        assert json.loads(body)["type"] == subject
        if self.before:
            await self.before()
        held = self.server.held[OURS if subject.startswith("content.play_package.") else GLOBAL]
        again = message_id in held
        if not again:
            held.append(message_id)
        taken = Taken(OURS if held is self.server.held[OURS] else GLOBAL, held.index(message_id) + 1, again)
        if self.after:
            await self.after()
        return taken


@dataclass
class Rows:
    """Rows of the outbox that nobody else sees: a tenant of its own, gone again with what is noted of the streams."""

    running: Light
    tenant: str = field(default_factory=lambda: f"relay-{uuid.uuid4().hex[:8]}")

    def add(self, count: int, kind: str = WITHDRAWN, key: str = "") -> list[str]:
        ids = [str(uuid.uuid4()) for _ in range(count)]
        with self.running.superuser() as db:
            for number, each in enumerate(ids):
                own, place = key or f"key-{each}", number % PARTITIONS
                db.execute(
                    b"""insert into outbox (tenant, id, partition, key, sequence, type, data) values (%s, %s, %s, %s, %s, %s, %s)""",
                    [self.tenant, each, place, own, number + 1, kind, json.dumps({"tenant_id": self.tenant, **DATA})],
                )
        return ids

    def waiting(self) -> set[str]:
        sql = "select id from outbox where tenant = %s and published_at is null"
        return {str(row["id"]) for row in self.running.rows(sql, self.tenant)}


@pytest.fixture
def rows(bare: Light) -> Iterator[Rows]:
    before = bare.rows("select * from event_streams")
    bare.rows("delete from event_streams returning name")
    found = Rows(bare)
    yield found
    with bare.superuser() as db:
        db.execute(b"delete from outbox where tenant = %s", [found.tenant])
        db.execute(b"delete from event_streams")
        for each in before:
            db.execute(
                b"insert into event_streams values (%(name)s, %(created)s, %(last_sequence)s, %(refilled_at)s)", each
            )
        db.execute(
            b"update outbox set published_at = now() where published_at is null and tenant <> %s", [found.tenant]
        )


async def relay(leaving: AsyncExitStack, rows: Rows, client: Client, **settings: Any) -> Relay:
    made = Relay(rows.running.settings.model_copy(update=settings), client)  # type: ignore[arg-type]
    leaving.push_async_callback(made.close)
    await made.share()
    return made


async def carried(*relays: Relay) -> None:
    """Until nobody has anything left to send."""
    quiet = 0
    async with asyncio.timeout(60):
        while quiet < 3:
            moved = [await each.step() for each in relays]
            quiet = 0 if any(moved) else quiet + 1


async def test_what_was_read_before_a_loss_was_dealt_with_is_not_marked(rows: Rows) -> None:
    """Two relays: one has its window acknowledged, then the stream is emptied, and the other one deals with that."""
    server, reached, go = Server(), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await go.wait()

    async with AsyncExitStack() as leaving:
        slow, quick = Client(server), Client(server)
        # All rows of all tests are sent again; a session that is idle for a lease is ended.
        first = await relay(leaving, rows, slow, lease_s=60.0)
        second = await relay(leaving, rows, quick, lease_s=60.0)
        await first.share()  # gives half of the partitions back
        await second.share()
        ids = rows.add(PARTITIONS)
        await carried(first, second)
        more = rows.add(PARTITIONS)
        slow.after = hold
        late = asyncio.create_task(first.step())
        await asyncio.wait_for(reached.wait(), 30)
        server.empty()
        await carried(second)
        slow.after = None
        go.set()
        await late
        await carried(first, second)
    assert rows.waiting() == set()
    assert {*ids, *more} <= {*server.held[OURS]}


@pytest.mark.parametrize("known", [True, False], ids=["the same relay", "another relay"])
async def test_a_stream_that_was_set_back_by_its_last_window_is_noticed(rows: Rows, known: bool) -> None:
    server = Server()
    async with AsyncExitStack() as leaving:
        first = await relay(leaving, rows, Client(server))
        ids = rows.add(10)
        await carried(first)
        assert rows.waiting() == set()
        server.set_back(3)
        if not known:
            await first.close()
            first = await relay(leaving, rows, Client(server))
        ids += rows.add(1)
        await carried(first)
    assert rows.waiting() == set()
    assert {*ids} <= {*server.held[OURS]}


async def test_a_stream_that_is_set_back_in_the_middle_of_a_window_is_noticed_by_its_numbers(rows: Rows) -> None:
    server = Server()
    async with AsyncExitStack() as leaving:
        client = Client(server)
        first = await relay(leaving, rows, client)
        ids = rows.add(10)
        await carried(first)

        async def set_back() -> None:
            client.before = None
            server.set_back(5)

        client.before = set_back
        ids += rows.add(12)
        await carried(first)
    assert rows.waiting() == set()
    assert {*ids} <= {*server.held[OURS]}


async def test_rows_that_cannot_be_sent_hold_back_nobody_else(rows: Rows) -> None:
    """However many there are: a release that was taken back leaves events of a type that this one does not know."""
    server = Server()
    async with AsyncExitStack() as leaving:
        first = await relay(leaving, rows, Client(server), relay_window=2)
        unknown = rows.add(30, kind="content.play_package.dreamt.v9")
        behind = rows.add(2, key="key-of-all")
        for _ in range(200):  # earlier tests may have left some that can be sent
            await first.step()
            if rows.waiting() == set(unknown):
                break
    assert rows.waiting() == set(unknown)
    assert [each for each in server.held[OURS] if each in behind] == behind
