"""A NATS that lost everything: the outbox fills it again, in order, and what is said next is taken in as ever."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import suppress
from typing import Any

import nats
import pytest
from nats.js.errors import NotFoundError

from cluster.local.home import read_json
from cluster.streams import ensure_streams
from tests.support import messages
from tests.support.courses import Course
from tests.support.light import Light
from tests.support.settled import assert_settled
from tests.support.tenants import Tenant
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)

STREAMS = ("CONTENT_EVENTS", "CONTENT_GLOBAL", "DOMAIN", "CONTENT_DEAD")


def wiped(running: Light) -> None:
    """The server's disk is empty when it comes back."""
    running.stop_part("nats")
    shutil.rmtree(running.home.path / "nats")
    running.start_part()


def deleted(running: Light) -> None:
    """The streams are deleted and made anew under a server that runs: no connection is lost."""
    password = read_json(running.home.keys / "secrets.json")["nats_operator"]

    async def anew() -> None:
        client = await nats.connect(running.settings.nats_url, user="operator", password=password)
        for name in STREAMS:
            await client.jetstream().delete_stream(name)
        await client.close()
        await ensure_streams(running.settings.nats_url, "operator", password)

    asyncio.run(anew())


def in_stream(running: Light, tenant: Tenant) -> list[dict[str, Any]]:
    """Every event of a tenant that the stream holds now, in its order."""

    async def read(stream: Any) -> list[dict[str, Any]]:
        info = await stream.stream_info("CONTENT_EVENTS")
        events: list[dict[str, Any]] = []
        for number in range(1, info.state.last_seq + 1):
            with suppress(NotFoundError):  # removed, since it named somebody who was erased
                events.append(json.loads((await stream.get_msg("CONTENT_EVENTS", seq=number)).data or b""))
        return [event for event in events if event["data"]["tenant_id"] == tenant.name]

    return messages.asked(running, read)


@pytest.mark.parametrize("emptied", [wiped, pytest.param(deleted, marks=pytest.mark.slow)])
def test_the_outbox_fills_it_again(bare: Light, emptied: Any) -> None:
    tenant = Tenant(bare)
    course: Course = tenant.course().text()
    for kind in ("relay", "builder", "bundler"):
        bare.worker(kind)
    devices = [tenant.device("learner-1"), tenant.device("learner-2", "tablet")]
    tenant.publish(course)
    tenant.enrol(course, "learner-1")
    tenant.enrol(course, "learner-2")
    tenant.built(course)
    tenant.ready(course, 2)
    assert_settled(tenant)
    before = in_stream(bare, tenant)
    assert len(before) == 3

    emptied(bare)
    until("every event there again", lambda: len(in_stream(bare, tenant)) == len(before), 90)
    again = in_stream(bare, tenant)
    assert sorted(event["id"] for event in again) == sorted(event["id"] for event in before)
    for event in again:
        assert event in before, "the same event to the last byte"

    course.revision += 1
    course.text("Something more.")
    tenant.publish(course)  # intake has its consumer again
    tenant.built(course, 2)
    tenant.ready(course, 2, number=2)
    assert_settled(tenant)
    for device in devices:
        device.read(device.open(device.offers()[-1]))
    assert len(in_stream(bare, tenant)) == 6, "nothing twice"
