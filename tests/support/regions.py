"""Two regions without Ray, side by side, with a wire between their NATS servers that a test can cut."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import nats

from cluster.local.home import read_json
from cluster.local.regions import Regions
from cluster.local.stack import Stack
from cluster.regions import GLOBAL
from tests.support.failpoints import Failpoints
from tests.support.light import Light
from tests.support.running import LEASE_S
from tests.support.tcp_proxy import Wire
from tests.support.waiting import until


class Two:
    """`us` and `eu`, which connects to us through the wire."""

    def __init__(self, regions: Regions, us: Light, eu: Light, wire: Wire) -> None:
        self.regions, self.us, self.eu, self.wire = regions, us, eu, wire

    def other(self, region: Light) -> Light:
        return self.eu if region is self.us else self.us


@contextmanager
def two_regions(home: Path, media: Path) -> Iterator[Two]:
    """Up at the beginning, down at the end whatever happens."""
    regions, wire = Regions(home), Wire()
    wire.start()
    try:
        # The port is the stack's own choice, and known before anything connects to it.
        wire.upstream = Stack(home / "us").ports()["nats_leaf"]
        infos = regions.up(
            ["us", "eu"],
            ray=False,
            overrides=lambda _: {"lease_s": LEASE_S, "drain_s": 5.0, "address_requests_per_minute": 1_000_000},
            through={("eu", "us"): wire.port},
        )
        found = {
            name: Light(regions.stack(name), info.settings, Failpoints(home / name / "failpoints"), media)
            for name, info in infos.items()
        }
        assert found["us"].port("nats_leaf") == wire.upstream
        try:
            yield Two(regions, found["us"], found["eu"], wire)
        finally:
            for light in found.values():
                light.end()
    finally:
        regions.down()
        wire.stop()


def asked_revoked(region: Light, tenant: str, kind: str, subject: str) -> bool | None:
    """What a region answers to anybody who asks; None where it has never heard of the tenant."""
    answer = httpx.get(
        f"{region.settings.api_url}/v1/tenants/{tenant}/revoked",
        params={"kind": kind, "id": subject},
        trust_env=False,
        timeout=60,
    )
    return None if answer.status_code == 404 else bool(answer.raise_for_status().json()["revoked"])


def took_until(ask: Callable[[], Any]) -> float:
    """How many seconds after now `ask` was put when it first said so: how long its answer took is not counted."""
    began, asked = time.monotonic(), list[float]()

    def again() -> Any:
        asked.append(time.monotonic())
        return ask()

    until("what is waited for", again)
    return asked[-1] - began


def messages_in(region: Light, *streams: str) -> list[tuple[str, str, bytes]]:
    """Every message of these streams (all, where none is named): (stream, subject and headers, body), as an operator reads."""

    async def read() -> list[tuple[str, str, bytes]]:
        password = read_json(region.home.keys / "secrets.json")["nats_operator"]
        client = await nats.connect(region.settings.nats_url, user="operator", password=password)
        found: list[tuple[str, str, bytes]] = []
        try:
            stream_api = client.jetstream()
            for info in await stream_api.streams_info():
                name = str(info.config.name)
                if (streams and name not in streams) or not info.state.messages:
                    continue
                number = info.state.first_seq
                while number <= info.state.last_seq:
                    message = await stream_api.get_msg(name, seq=number)
                    found.append((name, f"{message.subject} {message.headers}", message.data or b""))
                    number += 1
        finally:
            await client.close()
        return found

    return asyncio.run(read())


def events_of(region: Light, tenant: str) -> list[dict[str, Any]]:
    """The events of a tenant in a region's `CONTENT_GLOBAL`, in its order."""
    events = [json.loads(body) for _, _, body in messages_in(region, GLOBAL)]
    return [event for event in events if event["data"]["tenant_id"] == tenant]
