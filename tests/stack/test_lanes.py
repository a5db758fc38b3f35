"""Lanes: a version for many devices comes after what somebody waits for, and is not forgotten."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from cluster import queue
from cluster.connections import Connections
from tasks import planning
from tests.support.running import Running
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(300)
T = TypeVar("T")


@pytest.fixture
def bundles_paused(running: Running) -> Iterator[None]:
    """What is planned stays planned, so that it can be looked at."""
    running.rows("update queues set paused_at = now(), paused_by = 'test' where name = 'bundle' returning name")
    yield
    running.rows("update queues set paused_at = null, paused_by = null where name = 'bundle' returning name")


def connected(running: Running, work: Callable[[Connections], Awaitable[T]]) -> T:
    async def run() -> T:
        connections = await Connections.open(running.settings, "worker", size=2)
        try:
            return await work(connections)
        finally:
            await connections.close()

    return asyncio.run(run())


def waiting(tenant: Tenant) -> list[tuple[str, int]]:
    """(lane of the group, priority) of the tenant's drain jobs, in the order in which workers take them."""
    rows = tenant.running.rows(
        """select convert_from(payload, 'UTF8')::jsonb->>'subject' as subject, priority from pgqueuer
           where entrypoint = 'bundle' and status = 'queued'
             and convert_from(payload, 'UTF8')::jsonb->>'tenant' = %s order by priority desc, id""",
        tenant.name,
    )
    return [(row["subject"].split("/")[3], row["priority"]) for row in rows]


def lanes(tenant: Tenant) -> dict[str, str]:
    rows = tenant.running.rows("select enrollment_id, lane from bundles where tenant = %s", tenant.name)
    return {row["enrollment_id"]: row["lane"] for row in rows}


def test_bulk_comes_last_until_somebody_waits_or_it_has_waited_long_enough(
    running: Running, bundles_paused: None
) -> None:
    tenant = Tenant(running)
    course = tenant.course().text()
    learners = [f"learner-{secrets.token_hex(3)}" for _ in range(4)]
    for learner in learners:
        tenant.device(learner)
    tenant.publish(course)
    tenant.built(course)
    enrolments = [tenant.enrol(course, learner) for learner in learners[:3]]
    until("three planned", lambda: len(lanes(tenant)) == 3, 30)
    # As if the version had come after the enrolments: planned anew, and three are many here.
    running.rows("update bundles set state = 'failed' where tenant = %s returning bundle_id", tenant.name)
    running.rows(
        "delete from pgqueuer where convert_from(payload, 'UTF8')::jsonb->>'tenant' = %s returning id", tenant.name
    )

    async def many(connections: Connections) -> int:
        async with connections.db.tenant(tenant.name) as tx:
            return await planning.for_package(tx, tenant.name, tenant.package(course), course.course_id, bulk_from=3)

    assert connected(running, many) == 3
    assert set(lanes(tenant).values()) == {"bulk"}
    assert waiting(tenant) == [("bulk", 0)]

    alone = tenant.enrol(course, learners[3])
    until("a fourth planned", lambda: alone in lanes(tenant), 30)
    assert waiting(tenant) == [("interactive", 10), ("bulk", 0)]  # it came later and is taken first

    async def enrolled_again(connections: Connections) -> None:
        async with connections.db.tenant(tenant.name) as tx:
            await planning.for_enrolment(tx, tenant.name, enrolments[0], course.course_id, learners[0])

    connected(running, enrolled_again)
    assert lanes(tenant) == dict.fromkeys(enrolments[1:], "bulk") | dict.fromkeys([enrolments[0], alone], "interactive")

    async def hurried(connections: Connections, patience_s: float) -> None:
        async with connections.db.connection() as connection:
            await queue.hurry(connection, queue.BUNDLE, patience_s)

    connected(running, lambda connections: hurried(connections, 3600.0))
    assert waiting(tenant)[-1] == ("bulk", 0)
    connected(running, lambda connections: hurried(connections, 0.0))
    assert waiting(tenant) == [("bulk", 10), ("interactive", 10)]  # it has waited longest

    async def called_again(connections: Connections, patience_s: float) -> list[tuple[str, int]]:
        """The end of a drain job, while rows remain: at the back of which lane is it called again?"""
        group = planning.Group(tenant.package(course), 1, "phone", "bulk")
        running.rows(
            "delete from pgqueuer where convert_from(payload, 'UTF8')::jsonb->>'subject' = %s returning id",
            group.subject(0),
        )
        async with connections.db.tenant(tenant.name) as tx:
            await planning.hang_up(tx, tenant.name, group, 0, patience_s)
        return waiting(tenant)

    assert connected(running, lambda connections: called_again(connections, 3600.0))[-1] == ("bulk", 0)
    assert connected(running, lambda connections: called_again(connections, 0.0)) == [("interactive", 10), ("bulk", 10)]

    running.rows("update queues set paused_at = null, paused_by = null where name = 'bundle' returning name")
    tenant.ready(course, 4)
    assert_settled(tenant)
