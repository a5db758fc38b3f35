"""A pool's replica without Ray, on the real queue: it works, leaves in good order, and is replaced when it must be."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pgqueuer.models import Job

from actors.queue_pool import QueueReplica
from cluster import queue
from cluster.connections import Connections
from cluster.queue import Work
from cluster.settings import Settings
from tests.support.running import Running

pytestmark = pytest.mark.timeout(300)


class Sleeper(QueueReplica):
    """Work that takes as long as its subject says, in seconds."""

    def __init__(self, name: str, settings: Settings, own_queue: str) -> None:
        super().__init__(name)
        self.settings, self.queue = settings, own_queue
        self.begun: list[str] = []
        self.done: list[str] = []

    async def read_depth(self) -> float:
        async with self.connections.ops.connection() as connection:
            return float(await queue.depth(connection, self.queue))

    async def handle(self, job: Job, work: Work) -> None:
        self.begun.append(work.subject)
        await asyncio.sleep(float(work.subject))
        self.done.append(work.subject)


@asynccontextmanager
async def sleeper(running: Running, drain_s: float) -> AsyncIterator[tuple[Sleeper, Connections]]:
    settings = running.settings.model_copy(update={"drain_s": drain_s})
    connections = await Connections.open(settings)
    replica = Sleeper("sleeper", settings, f"test-{secrets.token_hex(4)}")
    await replica.check_health()  # Serve asks once before it counts a replica as running
    try:
        yield replica, connections
    finally:
        if not replica.stopping.is_set():
            await replica.stop()
        await connections.close()


async def put(connections: Connections, replica: Sleeper, *seconds: str) -> None:
    async with connections.db.tenant("demo") as tx:
        await queue.enqueue(tx, replica.queue, [Work("demo", entry) for entry in seconds])


async def until(what: Callable[[], object], deadline_s: float = 30.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not what():
            await asyncio.sleep(0.05)


def states(running: Running, name: str) -> list[str]:
    return [
        row["status"]
        for row in running.rows("select status::text from pgqueuer where entrypoint = %s order by id", name)
    ]


@pytest.fixture(autouse=True)
def settings_file(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "CONTENT_SETTINGS", str(running.home.settings))


async def test_work_is_done_and_its_entry_ends(running: Running) -> None:
    async with sleeper(running, 5) as (replica, connections):
        await put(connections, replica, "0.01", "0.02", "0.03")
        await until(lambda: len(replica.done) == 3 and not states(running, replica.queue))
        await put(connections, replica, "0.01")  # the key is free again
        await until(lambda: len(replica.done) == 4)


async def test_a_rolled_back_transaction_leaves_no_work(running: Running) -> None:
    async with sleeper(running, 5) as (replica, connections):
        with pytest.raises(RuntimeError):
            async with connections.db.tenant("demo") as tx:
                await queue.enqueue(tx, replica.queue, [Work("demo", "0.01")])
                raise RuntimeError
        assert states(running, replica.queue) == []


async def test_asking_twice_is_one_entry(running: Running) -> None:
    async with sleeper(running, 0.5) as (replica, connections):
        await put(connections, replica, "60.0")
        await until(lambda: replica.begun)
        await put(connections, replica, "60.0")
        assert states(running, replica.queue) == ["picked"]
        await replica.stop()
        running.rows("delete from pgqueuer where entrypoint = %s returning id", replica.queue)


async def test_leaving_finishes_what_it_holds(running: Running) -> None:
    async with sleeper(running, 10) as (replica, connections):
        await put(connections, replica, "1.0")
        await until(lambda: replica.begun)
        await replica.stop()
        assert replica.done == ["1.0"]
        assert states(running, replica.queue) == []


async def test_leaving_gives_back_what_takes_too_long(running: Running) -> None:
    async with sleeper(running, 0.5) as (replica, connections):
        await put(connections, replica, "60.0")
        await until(lambda: replica.begun)
        await replica.stop()
        assert replica.done == []
        assert states(running, replica.queue) == ["queued"]
        running.rows("delete from pgqueuer where entrypoint = %s returning id", replica.queue)


async def test_a_replica_that_lost_postgres_asks_to_be_replaced(running: Running) -> None:
    async with sleeper(running, 1) as (replica, _):
        await replica.check_health()
        pid = replica._database.get_server_pid()
        running.rows("select pg_terminate_backend(%s)", pid)

        async def unhealthy() -> None:
            while True:
                await replica.check_health()
                await asyncio.sleep(0.1)

        with pytest.raises(RuntimeError, match="its loop ended"):
            async with asyncio.timeout(30):
                await unhealthy()
