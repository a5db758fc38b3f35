"""What a segment of the event log must not hold, since nothing erases it there: who somebody is, what a neighbour says of them
beside the agreed fields, and keys that end with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.eventlog.store import LogStore
from content.eventlog import Change
from tasks.archive import Archiver
from tasks.intake import receive
from tasks.restore_log import ReadLog, load
from tasks.restore_rows import named_in
from tests.support.kept import ADA, PACKAGE, World, made, served

EVE = "eve@school.example"


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With a server of its own, whose log begins here."""
    with served(tmp_path_factory) as postgres, made(postgres) as found:
        yield found


def carried(world: World) -> None:
    async def carry() -> None:
        archiver = Archiver(world.settings, world.objects)
        try:
            await archiver.carry()
        finally:
            await archiver.close()

    asyncio.run(carry())


def archived(world: World) -> list[Change]:
    store = LogStore(world.objects, world.settings.region)
    return [
        change
        for epoch, last in store.path()
        for _, segment in store.read(epoch, last)
        for change in segment.parsed()
        if change.tenant == world.tenant
    ]


def said(world: World, kind: str, **data: Any) -> None:
    event = {
        "specversion": "1.0", "id": f"event-{kind}-{len(data)}", "source": "/enrollment-service", "type": kind, "subject": EVE,
        "time": "2026-11-26T10:00:00Z", "datacontenttype": "application/json", "learner_name": "Eve Adams",
        "data": {"tenant_id": world.tenant, **data, "email": EVE, "profile": {"name": "Eve Adams"}},
    }  # fmt: skip
    assert world.run(lambda connections: receive(connections, json.dumps(event).encode()))


def test_what_a_neighbour_says_beside_the_agreed_fields_is_not_in_the_log(world: World) -> None:
    said(world, "enrollment.created.v1", enrollment_id="enr-eve", learner_id=EVE, course_id="course-9")
    said(world, "enrollment.cancelled.v1", enrollment_id="enr-eve", reason="moved")
    carried(world)
    everything = b"".join(change.line for change in archived(world)).decode()
    assert EVE not in everything and "Eve Adams" not in everything
    received = [change.value or {} for change in archived(world) if change.name == "received"]
    (row,) = world.rows("select pseudonym from learners where learner_id = %s", EVE)
    created, cancelled = (event["data"] for event in received)
    assert created == {
        "tenant_id": world.tenant, "enrollment_id": "enr-eve", "learner_id": row["pseudonym"], "course_id": "course-9"
    }  # fmt: skip
    assert cancelled == {"tenant_id": world.tenant, "enrollment_id": "enr-eve", "reason": "moved"}
    assert {name for event in received for name in event} == {
        "specversion", "id", "source", "type", "time", "datacontenttype", "data"
    }  # fmt: skip
