"""From a revocation in one region to its refusal in the other, against a bare message over the same link.

Two regions without Ray on this machine, so the wire costs nothing: what is measured is the service's own share, and NATS's. The
time begins when the request is sent; seen means that the other region's API says so to anybody who asks.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import nats

from bench.results import Result, fact, limit
from cluster.local.home import read_json
from cluster.local.identity import mint_token
from cluster.local.regions import Regions
from cluster.local.stack import StackInfo
from cluster.regions import FOREIGN, GLOBAL
from cluster.settings import Settings
from content.events import TenantHomed, make
from content.events.envelope import to_bytes
from serve_app.client import Client
from tasks.bootstrap import prepare
from tests.support.devices import Device

ROUNDS, BARE, PATIENCE_S = 60, 300, 20.0


def measure() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="content-bench-regions-") as folder:
        regions = Regions(Path(folder) / "home")
        try:
            asked_often = {"address_requests_per_minute": 1_000_000}
            found = regions.up(["us", "eu"], _tell, ray=False, before_ray=prepare, overrides=lambda _: asked_often)
            return _measure(found["us"], found["eu"])
        finally:
            regions.down()


def _measure(us: StackInfo, eu: StackInfo) -> list[Result]:
    tenant = f"bench-{uuid.uuid4().hex[:8]}"
    with Client(us.settings.api_url, token=mint_token(us.home, tenant, ["operator"], "bench")) as api:
        api.create_tenant(tenant, region="us")
        devices = [
            Device(
                us.settings.api_url,
                tenant,
                f"learner-{n}",
                mint_token(us.home, tenant, ["device:register"], f"learner-{n}"),
            ).id
            for n in range(ROUNDS)
        ]
        with httpx.Client(base_url=eu.settings.api_url, trust_env=False, timeout=10) as asking:
            seen = _asks(asking, tenant)
            _until(lambda: asking.get(f"/v1/tenants/{tenant}/revoked", params={"kind": "kid", "id": "k"}).is_success)
            whole, answered = list[float](), list[float]()
            for device in devices:
                began = time.perf_counter()
                api.revoke("device", device, "bench")
                told = time.perf_counter()
                _until(lambda device=device: seen(device))
                whole.append(time.perf_counter() - began)
                answered.append(time.perf_counter() - told)
    bare = asyncio.run(_bare(us, eu))
    return [
        fact("regions: bare event published → in the other stream, median", statistics.median(bare) * 1000, "ms"),
        fact("regions: bare event published → in the other stream, p95", _p95(bare) * 1000, "ms"),
        fact("regions: revocation asked → refused elsewhere, median", statistics.median(whole) * 1000, "ms"),
        limit("regions: revocation asked → refused elsewhere, p95", _p95(whole) * 1000, "ms", 2000),
        fact("regions: revocation answered → refused elsewhere, median", statistics.median(answered) * 1000, "ms"),
    ]


def _asks(asking: httpx.Client, tenant: str) -> Callable[[str], bool]:
    def seen(device: str) -> bool:
        answer = asking.get(f"/v1/tenants/{tenant}/revoked", params={"kind": "device", "id": device})
        return bool(answer.raise_for_status().json()["revoked"])

    return seen


async def _bare(us: StackInfo, eu: StackInfo) -> list[float]:
    """Seconds from a publish in one region until a consumer of the other has it, one message at a time."""
    here, there = await _operator(us.settings, us.home), await _operator(eu.settings, eu.home)
    try:
        heard = await there.jetstream().pull_subscribe(FOREIGN, stream=GLOBAL)
        while True:  # what is there already
            try:
                for message in await heard.fetch(100, timeout=0.5):
                    await message.ack()
            except TimeoutError:
                break
        found: list[float] = []
        for number in range(BARE):
            event = make(
                TenantHomed, event_id=str(uuid.uuid4()), sequence=1, time=datetime.now(UTC), region="us",
                data={"tenant_id": f"bare-{number}", "home_region": "us"},
            )  # fmt: skip
            began = time.perf_counter()
            await here.publish(TenantHomed.TYPE, to_bytes(event), headers={"Nats-Msg-Id": event.id})
            (message,) = await heard.fetch(1, timeout=PATIENCE_S)
            found.append(time.perf_counter() - began)
            await message.ack()
        return found
    finally:
        await here.close()
        await there.close()


async def _operator(settings: Settings, home: Path) -> Any:
    password = read_json(home / "keys" / "secrets.json")["nats_operator"]
    return await nats.connect(settings.nats_url, user="operator", password=password)


def _until(ask: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not ask():
        if time.monotonic() > end:
            raise TimeoutError("it never came")
        time.sleep(0.002)


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[18]


def _tell(line: str) -> None:
    sys.stderr.write(f"  {line}\n")
